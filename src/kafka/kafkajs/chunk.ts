import type { Batch, KafkaMessage } from "kafkajs";
import type { BrokerRecord, Chunk, Header, Records } from "../client/broker.ts";

const NO_HEADERS: readonly Header[] = [];

/**
 * Turns a batch into a chunk.
 *
 * @throws {RangeError} If an offset is past 2^53, where numbers have holes.
 */
export function toChunk(batch: Batch, generation: number, epoch: number): Chunk {
  const { topic, partition, highWatermark, messages } = batch;
  let bytes = 0;
  for (const { key, value } of messages) bytes += (key?.length ?? 0) + (value?.length ?? 0);
  return {
    generation,
    epoch,
    topic,
    partition,
    records: {
      length: messages.length,
      at: (index) => index < messages.length ? new KafkaRecord(messages[index]!) : undefined,
    },
    bytes,
    next: safe(batch.lastOffset()) + 1,
    high: safe(highWatermark),
  };
}

const NO_RECORDS: Records = { length: 0, at: () => undefined };

/** Returns the chunk of a batch without visible records, which ends with `lastOffset`. */
export function emptyChunk(
  place: Pick<Chunk, "generation" | "epoch" | "topic" | "partition">,
  lastOffset: string,
  highWatermark: string,
): Chunk {
  const [next, high] = [safe(lastOffset) + 1, safe(highWatermark)];
  return { ...place, records: NO_RECORDS, bytes: 0, next, high };
}

/** A record whose timestamp and headers are read when they are asked for: most never are. */
class KafkaRecord implements BrokerRecord {
  readonly offset: number;
  readonly #message: KafkaMessage;

  constructor(message: KafkaMessage) {
    this.offset = safe(message.offset);
    this.#message = message;
  }

  get key(): Uint8Array | null {
    return this.#message.key;
  }

  get value(): Uint8Array | null {
    return this.#message.value;
  }

  get timestamp(): number {
    return Number(this.#message.timestamp);
  }

  get headers(): readonly Header[] {
    const { headers } = this.#message;
    return headers ? toHeaders(headers) : NO_HEADERS;
  }
}

function toHeaders(headers: NonNullable<KafkaMessage["headers"]>): readonly Header[] {
  let list: Header[] | undefined;
  for (const name in headers) {
    const value = headers[name];
    for (const bytes of Array.isArray(value) ? value : [value]) {
      // kafkajs takes what every object inherits for a first value, as for "constructor".
      if (bytes === null || bytes instanceof Uint8Array) {
        (list ??= []).push([name, bytes && new Uint8Array(bytes)]);
      }
    }
  }
  return list ?? NO_HEADERS;
}

function safe(offset: string): number {
  const number = Number(offset);
  if (Number.isSafeInteger(number)) return number;
  throw new RangeError(`Cannot represent an offset as it is past 2^53: ${offset}`);
}
