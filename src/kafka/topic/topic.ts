import "../../deno_only.ts";
import { systemClock } from "../../clock.ts";
import type { Codec } from "../../codecs/codec.ts";
import { TextCodec } from "../../codecs/text_codec.ts";
import { asPart, currentMessage } from "../../flow/run/attribution.ts";
import {
  type Feed,
  type FeedSource,
  openFeed,
  openSink,
  type SinkPort,
  type SinkTarget,
} from "../../flow/source/feed.ts";
import type { Host } from "../../flow/source/host.ts";
import { type Gate, gateOf } from "../../flow/source/gate.ts";
import type { Positions, Producer, RecordPlace, TopicSpec } from "../client/broker.ts";
import { redactText } from "../../redact.ts";
import type { Codecs, Keys, Message } from "./message.ts";
import { mergeOptions, redactOptions, type Settings, toSettings } from "./options.ts";
import type { TopicOptions } from "./topic_options.ts";
import { type OutgoingMessage, type TopicInput, toRecord } from "./outgoing.ts";
import { checkStartOffset, type SeekPosition } from "./positions.ts";
import { addSeek } from "./seeks.ts";
import { StatusTeller } from "./status_teller.ts";
import { TopicConnection } from "./topic_connection.ts";
import { TopicFeed } from "./topic_feed.ts";
import { iterate } from "./topic_iterator.ts";
import { TopicSink } from "./topic_sink.ts";

/** Where a partition begins and ends, and what its group has committed. */
export interface PartitionOffsets {
  /** The offset of the first record that is kept. */
  readonly low: number;
  /** The offset of the next record. */
  readonly high: number;
  /** The offset that the group has committed; undefined without a group or a commit. */
  readonly committed: number | undefined;
}

const text = new TextCodec();

/**
 * A Kafka topic: a source, a sink, and a target of `send()`.
 *
 * - As a source it is one member of its group. A message is committed once it, and all before it in its partition,
 *   are done; uncommitted messages are delivered again.
 * - In a loop, a message is done when the loop asks for the next one: `break` leaves the last one uncommitted.
 * - As a sink it takes `[key, value]` or a message. It sends in batches; the commit waits for their confirmation.
 * - Nothing is connected before the first use; `await using` or `close()` disconnects. A run, or a loop, closes what
 *   it has opened, and an idle topic does not keep the process running.
 *
 * @typeParam K The keys, as `keyCodec` decodes them.
 * @typeParam V The values, as `codec` decodes them.
 * @typeParam R `"required"` if each message has a key: the option `keys`.
 *
 * @example
 * ```ts
 * import { Topic } from "@slipstream/slipstream/kafka";
 * import { MemoryBroker } from "@slipstream/slipstream/memory";
 * import { assertEquals } from "@std/assert";
 *
 * await using broker = new MemoryBroker();
 * await using topic = new Topic("emoji", { broker, groupId: "demo", offset: "earliest" });
 * await topic.send({ key: "fish", value: "🐟" });
 * for await (const message of topic) {
 *   assertEquals([message.key, message.value], ["fish", "🐟"]);
 *   break;
 * }
 * ```
 */
