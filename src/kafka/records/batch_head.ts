import type { Compression } from "../client/broker.ts";
import {
  APPEND_TIME_BIT,
  ATTRIBUTES_AT,
  CHECKSUM_AT,
  COMPRESSION_BITS,
  COMPRESSIONS,
  CONTROL_BIT,
  TRANSACTIONAL_BIT,
} from "./batch_format.ts";
import { safeInt64 } from "./byte_reader.ts";
import { crc32c } from "./crc32c.ts";

/** What the head of a record batch says. */
export interface BatchHead {
  /** The offset that the records' offsets are counted from. */
  readonly baseOffset: number;
  /** The last offset of the batch when it was written; compaction may have removed its record. */
  readonly lastOffset: number;
  /** Who wrote it; -1 for a producer that is not idempotent. */
  readonly producerId: bigint;
  /** Which incarnation of the producer. */
  readonly producerEpoch: number;
  /** The sequence number of the first record; -1 for a producer that is not idempotent. */
  readonly baseSequence: number;
  /** How many records there are; may be none. */
  readonly count: number;
  /** How the records are compressed. */
  readonly compression: Compression;
  /** Whether the batch belongs to a transaction. */
  readonly isTransactional: boolean;
  /** Whether it is the broker's mark of the end of a transaction. */
  readonly isControl: boolean;
  /** The time that the records' times are counted from. */
  readonly baseTimestamp: number;
  /** When the batch was appended, where the topic has that as the time of its records; else undefined. */
  readonly appendTime: number | undefined;
}

/**
 * Reads the head of a whole batch.
 *
 * @throws {RangeError} If the checksum is wrong, or a number makes no sense.
 */
export function readHead(batch: Uint8Array): BatchHead {
  const view = new DataView(batch.buffer, batch.byteOffset, batch.length);
  if (crc32c(batch, ATTRIBUTES_AT) !== view.getInt32(CHECKSUM_AT)) {
    throw new RangeError("its checksum is wrong");
  }
  const attributes = view.getInt16(ATTRIBUTES_AT);
  const baseOffset = safeInt64(view, 0);
  const lastDelta = view.getInt32(23);
  const count = view.getInt32(57);
  const compression = COMPRESSIONS[attributes & COMPRESSION_BITS];
  if (compression === undefined) {
    throw new RangeError(`its compression has the number ${attributes & COMPRESSION_BITS}`);
  }
  if (baseOffset < 0 || lastDelta < 0 || !Number.isSafeInteger(baseOffset + lastDelta + 1)) {
    throw new RangeError(`its offsets are ${lastDelta + 1} from ${baseOffset} on`);
  }
  if (count < 0 || count > lastDelta + 1) {
    throw new RangeError(`it has ${count} records in ${lastDelta + 1} offsets`);
  }
  return {
    baseOffset,
    lastOffset: baseOffset + lastDelta,
    producerId: view.getBigInt64(43),
    producerEpoch: view.getInt16(51),
    baseSequence: view.getInt32(53),
    count,
    compression,
    isTransactional: (attributes & TRANSACTIONAL_BIT) !== 0,
    isControl: (attributes & CONTROL_BIT) !== 0,
    baseTimestamp: safeInt64(view, 27),
    appendTime: (attributes & APPEND_TIME_BIT) !== 0 ? safeInt64(view, 35) : undefined,
  };
}
