import { type ReadTopicOptions, readTopicOptions } from "../topic/check_options.ts";
import type { Admin } from "kafkajs";
import {
  abortable,
  type Clock,
  delay,
  linked,
  type LinkedSignal,
  systemClock,
} from "../../clock.ts";
import type {
  AskOptions,
  Broker,
  GroupHandlers,
  Instant,
  JoinOptions,
  Membership,
  Positions,
  Producer,
  ProducerOptions,
  TopicSpec,
} from "../client/broker.ts";
import type { Duration } from "../../duration.ts";
import type { ConnectionOptions } from "../client/connection.ts";
import { KafkaError } from "../client/errors.ts";
import type { TopicLimits } from "../client/record_check.ts";
import type { BrokerStatus } from "../client/status.ts";
import { type Readers, untilAlone } from "../client/alone.ts";
import { safeHandlers } from "../client/safe_handlers.ts";
import { isConnectionFailure, isNotYet, toKafkaError, typeOf } from "./failures.ts";
import { SharedConnect, type Wait } from "./shared_connect.ts";
import { askPermissions } from "./permissions.ts";
import { checkKnown, createTopic, partitionsOf } from "./topics.ts";

/** Options of a {@linkcode KafkaBroker}. */
export interface KafkaBrokerOptions extends ConnectionOptions {
  /** How long the first connection may take. @default {60_000} */
  startTimeout?: Duration | undefined;
  /** Called when the brokers cannot be reached. */
  onStatus?: ((status: BrokerStatus) => void) | undefined;
  /** The time. @default {systemClock} */
  clock?: Clock | undefined;
}

/** The most bytes of a record batch, where the topic's configuration cannot be read. */
const DEFAULT_MAX_BYTES = 1_048_588;

/** The kind of resource by which the protocol names a topic. */
const TOPIC_RESOURCE = 2;

/** How long a question is asked again that the brokers cannot answer yet, and how often. */
const NOT_YET_MS = 10_000, NOT_YET_PAUSE_MS = 100;

interface OpenAdmin {
  readonly admin: Admin;
  /** Keeps the process running while something is asked; returns what ends that. */
  readonly use: () => () => void;
  /** Disconnects. */
  readonly end: () => Promise<void>;
  /** Gives up a connection that failed; whoever needs one next makes another. */
  readonly discard: () => void;
}

/**
 * Kafka, through kafkajs; nothing is loaded or connected before the first use.
 *
 * @example
 * ```ts ignore
 * import { KafkaBroker } from "@slipstream/slipstream/kafka";
 *
 * await using broker = new KafkaBroker({ brokers: ["localhost:9092"] });
 * await broker.ensure("emoji", { partitions: 4 });
 * ```
 */
export class KafkaBroker implements Broker {
  readonly #options: ReadTopicOptions<KafkaBrokerOptions>;
  readonly #clock: Clock;
  readonly #closing = new AbortController();
  readonly #open = new Set<Membership | Producer>();
  #opening: SharedConnect<OpenAdmin> | undefined;
  /** How many requests are in flight. */
  #asking = 0;

  /** Connects on first use, with `options`. */
  constructor(options: KafkaBrokerOptions) {
    const { clock = systemClock, ...given } = options;
    this.#options = readTopicOptions<KafkaBrokerOptions>("the Kafka brokers", given);
    this.#clock = clock;
  }

