import type { Producer, ProducerRecord, RecordPlace } from "../client/broker.ts";

/** The place of a record that was not sent. */
const NOWHERE: RecordPlace = { partition: -1, offset: -1 };

/** A producer that sends nothing, and tells what it would send. */
export function dryProducer(tell: (record: ProducerRecord) => void): Producer {
  return {
    send: (record) => Promise.try(() => tell(record)).then(() => NOWHERE),
    add: (record) => tell(record),
    flush: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}
