import { checkTopicOptions } from "../check_options.ts";
import type { Admin, Kafka } from "kafkajs";
import { type Clock, systemClock } from "../../clock.ts";
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
} from "../broker.ts";
import type { ConnectionOptions } from "../connection.ts";
import { KafkaError } from "../errors.ts";
import type { TopicLimits } from "../record_check.ts";
import type { BrokerStatus } from "../status.ts";
import { guarded } from "../guarded.ts";
import { abortable, settledWithin } from "../patience.ts";
import { isConnectionFailure, toKafkaError, typeOf } from "./failures.ts";
import { Opening, type Wait } from "./opening.ts";

/** With what a {@linkcode KafkaBroker} is made. */
export interface KafkaBrokerOptions extends ConnectionOptions {
  /** Milliseconds that the first connection may take. @default {60000} */
  startTimeoutMs?: number | undefined;
  /** Is told when the brokers cannot be reached. */
  onStatus?: ((status: BrokerStatus) => void) | undefined;
  /** The time. @default {systemClock} */
  clock?: Clock | undefined;
}

/** The most bytes of a record batch, where the topic's configuration cannot be read. */
const DEFAULT_MAX_BYTES = 1_048_588;

/** The kind of resource by which the protocol names a topic. */
const TOPIC_RESOURCE = 2;

/** How long closing waits for a connection that is just being opened, or does not answer. */
const CLOSE_MS = 1_000;

interface Opened {
  readonly kafka: Kafka;
  readonly admin: Admin;
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
  readonly #options: KafkaBrokerOptions;
  readonly #clock: Clock;
  readonly #closing = new AbortController();
  readonly #open = new Set<Membership | Producer>();
  #opening: Opening<Opened> | undefined;

  /** Connects on first use, with `options`. */
  constructor(options: KafkaBrokerOptions) {
    const { clock: _clock, ...given } = options;
    checkTopicOptions("the Kafka brokers", given);
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Joins a group as a reader of one topic. */
  async join(options: JoinOptions, handlers: GroupHandlers): Promise<Membership> {
    const signal = this.#signal(options.signal);
    const told = guarded(handlers);
    await this.#connect({ ...options, status: told.status, signal });
    await this.partitions(options.topic, { signal });
    const { createClient } = await import("./client.ts");
    const { KafkaMembership } = await import("./membership.ts");
    const { metadataMaxAge = 300_000 } = this.#options;
    // A client of its own: members of one group share, and spoil, what their client knows of offsets.
    const kafka = createClient(this.#options);
    const context = { kafka, handlers: told, clock: this.#clock, metadataMaxAge };
    return await this.#keep(await KafkaMembership.join(context, { ...options, signal }));
  }

  /** Opens a writer to one topic. */
  async producer(options: ProducerOptions): Promise<Producer> {
    const signal = this.#signal(options.signal);
    const { kafka } = await this.#connect({ ...options, signal });
    const { KafkaProducer } = await import("./producer.ts");
    const limits = () => this.#limits(options.topic);
    return await this.#keep(
      await KafkaProducer.open(kafka, { ...options, signal }, limits, this.#clock),
    );
  }

  async #keep<T extends Membership | Producer>(opened: T & { ended: () => void }): Promise<T> {
    if (this.#closing.signal.aborted) await opened.close();
    this.#closing.signal.throwIfAborted();
    this.#open.add(opened);
    opened.ended = () => void this.#open.delete(opened);
    return opened;
  }

  /** Creates a topic; resolves to false when it was there already. */
  ensure(topic: string, spec: TopicSpec, { signal }: AskOptions = {}): Promise<boolean> {
    const { partitions, replication, config = {} } = spec;
    return this.#ask(`Cannot create topic "${topic}"`, topic, (admin) =>
      admin.createTopics({
        topics: [{
          topic,
          ...(partitions !== undefined && { numPartitions: partitions }),
          ...(replication !== undefined && { replicationFactor: replication }),
          configEntries: Object.entries(config).map(([name, value]) => ({ name, value })),
        }],
      }), this.#signal(signal));
  }

  /** How many partitions a topic has. */
  partitions(topic: string, { signal }: AskOptions = {}): Promise<number> {
    return this.#ask(`Cannot find topic "${topic}"`, topic, async (admin) => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      return topics[0]!.partitions.length;
    }, this.#signal(signal));
  }

  /** The offsets at an instant, by partition. */
  offsets(topic: string, at: Instant): Promise<Positions> {
    return this.#ask(`Cannot find the offsets of topic "${topic}"`, topic, async (admin) => {
      if (typeof at === "object") {
        return toPositions(await admin.fetchTopicOffsetsByTimestamp(topic, at.timestamp));
      }
      const found = await admin.fetchTopicOffsets(topic);
      return toPositions(found.map(({ partition, low, high }) => ({
        partition,
        offset: at === "earliest" ? low : high,
      })));
    });
  }