  /** Joins a group as a reader of one topic. */
  async join(options: JoinOptions, handlers: GroupHandlers): Promise<Membership> {
    using until = this.#until(options.signal);
    const { signal } = until;
    const told = safeHandlers(handlers);
    await this.#connect({ ...options, status: told.status, signal });
    await this.partitions(options.topic, { signal });
    const { createClient } = await import("./client.ts");
    const { KafkaMembership } = await import("./membership.ts");
    if (options.exclusive) {
      const { status } = told;
      const readers = () => this.#readers(options.groupId, options.topic, signal);
      await untilAlone(options, { readers, status, clock: this.#clock, signal });
    }
    const { metadataMaxAge = 300_000 } = this.#options;
    // A client of its own: members of one group share, and spoil, what their client knows of offsets.
    const client = createClient(this.#options);
    const context = { client, handlers: told, clock: this.#clock, metadataMaxAge };
    return await this.#keep(await KafkaMembership.join(context, { ...options, signal }));
  }

  /** Opens a writer to one topic. */
  async producer(options: ProducerOptions): Promise<Producer> {
    using until = this.#until(options.signal);
    const { signal } = until;
    await this.#connect({ ...options, signal });
    const { createClient } = await import("./client.ts");
    const { KafkaProducer } = await import("./producer.ts");
    const client = () => createClient(this.#options);
    const limits = () => this.#limits(options.topic);
    return await this.#keep(
      await KafkaProducer.open(client, { ...options, signal }, limits, this.#clock),
    );
  }

  async #keep<T extends Membership | Producer>(
    opened: T & { ended: () => Promise<void> },
  ): Promise<T> {
    if (this.#closing.signal.aborted) await opened.close();
    this.#closing.signal.throwIfAborted();
    this.#open.add(opened);
    opened.ended = () => {
      this.#open.delete(opened);
      return this.#rest();
    };
    return opened;
  }

  /** Disconnects when nothing is read, written or asked; whoever asks next connects again. */
  async #rest(): Promise<void> {
    if (this.#open.size > 0 || this.#asking > 0) return;
    const opening = this.#opening;
    this.#opening = undefined;
    await opening?.opened.then(({ end }) => end(), () => {});
  }

  /** Creates a topic; resolves to false when it was there already. */
  async ensure(topic: string, spec: TopicSpec, options: AskOptions = {}): Promise<boolean> {
    const what = `Cannot create topic "${topic}"`;
    using until = this.#until(options.signal);
    const { signal } = until;
    const created = await this.#ask(what, topic, (it) => createTopic(it, topic, spec), signal);
    const count = created ? spec.partitions : undefined;
    await this.#ask(what, topic, (admin) => checkKnown(admin, topic, count), signal);
    return created;
  }

  /** How many partitions a topic has. */
  async partitions(topic: string, options: AskOptions = {}): Promise<number> {
    using until = this.#until(options.signal);
    const count = async (admin: Admin) => (await partitionsOf(admin, topic)).length;
    return await this.#ask(`Cannot find topic "${topic}"`, topic, count, until.signal);
  }

  /** The offsets at an instant, by partition. */
  async offsets(topic: string, at: Instant, options: AskOptions = {}): Promise<Positions> {
    using until = this.#until(options.signal);
    const what = `Cannot find the offsets of topic "${topic}"`;
    return await this.#ask(what, topic, async (admin) => {
      if (typeof at === "object") {
        return toPositions(await admin.fetchTopicOffsetsByTimestamp(topic, at.timestamp));
      }
      const found = await admin.fetchTopicOffsets(topic);
      return toPositions(found.map(({ partition, low, high }) => ({
        partition,
        offset: at === "earliest" ? low : high,
      })));
    }, until.signal);
  }

  /** The committed positions of a group, by partition. */
  committed(groupId: string, topic: string): Promise<Positions> {
    return this.#ask(`Cannot find the positions of group "${groupId}"`, topic, async (admin) => {
      const [found] = await admin.fetchOffsets({ groupId, topics: [topic] });
      return toPositions(found?.partitions ?? []);
    });
  }

  /** The members of a group that read a topic, or may be about to. */
  #readers(groupId: string, topic: string, signal: AbortSignal): Promise<Readers> {
    const what = `Cannot find the members of group "${groupId}"`;
    return this.#ask(what, topic, async (admin) => {
      const { mayRead } = await import("./assigner.ts");
      const { groups: [group] } = await admin.describeGroups([groupId]);
      const members = group?.members.filter((it) => mayRead(topic, it.memberMetadata)) ?? [];
      return {
        names: members.map(({ memberId, clientHost }) => `"${memberId}" on ${clientHost}`),
        rebalancing: group?.state !== "Stable",
      };
    }, signal);
  }

  /** Closes everything that was opened. */
  async close(): Promise<void> {
    this.#closing.abort(new KafkaError("Cannot use the Kafka brokers as they are closed"));
    await Promise.allSettled([...this.#open].map((open) => open.close()));
    await this.#opening?.opened.then(({ end }) => end(), () => {});
  }

  /** Closes everything that was opened. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #limits(topic: string): Promise<TopicLimits> {
    const partitions = await this.partitions(topic);
    const configNames = ["max.message.bytes"];
    const query = {
      resources: [{ type: TOPIC_RESOURCE, name: topic, configNames }],
      includeSynonyms: false,
    };
    // Reading it takes a permission that writing does not.
    const ask = (admin: Admin) => admin.describeConfigs(query).catch(() => undefined);
    const found = await this.#ask(`Cannot find the limits of topic "${topic}"`, topic, ask);
    const bytes = Number(found?.resources[0]?.configEntries[0]?.configValue ?? DEFAULT_MAX_BYTES);
    return { topic, partitions, maxBytes: bytes };
  }

  async #ask<T>(
    what: string,
    topic: string,
    question: (admin: Admin) => Promise<T>,
    signal = this.#closing.signal,
  ): Promise<T> {
    const until = this.#clock.monotonic() + NOT_YET_MS;
    try {
      for (let renewed = false;;) {
        const opened = await this.#connect({ signal });
        const unused = opened.use();
        this.#asking++;
        try {
          return await abortable(question(opened.admin), signal);
        } catch (error) {
          if (signal.aborted) throw error;
          if (isConnectionFailure(error)) {
            if (renewed) throw error;
            renewed = true;
            opened.discard();
            continue;
          }
          if (!isNotYet(error) || this.#clock.monotonic() >= until) throw error;
        } finally {
          this.#asking--;
          unused();
        }
        await delay(this.#clock, NOT_YET_PAUSE_MS, signal);
      }
    } catch (error) {
      signal.throwIfAborted();
      // It is retriable to kafkajs, which has tried again.
      const unknown = typeOf(error) === "UNKNOWN_TOPIC_OR_PARTITION";
      if (!unknown) throw toKafkaError(what, error, { topic });
      throw new KafkaError(`${what}: it does not exist; ensure() creates it`, {
        topic,
        cause: error,
      });
    }
  }

  /** Returns what ends the waiting of a caller. */
  #until(signal: AbortSignal | undefined): LinkedSignal {
    return linked([signal, this.#closing.signal]);
  }

  async #connect(wait: Partial<Wait> = {}): Promise<OpenAdmin> {
    const { brokers = [], startTimeout = 60_000, onStatus } = this.#options;
    const { status = onStatus, signal = this.#closing.signal } = wait;
    const ms = wait.startTimeoutMs ?? startTimeout;
    signal.throwIfAborted();
    if (!this.#opening || this.#opening.abandoned) this.#opening = this.#begin();
    return await this.#opening.wait({ startTimeoutMs: ms, status, signal }, (error) => {
      const what = `Cannot connect to ${brokers} after ${ms} ms`;
      return toKafkaError(what, error ?? new Error("no answer"), { retriable: true });
    });
  }

  #begin(): SharedConnect<OpenAdmin> {
    const forget = () => {
      if (this.#opening === opening) this.#opening = undefined;
    };
    const opening = new SharedConnect<OpenAdmin>(this.#clock, async (attempt) => {
      askPermissions(this.#options.brokers ?? []);
      const { createClient, reach } = await import("./client.ts");
      const client = createClient(this.#options);
      const admin = await reach(client, this.#options, this.#clock, attempt);
      const { lifetime } = client;
      const use = () => lifetime.use();
      const end = () => lifetime.close(this.#clock, admin.disconnect());
      const discard = () => {
        forget();
        void end();
      };
      return { admin, use, end, discard };
    });
    opening.opened.catch(forget);
    return opening;
  }
}

function toPositions(found: readonly { partition: number; offset: string }[]): Positions {
  const positions = found.map(({ partition, offset }) => [partition, Number(offset)] as const);
  return new Map(positions.filter(([, offset]) => offset >= 0).toSorted(([a], [b]) => a - b));
}
