import { assertBytes } from "../../codecs/codec.ts";
import type { Compression, ProducerRecord } from "./broker.ts";
import { KafkaError } from "./errors.ts";
import { partitionOf } from "./murmur2.ts";

/** What a topic takes. */
export interface TopicLimits {
  /** The name of the topic. */
  readonly topic: string;
  /** How many partitions it has. */
  readonly partitions: number;
  /** The most bytes of one record batch, hence of a record that is not compressed. */
  readonly maxBytes: number;
}

/** A record that was checked. */
export interface Placed {
  /** The record. */
  readonly record: ProducerRecord;
  /** The partition it goes to. */
  readonly partition: number;
  /** How many bytes it takes, at most. */
  readonly bytes: number;
}

/** Length, attributes, time and offset deltas and the counts of a record, at most; and the head of its batch. */
const OVERHEAD = 32 + 61;

/** Returns how many bytes a record takes in a batch of its own, at most. */
function sizeOf(record: ProducerRecord): number {
  let size = OVERHEAD + (record.key?.byteLength ?? 0) + (record.value?.byteLength ?? 0);
  for (const [name, value] of record.headers) {
    size += 10 + 3 * name.length + (value?.byteLength ?? 0);
  }
  return size;
}

/**
 * Checks a record's time.
 *
 * @throws {RangeError} If it is not a whole number of milliseconds.
 */
export function checkTimestamp(topic: string, timestamp: number | undefined): void {
  if (timestamp === undefined || (Number.isSafeInteger(timestamp) && timestamp >= 0)) return;
  throw new RangeError(
    `Cannot send to topic "${topic}" as timestamp must be an integer >= 0: ` +
      `current value is ${Deno.inspect(timestamp)}`,
  );
}

function checkBytes(topic: string, { key, value, headers }: ProducerRecord): void {
  if (key !== null) assertBytes(key, `Cannot send a key to topic "${topic}"`);
  if (value !== null) assertBytes(value, `Cannot send a value to topic "${topic}"`);
  for (const [name, bytes] of headers) {
    checkText(name, `Cannot send the name ${JSON.stringify(name)} of a header to topic "${topic}"`);
    if (bytes !== null) assertBytes(bytes, `Cannot send header "${name}" to topic "${topic}"`);
  }
}

/**
 * Checks a text that is sent as UTF-8; `what` begins the message.
 *
 * @throws {TypeError} If it contains half of a surrogate pair, which would arrive as U+FFFD.
 */
export function checkText(text: string, what: string): void {
  if (!text.isWellFormed()) {
    throw new TypeError(`${what}: it contains half of a surrogate pair`);
  }
}

/**
 * Finds the partition of a record: its own, the one of its key as the Java client computes it, or
 * `otherwise`.
 *
 * @throws {TypeError} If key, value or a header are no bytes, or UTF-8 cannot hold the name of a header.
 * @throws {RangeError} If the time is not a whole number of milliseconds.
 * @throws {KafkaError} If the partition does not exist, or the record is larger than the topic takes.
 */
export function checkRecord(
  record: ProducerRecord,
  limits: TopicLimits,
  otherwise: number,
  compression: Compression = "none",
): Placed {
  const { topic, partitions, maxBytes } = limits;
  checkBytes(topic, record);
  checkTimestamp(topic, record.timestamp);
  const partition = record.partition ??
    (record.key === null ? otherwise : partitionOf(record.key, partitions));
  if (!Number.isInteger(partition) || partition < 0 || partition >= partitions) {
    throw refusal(
      record,
      limits,
      partition,
      `it has ${partitions} partitions: partition is ${partition}`,
    );
  }
  const bytes = sizeOf(record);
  if (bytes > maxBytes && compression === "none") {
    throw refusal(
      record,
      limits,
      partition,
      `it takes at most ${maxBytes} bytes: the record has ${bytes}`,
    );
  }
  return { record, partition, bytes };
}

function refusal(
  record: ProducerRecord,
  { topic }: TopicLimits,
  partition: number,
  why: string,
): KafkaError {
  const key = keyText(record.key);
  const what = `Cannot send ${inWords(key)} to topic "${topic}" as ${why}`;
  return new KafkaError(what, { topic, partition, key });
}

/** Returns a key as text for an error message, not longer than 80 characters. */
export function keyText(key: Uint8Array | null): string | undefined {
  return key === null ? undefined : new TextDecoder().decode(key.subarray(0, 80));
}

/** Names a record by its key. */
export function inWords(key: string | undefined): string {
  return key === undefined
    ? "the record without a key"
    : `the record with key ${JSON.stringify(key)}`;
}
