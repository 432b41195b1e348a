import { CodecError } from "../errors.ts";
import type { BrokerRecord } from "./broker.ts";
import type { TopicCodec } from "./codec.ts";

/** The codecs of a topic. */
export interface Codecs<K, V> {
  /** Of the keys. */
  readonly key: TopicCodec<K>;
  /** Of the values. */
  readonly value: TopicCodec<V>;
}

/** Not decoded yet. */
const RAW: unique symbol = Symbol("raw");

/** Decoding failed. */
class Failure {
  readonly error: CodecError;
  constructor(error: CodecError) {
    this.error = error;
  }
}

/**
 * A message of a topic. Key and value are decoded when they are first read, so that one that cannot be
 * decoded is an error of whoever reads it, with its place and its bytes.
 *
 * @typeParam K The keys.
 * @typeParam V The values. A tombstone has the value `null`, whatever the codec: say so in `V` where the
 * topic has them.
 */
export class Message<K = string, V = string> {
  /** The topic. */
  readonly topic: string;
  /** The partition. */
  readonly partition: number;
  /** The offset in the partition. */
  readonly offset: number;
  /** When it was produced, in milliseconds since the epoch. */
  readonly timestamp: number;
  readonly #record: BrokerRecord;
  readonly #codecs: Codecs<K, V>;
  #key: K | null | Failure | typeof RAW = RAW;
  #value: V | Failure | typeof RAW = RAW;
  #headers: ReadonlyMap<string, Uint8Array> | undefined;

  /** Makes the message of a record. */
  constructor(topic: string, partition: number, record: BrokerRecord, codecs: Codecs<K, V>) {
    this.topic = topic;
    this.partition = partition;
    this.offset = record.offset;
    this.timestamp = record.timestamp;
    this.#record = record;
    this.#codecs = codecs;
  }

  /**
   * The key; null when it has none.
   *
   * @throws {CodecError} If it cannot be decoded.
   */
  get key(): K | null {
    if (this.#key === RAW) this.#key = this.#decode("key") as K | null | Failure;
    if (this.#key instanceof Failure) throw this.#key.error;
    return this.#key;
  }

  /**
   * The value; null for a tombstone.
   *
   * @throws {CodecError} If it cannot be decoded.
   */
  get value(): V {
    if (this.#value === RAW) this.#value = this.#decode("value") as V | Failure;
    if (this.#value instanceof Failure) throw this.#value.error;
    return this.#value;
  }

  /** The headers by name; of a name that came more than once, the last. */
  get headers(): ReadonlyMap<string, Uint8Array> {
    return this.#headers ??= new Map(this.#record.headers);
  }

  /** The record as the broker keeps it: its bytes, and all its headers. */
  get record(): BrokerRecord {
    return this.#record;
  }

  /**
   * Decodes key and value now, and resolves when that is done, with or without an error; undefined when
   * neither codec answered with a promise.
   */
  decoded(): Promise<void> | undefined {
    const key = this.#key = this.#decode("key") as K | null | Failure;
    const value = this.#value = this.#decode("value") as V | Failure;
    if (!(key instanceof Promise) && !(value instanceof Promise)) return undefined;
    return (async () => {
      this.#key = await this.#settled("key", key);
      this.#value = await this.#settled("value", value) as V | Failure;
    })();
  }

  /** How a console shows it. */
  [Symbol.for("Deno.customInspect")](
    inspect: (value: unknown, options: unknown) => string,
    options: unknown,
  ): string {
    const { topic, partition, offset, timestamp } = this;
    const shown = (of: "key" | "value") => {
      try {
        return this[of];
      } catch {
        return this.#record[of];
      }
    };
    const fields = {
      topic,
      partition,
      offset,
      timestamp,
      key: shown("key"),
      value: shown("value"),
    };
    return `Message ${inspect(fields, options)}`;
  }

  #decode(of: "key" | "value"): unknown {
    const bytes = this.#record[of];
    if (bytes === null) return null;
    try {
      return this.#codecs[of].decode(bytes);
    } catch (error) {
      return this.#failure(of, error);
    }
  }

  async #settled<T>(of: "key" | "value", decoded: T | Promise<T>): Promise<T | Failure> {
    try {
      return await decoded;
    } catch (error) {
      return this.#failure(of, error);
    }
  }

  #failure(of: "key" | "value", error: unknown): Failure {
    const { topic, partition, offset } = this;
    const what = `Cannot decode the ${of} of a message`;
    return new Failure(
      new CodecError(what, { topic, partition, offset }, this.#record[of]!, error),
    );
  }
}
