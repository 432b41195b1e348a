import type { Batch, KafkaMessage } from "kafkajs";
import type { BrokerRecord, Chunk, Header } from "../broker.ts";

const NO_HEADERS: readonly Header[] = [];

/**
 * Turns a batch into a chunk.
 *
 * @throws {RangeError} If an offset is past 2^53, where numbers have holes.
 */
export function toChunk(batch: Batch, generation: number, epoch: number): Chunk {
  const { topic, partition, highWatermark } = batch;
  return {
    generation,
    epoch,
    topic,
    partition,
    records: batch.messages.map(toRecord),
    next: safe(batch.lastOffset()) + 1,
    high: safe(highWatermark),
  };
}

function toRecord({ offset, key, value, timestamp, headers }: KafkaMessage): BrokerRecord {
  return {
    offset: safe(offset),
    key,
    value,
    timestamp: Number(timestamp),
    headers: headers ? toHeaders(headers) : NO_HEADERS,
  };
}

function toHeaders(headers: NonNullable<KafkaMessage["headers"]>): readonly Header[] {
  let list: Header[] | undefined;
  for (const name in headers) {
    const value = headers[name];
    for (const bytes of Array.isArray(value) ? value : [value]) {
      // kafkajs takes what every object inherits for a first value, as for "constructor".
      if (bytes === null || bytes instanceof Uint8Array) {
        (list ??= []).push([name, bytes ?? new Uint8Array()]);
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
