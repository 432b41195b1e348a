import type { BrokerRecord, Chunk } from "../client/broker.ts";
import type { Codecs, Message } from "./message.ts";
import type { UndecodableBatchError } from "../records/undecodable_batch_error.ts";

/** Stands for the records of a batch that cannot be decoded; its value is the batch as it came. */
export class UndecodableRecord implements BrokerRecord {
  /** The first offset that is lost. */
  readonly offset: number;
  /** None is known. */
  readonly key = null;
  /** The batch. */
  readonly value: Uint8Array;
  /** When it was met. */
  readonly timestamp: number;
  /** None are known. */
  readonly headers = [];

  /** Fail as the batch does, with the place of the message and the bytes of the batch. */
  readonly codecs: Codecs<never, never>;

  /** Stands for the batch that `error` is about, which was met at the time `now`. */
  constructor(readonly error: UndecodableBatchError, now: number) {
    this.offset = error.firstOffset;
    this.value = error.bytes;
    this.timestamp = now;
    const fail = () => {
      throw error;
    };
    const codec = { encode: fail, decode: fail, synchronous: true };
    this.codecs = { key: codec, value: codec };
  }
}

/** Returns what the message of such a record fails with; undefined for other messages. */
export function failureOf(message: Message<unknown, unknown>): Error | undefined {
  if (!(message.record instanceof UndecodableRecord)) return undefined;
  try {
    void message.value;
  } catch (error) {
    return error as Error;
  }
  return undefined;
}

/** Returns a chunk with a record that stands for the batch after it, where that cannot be decoded. */
export function withFailure(chunk: Chunk, now: number): Chunk {
  const { records, bytes, failure } = chunk;
  if (failure === undefined) return chunk;
  const { length } = records;
  const last = new UndecodableRecord(failure, now);
  return {
    ...chunk,
    records: { length: length + 1, at: (index) => index === length ? last : records.at(index) },
    bytes: bytes + last.value.length,
    next: failure.lastOffset + 1,
  };
}
