import type { Codec } from "../../codecs/codec.ts";
import { CodecError } from "../../errors.ts";
import type { BrokerRecord } from "../client/broker.ts";
import { tombstone } from "../../tombstone.ts";

/** The codecs of a topic. */
export interface Codecs<K, V> {
  /** Of the keys. */
  readonly key: Codec<K>;
  /** Of the values. */
  readonly value: Codec<V>;
  /** True where a message without a key is an error. */
  readonly keyRequired?: boolean;
}

/** Whether each message of a topic has a key. */
export type Keys = "optional" | "required";

/** Where records come from. */
export interface Origin {
  /** The topic. */
  readonly topic: string;
  /** The partition. */
  readonly partition: number;
}

/** Not decoded yet. */
const RAW: unique symbol = Symbol("raw");

/**
 * A message of a topic. Key and value are decoded when they are first read, or before, where a codec may
 * answer with a promise. Reading one that cannot be decoded throws, with its place and its bytes.
 *
 * @typeParam K The keys.
 * @typeParam V The values. A deletion has the value {@linkcode tombstone}, whatever the codec: add {@linkcode
 * Tombstone} to `V` if the topic has deletions.
 * @typeParam R `"required"` if each message has a key.
 */
export class Message<K = string, V = string, R extends Keys = "optional"> {
  readonly #origin: Origin;
  readonly #record: BrokerRecord;
  readonly #codecs: Codecs<K, V>;
  #key: K | null | typeof RAW = RAW;
  #value: V | typeof RAW = RAW;
  #failed: { key?: CodecError; value?: CodecError } | undefined;

  /** Makes the message of a record. */
  constructor(origin: Origin, record: BrokerRecord, codecs: Codecs<K, V>) {
    this.#origin = origin;
    this.#record = record;
    this.#codecs = codecs;
  }

  /** The topic. */
  get topic(): string {
    return this.#origin.topic;
  }

  /** The partition. */
  get partition(): number {
    return this.#origin.partition;
  }

  /** The offset in the partition. */
  get offset(): number {
    return this.#record.offset;
  }

  /** When it was produced, in milliseconds since the epoch. */
  get timestamp(): number {
    return this.#record.timestamp;
  }

  /**
   * The key; null when it has none, unless the topic has `keys: "required"`.
   *
   * @throws {CodecError} If it cannot be decoded, or is required and missing.
   */
  get key(): R extends "required" ? K : K | null {
    return this.#readKey() as R extends "required" ? K : K | null;
  }

  #readKey(): K | null {
    if (this.#key !== RAW) return this.#key;
    if (this.#failed?.key) throw this.#failed.key;
    const bytes = this.#record.key;
    try {
      if (bytes === null && this.#codecs.keyRequired) {
        throw new TypeError('it has none, and the topic has keys: "required"');
      }
      return this.#key = bytes === null ? null : this.#codecs.key.decode(bytes) as K;
    } catch (error) {
      throw this.#fail("key", error);
    }
  }

  /**
   * The value; {@linkcode tombstone} if the message deletes its key.
   *
   * @throws {CodecError} If it cannot be decoded.
   */
  get value(): V {
    if (this.#value !== RAW) return this.#value;
    if (this.#failed?.value) throw this.#failed.value;
    const bytes = this.#record.value;
    try {
      return this.#value = (bytes === null ? tombstone : this.#codecs.value.decode(bytes)) as V;
    } catch (error) {
      throw this.#fail("value", error);
    }
  }

  /**
   * The headers by name, in the order of the record, which is Kafka's own: that in which they were written
   * (kafkajs puts names that are array indices before the others). If a name comes more than once, the last one
   * counts; null for a header without a value.
   */
  get headers(): ReadonlyMap<string, Uint8Array | null> {
    return new Map(this.#record.headers);
  }

  /** The record as the broker stores it: its bytes, and all its headers. */
  get record(): BrokerRecord {
    return this.#record;
  }

  /**
   * Decodes key and value now, unless their codecs are synchronous: those decode when key or value is first read.
   * Resolves when it is done, with or without an error; undefined when no codec returned a promise.
   */
  decoded(): Promise<void> | undefined {
    const { key: keyCodec, value: valueCodec } = this.#codecs;
    const key = keyCodec.synchronous ? undefined : this.#read("key");
    const value = valueCodec.synchronous ? undefined : this.#read("value");
    if (!(key instanceof Promise) && !(value instanceof Promise)) return undefined;
    return Promise.all([
      key instanceof Promise ? this.#settle("key", key) : undefined,
      value instanceof Promise ? this.#settle("value", value) : undefined,
    ]).then(() => {});
  }

  /** How a console shows it. */
  [Symbol.for("Deno.customInspect")](
    inspect: (value: unknown, options: unknown) => string,
    options: unknown,
  ): string {
    const { topic, partition, offset, timestamp } = this;
    const { key: keyBytes, value: valueBytes } = this.#record;
    const fields = {
      topic,
      partition,
      offset,
      timestamp,
      key: this.#read("key") ?? keyBytes,
      value: this.#read("value") ?? valueBytes,
    };
    return `Message ${inspect(fields, options)}`;
  }

  /** Key or value as the codec answered; undefined where it failed. */
  #read(of: "key" | "value"): unknown {
    try {
      return this[of];
    } catch {
      return undefined;
    }
  }

  async #settle(of: "key" | "value", decoding: Promise<unknown>): Promise<void> {
    let decoded: unknown = RAW;
    try {
      decoded = await decoding;
    } catch (error) {
      this.#fail(of, error);
    }
    if (of === "key") this.#key = decoded as K | typeof RAW;
    else this.#value = decoded as V | typeof RAW;
  }

  #fail(of: "key" | "value", error: unknown): CodecError {
    const { topic, partition, offset } = this;
    const what = `Cannot decode the ${of} of a message`;
    const place = { topic, partition, offset };
    const failure = new CodecError(what, place, this.#record[of] ?? undefined, error, this);
    this.#failed = { ...this.#failed, [of]: failure };
    return failure;
  }
}