export class Topic<K = string, V = string, R extends Keys = "optional">
  implements FeedSource<Message<K, V, R>>, SinkTarget<TopicInput<K, V>>, AsyncDisposable {
  /** Its name. */
  readonly name: string;
  /** Its messages are acknowledged by position. */
  readonly positioned = true;
  /** @internal */
  readonly keyed = true;
  /** @internal */
  readonly selfContained = true;
  readonly #given: TopicOptions<K, V, Keys>;
  readonly #settings: Settings<K, V>;
  readonly #codecs: Codecs<K, V>;
  readonly #sinks = new Set<SinkPort<TopicInput<K, V>>>();
  readonly #teller: StatusTeller;
  readonly #connection: TopicConnection<K, V>;
  #producer: Promise<Producer> | undefined;
  /** The calls of `send()` that have not settled, each with what aborts when nobody waits for it any more. */
  readonly #sending = new Set<{ readonly abandoned: AbortSignal | undefined }>();
  /** Looks whether the closing waits for a call that somebody waits for. */
  #look: () => void = () => {};
  #feed: TopicFeed<K, V> | undefined;
  #sought: readonly SeekPosition[] = [];
  #begun = false;
  #closed: Promise<void> | undefined;

  /**
   * Makes a topic; nothing is connected yet.
   *
   * @param name The name of the topic.
   * @param options Its options, over the defaults of its app.
   * @throws {TypeError} If an option has no such name or the wrong shape, or contradicts another.
   */
  constructor(name: string, options: TopicOptions<K, V, R> = {}) {
    if (typeof name !== "string" || !/^[\w.-]{1,249}$/.test(name)) {
      throw new TypeError(
        `Cannot name a topic "${
          redactText(String(name))
        }": use 1 to 249 of a-z, A-Z, 0-9, ".", "_", "-"`,
      );
    }
    this.name = name;
    this.#given = mergeOptions(name, options);
    this.#teller = new StatusTeller(name, this.#given.onStatus);
    this.#settings = { ...toSettings(name, this.#given), onStatus: this.#teller.tell };
    this.#connection = new TopicConnection(name, this.#settings);
    this.#codecs = {
      // Without a codec K and V are strings: it is what the type parameters default to.
      key: this.#settings.keyCodec ?? text as unknown as Codec<K>,
      value: this.#settings.codec ?? text as unknown as Codec<V>,
      keyRequired: this.#settings.keys === "required",
    };
  }

  /** The options that were given, here and as defaults, with `***` for secrets. */
  get config(): Record<string, unknown> {
    return redactOptions(this.#given);
  }

  /**
   * Sends one message and resolves to its place when the brokers have confirmed it; to -1 in a `dry` topic. In a flow
   * whose messages are acknowledged, it belongs to the message for which it is sent, awaited or not; elsewhere an
   * unawaited send is the caller's responsibility.
   *
   * @throws {KafkaError} If they refuse it, or do not confirm it within `deliveryTimeout`.
   * @throws {CodecError} If key or value cannot be encoded.
   */
  send(message: TopicInput<K, V> | OutgoingMessage<K, V>): Promise<RecordPlace> {
    return asPart(`send() to topic "${this.name}"`, () => this.#sendWatched(message));
  }

  async #sendWatched(message: TopicInput<K, V> | OutgoingMessage<K, V>): Promise<RecordPlace> {
    this.#connection.checkOpen();
    const failed = Promise.withResolvers<never>();
    const unwatch = this.#teller.watch(failed.reject);
    const call = { abandoned: currentMessage()?.pending.abandoned };
    this.#sending.add(call);
    try {
      return await Promise.race([failed.promise, this.#send(message)]);
    } finally {
      this.#sending.delete(call);
      this.#look();
      unwatch();
    }
  }

  async #send(message: TopicInput<K, V> | OutgoingMessage<K, V>): Promise<RecordPlace> {
    const record = await toRecord(this.name, message, this.#codecs);
    this.#producer ??= this.#connection.openProducer(0).catch((error) => {
      this.#producer = undefined;
      throw error;
    });
    return await (await this.#producer).send(record);
  }

  /**
   * Moves to another position, from now on: messages fetched before are not delivered any more. Before reading has
   * begun, it sets where to begin. Works while paused, and from inside a handler.
   *
   * @throws {RangeError} If an offset does not exist, or its partition is not read by this member.
   */
  async seek(position: SeekPosition): Promise<void> {
    checkStartOffset(`topic "${this.name}"`, position);
    if (this.#feed) await gateOf(this).seek(position);
    else this.#sought = addSeek(this.#sought, position);
  }

  /** Creates the topic if it is missing; resolves to true if it was created. */
  ensure(spec: TopicSpec = {}): Promise<boolean> {
    return this.#connection.ensure(spec);
  }

  /** Returns where each partition begins and ends, and what the group has committed. */
  async offsets(): Promise<Map<number, PartitionOffsets>> {
    const broker = await this.#connection.open();
    const { groupId } = this.#settings;
    const [low, high, committed] = await Promise.all([
      broker.offsets(this.name, "earliest"),
      broker.offsets(this.name, "latest"),
      groupId === undefined ? new Map<number, number>() : broker.committed(groupId, this.name),
    ]);
    const places = [...high].map(([partition, end]) =>
      [partition, {
        low: low.get(partition) ?? 0,
        high: end,
        committed: committed.get(partition),
      }] as const
    );
    return new Map(places);
  }

  /** Returns how many records of each partition the group has not committed. */
  async lag(): Promise<Positions> {
    const lags = [...await this.offsets()].map(([partition, { low, high, committed }]) =>
      [partition, high - Math.max(low, committed ?? low)] as const
    );
    return new Map(lags);
  }

  /**
   * Reads the topic: a message is acknowledged when the loop asks for the next one, so `break` leaves the last one
   * uncommitted, and the group gets it again. Each second, and at the end, all open caches of the process are
   * flushed and the positions committed.
   */
  [Symbol.asyncIterator](): AsyncGenerator<Message<K, V, R>, void, void> {
    const gate = gateOf(this);
    return iterate((host) => this[openFeed](host, gate), gate, systemClock);
  }

  /** Opens the topic as the source of a run. */
  [openFeed](host: Host, gate: Gate): Feed<Message<K, V, R>> {
    const { groupId } = this.#settings;
    this.#connection.checkOpen();
    if (groupId === undefined) {
      throw new TypeError(`Cannot read topic "${this.name}": give it a "groupId"`);
    }
    if (this.#feed) {
      throw new TypeError(`Cannot read topic "${this.name}" twice at once: create another Topic`);
    }
    const context = {
      topic: this.name,
      groupId,
      settings: this.#settings,
      codecs: this.#codecs,
      sought: this.#sought,
      first: !this.#begun,
      began: () => void (this.#begun = true),
      connect: (signal: AbortSignal) => this.#connection.open(signal),
      watchStatus: (fail: (error: unknown) => void) => this.#teller.watch(fail, host),
      ended: () => this.#feed = undefined,
    };
    this.#sought = [];
    const feed = this.#feed = new TopicFeed(context, host, gate);
    return feed as Feed<unknown> as Feed<Message<K, V, R>>;
  }

  /** Opens the topic as a sink of a run. */
  [openSink](host: Host): SinkPort<TopicInput<K, V>> {
    this.#connection.checkOpen();
    const unwatch = this.#teller.watch((error) => host.fail(error), host);
    const sink: TopicSink<K, V> = new TopicSink({
      open: () => this.#connection.openProducer(this.#settings.linger, host.signal),
      toRecord: (output) => toRecord(this.name, output, this.#codecs),
      closed: () => {
        unwatch();
        this.#sinks.delete(sink);
      },
      deliveryTimeoutMs: this.#settings.deliveryTimeout,
      signal: host.signal,
    });
    this.#sinks.add(sink);
    return sink;
  }

  /**
   * Ends the reading and the writing, and disconnects; a broker that was given stays open. What is being sent is
   * waited for, except by handlers of an app that was ended at once, where messages are acknowledged: these get them
   * again. Calls that wait for a connection stop waiting.
   */
  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  async #close(): Promise<void> {
    this.#connection.end();
    const producer = this.#producer?.then((opened) => opened, () => undefined);
    const ends = await Promise.allSettled([
      this.#feed?.cancel(),
      ...[...this.#sinks].map((sink) => sink.close?.()),
      producer?.then((opened) => opened && this.#closeProducer(opened)),
    ]);
    await this.#connection.close();
    const failed = ends.find((end) => end.status === "rejected");
    if (failed) throw failed.reason;
  }

  /** Closes the producer; once all that is being sent is for runs that were ended at once, it is dropped. */
  async #closeProducer(producer: Producer): Promise<void> {
    const [dropping, closed] = [new AbortController(), new AbortController()];
    const { signal } = closed;
    this.#look = () => {
      const calls = [...this.#sending];
      if (calls.every(({ abandoned }) => abandoned?.aborted)) dropping.abort();
    };
    const abandoned = new Set([...this.#sending].map(({ abandoned }) => abandoned));
    for (const each of abandoned) each?.addEventListener("abort", this.#look, { signal });
    this.#look();
    try {
      await producer.close(dropping.signal);
    } finally {
      closed.abort();
    }
  }

  /** Ends the reading and the writing, and disconnects. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
