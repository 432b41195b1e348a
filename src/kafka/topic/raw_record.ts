import type { ProducerRecord } from "../client/broker.ts";

/** A record for a topic as a sink whose bytes are sent as they are. */
export class RawRecord {
  /** Takes the record. */
  constructor(readonly record: ProducerRecord) {}
}
