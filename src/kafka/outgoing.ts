import { CodecError } from "../errors.ts";
import type { Header, ProducerRecord } from "./broker.ts";
import { type Codecs, Message } from "./message.ts";

/** A message to be sent. */
export interface OutgoingMessage<K = string, V = string> {
  /** The key; null or absent for none. */
  key?: K | null | undefined;
  /** The value; null for a tombstone. */
  value: V | null;
  /** Headers by name; texts are sent as UTF-8. */
  headers?: OutgoingHeaders | undefined;
  /** The partition; absent lets the key decide as the Java client does. */
  partition?: number | undefined;
  /** Milliseconds since the epoch; absent for now. */
  timestamp?: number | undefined;
}

/** Headers by name, or as a list, in which a name may come more than once. */
export type OutgoingHeaders =
  | Readonly<Record<string, string | Uint8Array>>
  | Iterable<readonly [name: string, value: string | Uint8Array]>;

/** What a topic takes as a sink: a key and a value, a message, or a message that was read from a topic. */
export type TopicOutput<K = string, V = string> =
  | readonly [key: K | null, value: V | null]
  | OutgoingMessage<K, V>
  | Message<K, V>;

const NAMES = ["key", "value", "headers", "partition", "timestamp"];
const encoder = new TextEncoder();

/**
 * Turns what a topic was given into a record.
 *
 * @throws {TypeError} If it has the wrong shape.
 * @throws {CodecError} If key or value cannot be encoded.
 */
export function toRecord<K, V>(
  topic: string,
  output: TopicOutput<K, V>,
  codecs: Codecs<K, V>,
): ProducerRecord | Promise<ProducerRecord> {
  const { key = null, value, headers, partition, timestamp } = toOutgoing(topic, output);
  if (value === undefined) {
    throw new TypeError(
      `Cannot send to topic "${topic}" as the value is undefined: null is a tombstone`,
    );
  }
  if (timestamp !== undefined && !(Number.isSafeInteger(timestamp) && timestamp >= 0)) {
    throw new RangeError(`Cannot send to topic "${topic}" as timestamp must be >= 0: ${timestamp}`);
  }
  const rest = { headers: toHeaders(topic, headers), partition, timestamp };
  const keyBytes = encode(topic, "key", key, (given) => codecs.key.encode(given));
  const valueBytes = encode(topic, "value", value, (given) => codecs.value.encode(given));
  if (keyBytes instanceof Promise || valueBytes instanceof Promise) {
    return Promise.all([keyBytes, valueBytes]).then(([key, value]) => ({ key, value, ...rest }));
  }
  return { key: keyBytes, value: valueBytes, ...rest };
}

function toOutgoing<K, V>(topic: string, output: TopicOutput<K, V>): OutgoingMessage<K, V> {
  if (output instanceof Message) {
    // Its partition is the one it came from.
    const { key, value, timestamp, record } = output;
    return { key, value, timestamp, headers: record.headers };
  }
  if (isPair(output)) {
    if (output.length === 2) return { key: output[0], value: output[1] };
    throw new TypeError(
      `Cannot send to topic "${topic}": a pair of key and value has ${output.length} items`,
    );
  }
  if (typeof output !== "object" || output === null) {
    throw new TypeError(
      `Cannot send to topic "${topic}": neither [key, value] nor { key, value }: ${typeof output}`,
    );
  }
  const unknown = Object.keys(output).find((name) => !NAMES.includes(name));
  if (unknown === undefined) return output;
  throw new TypeError(
    `Cannot send to topic "${topic}": a message has no "${unknown}", only ${NAMES.join(", ")}`,
  );
}

function isPair<K, V>(output: TopicOutput<K, V>): output is readonly [K | null, V | null] {
  return Array.isArray(output);
}

function encode<T>(
  topic: string,
  of: "key" | "value",
  given: T | null,
  encoded: (given: T) => Uint8Array | Promise<Uint8Array>,
): Uint8Array | null | Promise<Uint8Array> {
  if (given === null) return null;
  const failed = (error: unknown) => {
    throw new CodecError(`Cannot encode the ${of} of a message`, { topic }, undefined, error);
  };
  try {
    const bytes = encoded(given);
    return bytes instanceof Promise ? bytes.catch(failed) : bytes;
  } catch (error) {
    return failed(error);
  }
}

const NO_HEADERS: readonly Header[] = [];

function toHeaders(topic: string, headers: OutgoingHeaders | undefined): readonly Header[] {
  if (headers === undefined) return NO_HEADERS;
  const entries = Symbol.iterator in headers ? [...headers] : Object.entries(headers);
  return entries.map(([name, value]) => {
    if (value instanceof Uint8Array) return [name, value];
    if (typeof value === "string") return [name, encoder.encode(value)];
    throw new TypeError(`Cannot send to topic "${topic}": header "${name}" is a ${typeof value}`);
  });
}
