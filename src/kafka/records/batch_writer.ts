import type { Compression, ProducerRecord } from "../client/broker.ts";
import {
  ATTRIBUTES_AT,
  CHECKSUM_AT,
  COMPRESSIONS,
  HEAD_BYTES,
  MAX_BATCH_BYTES,
  PREFIX_BYTES,
  TRANSACTIONAL_BIT,
} from "./batch_format.ts";
import { type ByteWriter, sizeOfNullable, sizeOfVarint, sizeOfVarlong } from "./byte_writer.ts";
import { mustYield, yielded } from "./compression/yielding.ts";
import { compressors } from "./compression/compressors.ts";
import { crc32c } from "./crc32c.ts";

/** Who writes a batch, as an idempotent producer. */
export interface ProducerState {
  /** The id that the broker gave. */
  readonly producerId: bigint;
  /** The epoch of that id. */
  readonly producerEpoch: number;
  /** The sequence number of the batch's first record in its partition. */
  readonly baseSequence: number;
}

/** How a batch is written. */
export interface BatchOptions {
  /** The time of the records that have none, in milliseconds since the epoch. */
  readonly now: number;
  /** How the records are compressed. @default {"none"} */
  readonly compression?: Compression | undefined;
  /** Who writes it; undefined for a producer that is not idempotent. */
  readonly producer?: ProducerState | undefined;
  /** Whether it belongs to a transaction. @default {false} */
  readonly isTransactional?: boolean | undefined;
}

const NOBODY: ProducerState = { producerId: -1n, producerEpoch: -1, baseSequence: -1 };

/**
 * Writes one batch of message format 2 after what `to` holds. The partitions of the records are not looked at.
 *
 * Gives a promise where compression takes long; until it settles nothing else may be written to `to`. What
 * fails has written nothing.
 *
 * @throws {RangeError} If there is no record, more than {@linkcode MAX_BATCH_BYTES} bytes of them, or a time is
 *   no safe integer.
 * @throws {TypeError} If UTF-8 cannot hold the name of a header.
 */
export function writeBatch(
  to: ByteWriter,
  records: readonly ProducerRecord[],
  options: BatchOptions,
): void | Promise<void> {
  const begin = to.at;
  try {
    const times = writeRecords(to, records, options.now);
    const end = (): void => writeHead(to, begin, records.length, times, options);
    const { compression = "none" } = options;
    if (compression === "none") return end();
    const bodyAt = begin + HEAD_BYTES;
    const replace = (packed: Uint8Array): void => {
      to.at = bodyAt;
      to.reserve(packed.length);
      to.raw(packed);
      end();
    };
    const packed = compressors[compression].compress(to.bytes.subarray(bodyAt, to.at));
    if (!(packed instanceof Promise)) {
      replace(packed);
      return mustYield() ? yielded() : undefined;
    }
    return packed.then(replace, (error) => {
      to.at = begin;
      throw error;
    });
  } catch (error) {
    to.at = begin;
    throw error;
  }
}

interface Times {
  readonly base: number;
  readonly max: number;
}

function writeRecords(to: ByteWriter, records: readonly ProducerRecord[], now: number): Times {
  if (records.length === 0) throw new RangeError("Cannot write a record batch without records");
  const begin = to.at;
  to.reserve(HEAD_BYTES);
  to.at += HEAD_BYTES;
  const base = records[0]!.timestamp ?? now;
  let max = base;
  for (let i = 0; i < records.length; i++) {
    const { key, value, headers, timestamp = now } = records[i]!;
    const delta = timestamp - base;
    if (!Number.isSafeInteger(timestamp) || !Number.isSafeInteger(delta)) {
      throw new RangeError(
        `Cannot write a record with the time ${timestamp} after one with ${base}`,
      );
    }
    if (timestamp > max) max = timestamp;
    let size = 1 + sizeOfVarlong(delta) + sizeOfVarint(i) + sizeOfNullable(key) +
      sizeOfNullable(value) + sizeOfVarint(headers.length);
    if (headers.length > 0) {
      for (const [name, bytes] of headers) {
        size += sizeOfNullable(headerName(name)) + sizeOfNullable(bytes);
      }
    }
    const written = to.at - begin - HEAD_BYTES + sizeOfVarint(size) + size;
    if (written > MAX_BATCH_BYTES) {
      throw new RangeError(
        `Cannot write a record batch of more than ${MAX_BATCH_BYTES} bytes: it has ${written}`,
      );
    }
    to.reserve(size + 5);
    to.varint(size);
    to.int8(0);
    to.varlong(delta);
    to.varint(i);
    to.nullable(key);
    to.nullable(value);
    to.varint(headers.length);
    for (let h = 0; h < headers.length; h++) {
      to.nullable(headerName(headers[h]![0]));
      to.nullable(headers[h]![1]);
    }
  }
  return { base, max };
}

function writeHead(
  to: ByteWriter,
  begin: number,
  count: number,
  { base, max }: Times,
  { compression = "none", producer = NOBODY, isTransactional = false }: BatchOptions,
): void {
  const end = to.at;
  to.at = begin;
  to.int64(0); // the base offset, which the broker writes
  to.int32(end - begin - PREFIX_BYTES);
  to.int32(-1); // the leader's epoch, which the broker writes
  to.int8(2);
  to.int32(0); // the checksum
  to.int16(COMPRESSIONS.indexOf(compression) | (isTransactional ? TRANSACTIONAL_BIT : 0));
  to.int32(count - 1);
  to.int64(base);
  to.int64(max);
  to.bigInt64(producer.producerId);
  to.int16(producer.producerEpoch);
  to.int32(producer.baseSequence);
  to.int32(count);
  to.at = end;
  to.int32At(begin + CHECKSUM_AT, crc32c(to.bytes, begin + ATTRIBUTES_AT, end));
}

/** How many names are kept, and how long they may be. */
const MOST_NAMES = 1_000, MOST_CHARACTERS = 100;

const names = new Map<string, Uint8Array>();
const encoder = new TextEncoder();

/**
 * Returns the bytes of the name of a header. Names are few and come again, so some are kept.
 *
 * @throws {TypeError} If UTF-8 cannot hold it.
 */
export function headerName(name: string): Uint8Array {
  const kept = names.get(name);
  if (kept !== undefined) return kept;
  if (!name.isWellFormed()) {
    throw new TypeError(
      `Cannot write the name ${
        JSON.stringify(name)
      } of a header: it contains half of a surrogate pair`,
    );
  }
  const bytes = encoder.encode(name);
  if (name.length <= MOST_CHARACTERS) {
    if (names.size >= MOST_NAMES) names.clear();
    names.set(name, bytes);
  }
  return bytes;
}
