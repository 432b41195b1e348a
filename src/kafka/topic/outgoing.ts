import { systemClock } from "../../clock.ts";
import { assertBytes, type Codec } from "../../codecs/codec.ts";
import { CodecError, untraceable } from "../../errors.ts";
import type { FlowFailure } from "../../types.ts";
import type { Header, ProducerRecord } from "../client/broker.ts";
import { headersOf, isFlowFailure, RawRecord, toDeadLetter } from "./dead_letter.ts";
import { type Codecs, Message } from "./message.ts";
import { checkText, checkTimestamp } from "../client/record_check.ts";
import { type Tombstone, tombstone } from "../../tombstone.ts";

/** A message to be sent. */
export interface OutgoingMessage<K = string, V = string> {
  /** The key; null or absent for none. */
  key?: K | null | undefined;
  /** The value, or {@linkcode tombstone}. */
  value: V | Tombstone;
  /** Headers by name; texts are sent as UTF-8, null as a header without a value. */
  headers?: OutgoingHeaders | undefined;
  /** The partition; absent lets the key decide as the Java client does. */
  partition?: number | undefined;
  /** Milliseconds since the epoch; absent for now. */
  timestamp?: number | undefined;
}

/** Headers by name, or as a list, in which a name may come more than once. */
export type OutgoingHeaders =
  | Readonly<Record<string, string | Uint8Array | null>>
  | Iterable<readonly [name: string, value: string | Uint8Array | null]>;

/**
 * The values that a topic accepts as a sink: a key and a value, a message, a message that was read from a topic, or
 * an error that met `onError`, whose message becomes a dead letter.
 */
export type TopicInput<K = string, V = string> =
  | readonly [key: K | null, value: V | Tombstone]
  | OutgoingMessage<K, V>
  | Message<K, V>
  | FlowFailure;

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
  output: TopicInput<K, V>,
  codecs: Codecs<K, V>,
): ProducerRecord | Promise<ProducerRecord> {
  if (output instanceof RawRecord) return copied(output.record);
  if (isFlowFailure(output)) {
    const now = systemClock.now();
    const letter = toDeadLetter(output, now);
    if (letter !== undefined) return copied(letter);
    if (untraceable.has(output)) {
      throw new TypeError(
        `Cannot store a dead letter in topic "${topic}": it is unknown which messages untilEnd(pipe) ` +
          'made it from; use onError "stop" or "skip", or a pipe that is exact or sequential',
      );
    }
    output = { value: output.input as V, headers: headersOf(output, now) };
  }
  const { key = null, value, headers, partition, timestamp } = toOutgoing(topic, output);
  if (value === undefined) {
    throw new TypeError(
      `Cannot send to topic "${topic}" as there is no value: send tombstone to delete a key`,
    );
  }
  if (key === null && codecs.keyRequired) {
    throw new TypeError(
      `Cannot send to topic "${topic}" as there is no key, and the topic has keys: "required"`,
    );
  }
  checkTimestamp(topic, timestamp);
  const keyBytes = key === null ? null : encode(topic, "key", codecs.key, key);
  const valueBytes = value === tombstone ? null : encode(topic, "value", codecs.value, value);
  const named = toHeaders(topic, headers);
  if (keyBytes instanceof Promise || valueBytes instanceof Promise) {
    const rest = { headers: named, partition, timestamp };
    return Promise.all([keyBytes, valueBytes]).then(([key, value]) => ({ key, value, ...rest }));
  }
  return { key: keyBytes, value: valueBytes, headers: named, partition, timestamp };
}

/** A record that was read, to be sent: one that was written without a time has a negative one. */
function copied(record: ProducerRecord): ProducerRecord {
  return Number(record.timestamp) >= 0 ? record : { ...record, timestamp: undefined };
}

function toOutgoing<K, V>(
  topic: string,
  output: Exclude<TopicInput<K, V>, FlowFailure>,
): OutgoingMessage<K, V> {
  if (output instanceof Message) {
    // Its partition is the one it came from.
    const { timestamp, headers } = copied(output.record);
    return { key: output.key, value: output.value, timestamp, headers };
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

function isPair<K, V>(output: unknown): output is readonly [K | null, V | Tombstone] {
  return Array.isArray(output);
}

/** Encodes a key or a value; a codec may make a tombstone by `null`. */
function encode<T>(
  topic: string,
  of: "key" | "value",
  codec: Codec<T>,
  value: T,
): Uint8Array | null | Promise<Uint8Array | null> {
  try {
    const bytes = codec.encode(value);
    if (!(bytes instanceof Promise)) return checked(of, bytes);
    return bytes.then((bytes) => checked(of, bytes)).catch((error) => {
      throw notEncoded(topic, of, value, error);
    });
  } catch (error) {
    throw notEncoded(topic, of, value, error);
  }
}

function checked(of: "key" | "value", bytes: Uint8Array | null): Uint8Array | null {
  if (bytes !== null) assertBytes(bytes, `encode() of the ${of}'s codec returned something else`);
  return bytes;
}

function notEncoded(
  topic: string,
  of: "key" | "value",
  value: unknown,
  error: unknown,
): CodecError {
  const hint = value === null ? ", which is null (send tombstone to delete a key)" : "";
  return new CodecError(`Cannot encode the ${of} of a message${hint}`, { topic }, undefined, error);
}

const NO_HEADERS: readonly Header[] = [];

function toHeaders(topic: string, headers: OutgoingHeaders | undefined): readonly Header[] {
  if (headers === undefined) return NO_HEADERS;
  const entries = Symbol.iterator in Object(headers)
    ? [...headers as Iterable<readonly [string, string | Uint8Array | null]>]
    : Object.entries(headers);
  return entries.map((entry) => {
    if (!Array.isArray(entry) || entry.length !== 2 || typeof entry[0] !== "string") {
      throw new TypeError(
        `Cannot send to topic "${topic}": headers are names with values, got ${
          Deno.inspect(entry)
        }`,
      );
    }
    const [name, value] = entry;
    if (typeof value === "string") {
      checkText(value, `Cannot send header ${JSON.stringify(name)} to topic "${topic}"`);
      return [name, encoder.encode(value)];
    }
    if (value !== null) assertBytes(value, `Cannot send header "${name}" to topic "${topic}"`);
    return [name, value];
  });
}
