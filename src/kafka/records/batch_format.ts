/**
 * The layout of a record batch of message format 2, as in the Kafka protocol guide, "Record Batch":
 *
 * ```text
 *  0  base offset          int64     27  base timestamp     int64
 *  8  length of the rest   int32     35  max timestamp      int64
 * 12  leader epoch         int32     43  producer id        int64
 * 16  format               int8      51  producer epoch     int16
 * 17  CRC-32C of the rest  uint32    53  base sequence      int32
 * 21  attributes           int16     57  count of records   int32
 * 23  last offset delta    int32     61  the records, compressed or not
 * ```
 */
import type { Compression } from "../client/broker.ts";

/** How many bytes of a batch its length does not count: the base offset and the length. */
export const PREFIX_BYTES = 12;
/** Where the format of a batch stands, in formats 0 and 1 too. */
export const FORMAT_AT = 16;
/** Where the checksum stands. */
export const CHECKSUM_AT = 17;
/** Where the attributes stand, and what the checksum covers begins. */
export const ATTRIBUTES_AT = 21;
/** How many bytes a batch has before its records. */
export const HEAD_BYTES = 61;

/** The bits of the attributes that number the compression. */
export const COMPRESSION_BITS = 7;
/** The bit of the attributes that makes the max timestamp, when it was appended, the time of all records. */
export const APPEND_TIME_BIT = 8;
/** The bit of the attributes of a batch in a transaction. */
export const TRANSACTIONAL_BIT = 16;
/** The bit of the attributes of a batch that marks the end of a transaction. */
export const CONTROL_BIT = 32;

/** The compressions, by their numbers. */
export const COMPRESSIONS: readonly Compression[] = ["none", "gzip", "snappy", "lz4", "zstd"];

/**
 * The most bytes that the records of one batch may have before compression: nothing larger is written, nor
 * read, so that what is written here can be read here, and a batch made to fill the memory does not.
 */
export const MAX_BATCH_BYTES: number = 64 * 2 ** 20;

/** The fewest bytes of a record: its length, attributes, deltas of time and offset, key, value, headers. */
export const LEAST_RECORD_BYTES = 7;
