import { checkTopicOptions } from "../check_options.ts";
import type { Admin, Kafka } from "kafkajs";
import { type Clock, systemClock } from "../../clock.ts";
import type {
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
import { isConnectionFailure, toKafkaError, typeOf } from "./failures.ts";

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

interface Opened {
  readonly kafka: Kafka;
  readonly admin: Admin;
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
  #opened: Promise<Opened> | undefined;

  /** Connects on first use, with `options`. */
  constructor(options: KafkaBrokerOptions) {
    const { clock: _clock, ...given } = options;
    checkTopicOptions("the Kafka brokers", given);
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Joins a group as a reader of one topic. */
  async join(options: JoinOptions, handlers: GroupHandlers): Promise<Membership> {
    await this.#connect(options.signal, options.startTimeoutMs, handlers.status);
    await this.partitions(options.topic);
    const { createClient } = await import("./client.ts");
    const { KafkaMembership } = await import("./membership.ts");
    const { metadataMaxAge = 300_000 } = this.#options;
    const clock = this.#clock;
    // A client of its own: members of one group share, and spoil, what their client knows of offsets.
    const kafka = createClient(this.#options);
    const member = await KafkaMembership.join(kafka, options, handlers, clock, metadataMaxAge);
    this.#open.add(member);
    member.ended = () => void this.#open.delete(member);
    return member;
  }

  /** Opens a writer to one topic. */
  async producer(options: ProducerOptions): Promise<Producer> {
    const { kafka } = await this.#connect(undefined, options.startTimeoutMs, options.status);
    const { KafkaProducer } = await import("./producer.ts");
    const limits = () => this.#limits(options.topic);
    const producer = await KafkaProducer.open(kafka, options, limits, this.#clock);
    this.#open.add(producer);
    producer.ended = () => void this.#open.delete(producer);
    return producer;
  }

  /** Creates a topic; resolves to false when it was there already. */
  ensure(topic: string, spec: TopicSpec): Promise<boolean> {
    const { partitions, replication, config = {} } = spec;
    return this.#ask(`Cannot create topic "${topic}"`, topic, (admin) =>
      admin.createTopics({
        topics: [{
          topic,
          ...(partitions !== undefined && { numPartitions: partitions }),
          ...(replication !== undefined && { replicationFactor: replication }),
          configEntries: Object.entries(config).map(([name, value]) => ({ name, value })),
        }],
      }));
  }

  /** How many partitions a topic has. */
  partitions(topic: string): Promise<number> {
    return this.#ask(`Cannot find topic "${topic}"`, topic, async (admin) => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      return topics[0]!.partitions.length;
    });
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
    this.#closing.abort(new DOMException("The broker was closed", "AbortError"));
    await Promise.allSettled([...this.#open].map((open) => open.close()));
    const opened = await this.#opened?.catch(() => undefined);
    await opened?.admin.disconnect();
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

  async #ask<T>(what: string, topic: string, question: (admin: Admin) => Promise<T>): Promise<T> {
    try {
      const { admin } = await this.#connect();
      try {
        return await question(admin);
      } catch (error) {
        if (!isConnectionFailure(error)) throw error;
        this.#disconnect(admin);
        return await question((await this.#connect()).admin);
      }
    } catch (error) {
      // It is retriable to kafkajs, which has tried again.
      const unknown = typeOf(error) === "UNKNOWN_TOPIC_OR_PARTITION";
      throw toKafkaError(what, error, { topic, ...(unknown && { retriable: false }) });
    }
  }

  /** Gives up a connection that failed; the next question makes another. */
  #disconnect(admin: Admin): void {
    this.#opened = undefined;
    admin.disconnect().catch(() => {});
  }

  #connect(
    signal?: AbortSignal,
    startTimeoutMs = this.#options.startTimeoutMs ?? 60_000,
    status = this.#options.onStatus,
  ): Promise<Opened> {
    if (this.#closing.signal.aborted) throw new KafkaError("The broker is closed");
    const signals = signal ? [signal, this.#closing.signal] : [this.#closing.signal];
    return this.#opened ??= (async () => {
      const { createClient, reach } = await import("./client.ts");
      const kafka = createClient(this.#options);
      const admin = await reach(kafka, {
        clock: this.#clock,
        brokers: this.#options.brokers ?? [],
        startTimeoutMs,
        status,
        signal: AbortSignal.any(signals),
      });
      return { kafka, admin };
    })().catch((error) => {
      this.#opened = undefined;
      throw error;
    });
  }
}

function toPositions(found: readonly { partition: number; offset: string }[]): Positions {
  const positions = found.map(({ partition, offset }) => [partition, Number(offset)] as const);
  return new Map(positions.filter(([, offset]) => offset >= 0).toSorted(([a], [b]) => a - b));
}