  /** What a group has committed, by partition. */
  committed(groupId: string, topic: string): Promise<Positions> {
    return this.#ask(`Cannot find the positions of group "${groupId}"`, topic, async (admin) => {
      const [found] = await admin.fetchOffsets({ groupId, topics: [topic] });
      return toPositions(found?.partitions ?? []);
    });
  }

  /** Closes everything that was opened. */
  async close(): Promise<void> {
    this.#closing.abort(new KafkaError("Cannot use the Kafka brokers as they are closed"));
    await Promise.allSettled([...this.#open].map((open) => open.close()));
    const disconnected = this.#opening?.opened.then(({ admin }) => admin.disconnect());
    if (disconnected) await settledWithin(this.#clock, CLOSE_MS, disconnected);
  }

  /** Closes everything that was opened. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #limits(topic: string): Promise<TopicLimits> {
    const partitions = await this.partitions(topic);
    const { admin } = await this.#connect();
    const configNames = ["max.message.bytes"];
    const query = {
      resources: [{ type: TOPIC_RESOURCE, name: topic, configNames }],
      includeSynonyms: false,
    };
    // Reading it takes a permission that writing does not.
    const found = await admin.describeConfigs(query).catch(() => undefined);
    const bytes = Number(found?.resources[0]?.configEntries[0]?.configValue ?? DEFAULT_MAX_BYTES);
    return { topic, partitions, maxBytes: bytes };
  }

  async #ask<T>(
    what: string,
    topic: string,
    question: (admin: Admin) => Promise<T>,
    signal = this.#closing.signal,
  ): Promise<T> {
    const ask = ({ admin }: Opened) => abortable(question(admin), signal);
    try {
      const opened = await this.#connect({ signal });
      try {
        return await ask(opened);
      } catch (error) {
        if (signal.aborted || !isConnectionFailure(error)) throw error;
        opened.discard();
        return await ask(await this.#connect({ signal }));
      }
    } catch (error) {
      signal.throwIfAborted();
      // It is retriable to kafkajs, which has tried again.
      const unknown = typeOf(error) === "UNKNOWN_TOPIC_OR_PARTITION";
      throw toKafkaError(what, error, { topic, ...(unknown && { retriable: false }) });
    }
  }

  /** Returns what ends the waiting of a caller. */
  #signal(signal: AbortSignal | undefined): AbortSignal {
    const { signal: closing } = this.#closing;
    return signal ? AbortSignal.any([signal, closing]) : closing;
  }

  async #connect(wait: Partial<Wait> = {}): Promise<Opened> {
    const { brokers = [], startTimeoutMs = 60_000, onStatus } = this.#options;
    const { status = onStatus, signal = this.#closing.signal } = wait;
    const ms = wait.startTimeoutMs ?? startTimeoutMs;
    signal.throwIfAborted();
    if (!this.#opening || this.#opening.abandoned) this.#opening = this.#begin();
    return await this.#opening.wait({ startTimeoutMs: ms, status, signal }, (error) => {
      const what = `Cannot connect to ${brokers} after ${ms} ms`;
      return toKafkaError(what, error ?? new Error("no answer"), { retriable: true });
    });
  }

  #begin(): Opening<Opened> {
    const forget = () => {
      if (this.#opening === opening) this.#opening = undefined;
    };
    const opening = new Opening<Opened>(this.#clock, async (attempt) => {
      const { createClient, reach } = await import("./client.ts");
      const kafka = createClient(this.#options);
      const admin = await reach(kafka, this.#options, this.#clock, attempt);
      const discard = () => {
        forget();
        admin.disconnect().catch(() => {});
      };
      return { kafka, admin, discard };
    });
    opening.opened.catch(forget);
    return opening;
  }
}

function toPositions(found: readonly { partition: number; offset: string }[]): Positions {
  const positions = found.map(({ partition, offset }) => [partition, Number(offset)] as const);
  return new Map(positions.filter(([, offset]) => offset >= 0).toSorted(([a], [b]) => a - b));
}
