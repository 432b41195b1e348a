import "../../deno_only.ts";
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
} from "../client/broker.ts";
import { clock, number, readOptions, type Rules } from "../../options.ts";
import { untilAlone } from "../client/alone.ts";
import { KafkaError } from "../client/errors.ts";
import { safeHandlers } from "../client/safe_handlers.ts";
import { MemoryGroup } from "./group.ts";
import { PartitionLog } from "./log.ts";
import { MemoryMembership } from "./membership.ts";
import { type Append, MemoryProducer } from "./producer.ts";

/** Options of a {@linkcode MemoryBroker}. */
export interface MemoryBrokerOptions {
  /** How many partitions a topic gets that is created without a number. @default {1} */
  partitions?: number | undefined;
  /** How many records a partition keeps; older ones are dropped. @default {100000} */
  maxRecords?: number | undefined;
  /** The most bytes of a record. @default {1048588} */
  maxMessageBytes?: number | undefined;
  /** The time. @default {systemClock} */
  clock?: Clock | undefined;
}

const RULES = {
  partitions: number({ least: 1, integer: true }),
  maxRecords: number({ least: 1, integer: true }),
  maxMessageBytes: number({ least: 1, integer: true }),
  clock,
} as const satisfies Rules<MemoryBrokerOptions>;

/**
 * Kafka in the memory of this process: partitions, offsets, timestamps, headers, and consumer groups that
 * rebalance and redeliver. Its content is lost when the process ends.
 *
 * - A key goes to the partition that the Java client would choose.
 * - A partition keeps `maxRecords` records. A reader that is further behind gets the status `"lost"`.
 * - Closing it ends its readers and writers and keeps the records.
 *
 * @example
 * ```ts
 * import { MemoryBroker } from "@slipstream/slipstream/memory";
 *
 * await using broker = new MemoryBroker();
 * await broker.ensure("emoji", { partitions: 2 });
 * ```
 */
export class MemoryBroker implements Broker {
  readonly #partitions: number;
  readonly #maxRecords: number;
  readonly #maxBytes: number;
  readonly #clock: Clock;
  readonly #topics = new Map<string, PartitionLog[]>();
  readonly #groups = new Map<string, MemoryGroup>();
  readonly #members = new Set<MemoryMembership>();
  readonly #producers = new Set<MemoryProducer>();

  /** Begins without topics. */
  constructor(options: MemoryBrokerOptions = {}) {
    const {
      partitions = 1,
      maxRecords = 100_000,
      maxMessageBytes = 1_048_588,
      clock = systemClock,
    } = readOptions("MemoryBroker", options, RULES);
    this.#partitions = partitions;
    this.#maxRecords = maxRecords;
    this.#maxBytes = maxMessageBytes;
    this.#clock = clock;
  }

  /** Joins a group as a reader of one topic. */
  join(options: JoinOptions, handlers: GroupHandlers): Promise<Membership> {
    return Promise.try(async () => {
      const { topic, groupId, exclusive, signal } = options;
      signal?.throwIfAborted();
      const group = this.#group(groupId);
      const logs = this.#logs(topic);
      const told = safeHandlers(handlers);
      const clock = this.#clock;
      if (exclusive && group.readers(topic).length > 0) {
        const readers = () => {
          const names = group.readers(topic).map(() => "one of this process");
          return Promise.resolve({ names, rebalancing: false });
        };
        await untilAlone(options, { readers, status: told.status, clock, signal });
      }
      const ended = () => void this.#members.delete(member);
      const member = new MemoryMembership({ clock, group, logs, ended }, options, told);
      this.#members.add(member);
      group.join(member);
      return member;
    });
  }

  /** Opens a writer to one topic. */
  producer(options: ProducerOptions): Promise<Producer> {
    return Promise.try(() => {
      const { topic, signal } = options;
      signal?.throwIfAborted();
      const logs = this.#logs(topic);
      const limits = () => ({
        topic,
        partitions: logs.length,
        maxBytes: this.#maxBytes,
      });
      const append: Append = (partition, record) => {
        const offset = logs[partition]!.append(record, this.#clock.now());
        this.#arrived(topic);
        return offset;
      };
      const ended = () => void this.#producers.delete(producer);
      const producer = new MemoryProducer(options, limits, append, ended);
      this.#producers.add(producer);
      return producer;
    });
  }

  /** Creates a topic; resolves to false when it was there already. */
  ensure(topic: string, spec: TopicSpec): Promise<boolean> {
    if (this.#topics.has(topic)) return Promise.resolve(false);
    this.#topics.set(topic, []);
    this.#grow(topic, spec.partitions ?? this.#partitions);
    return Promise.resolve(true);
  }

  /** Adds partitions to a topic, up to `partitions`; its groups rebalance. */
  async grow(topic: string, partitions: number): Promise<void> {
    this.#logs(topic);
    this.#grow(topic, partitions);
    const readers = [...this.#groups.values()].filter((group) => group.readers(topic).length > 0);
    await Promise.all(readers.map((group) => group.rebalance()));
  }

  #grow(topic: string, partitions: number): void {
    const logs = this.#topics.get(topic)!;
    while (logs.length < partitions) logs.push(new PartitionLog(this.#maxRecords));
  }

  /** Keeps only the last record of each key of a topic, as log compaction does: offsets get holes. */
  compact(topic: string): void {
    for (const log of this.#logs(topic)) log.compact();
  }

  /**
   * Leaves offsets at the end of a partition that no reader is shown, as those of aborted transactions, their
   * markers, and batches that compaction has emptied.
   */
  skip(topic: string, offsets: number, partition = 0): void {
    const log = this.#logs(topic)[partition];
    if (log === undefined || !Number.isSafeInteger(offsets) || offsets < 1) {
      throw new RangeError(
        `Cannot skip ${offsets} offsets of topic "${topic}" partition ${partition}`,
      );
    }
    log.skip(offsets);
    this.#arrived(topic);
  }

  /** How many partitions a topic has. */
  partitions(topic: string): Promise<number> {
    return Promise.try(() => this.#logs(topic).length);
  }

  /** The offsets at an instant, by partition. */
  offsets(topic: string, at: Instant): Promise<Positions> {
    return Promise.try(() =>
      new Map(
        this.#logs(topic).map((log, partition) => {
          if (typeof at === "object") return [partition, log.offsetAt(at.timestamp)];
          return [partition, at === "earliest" ? log.low : log.high];
        }),
      )
    );
  }

  /** What a group has committed, by partition. */
  committed(groupId: string, topic: string): Promise<Positions> {
    return Promise.resolve(this.#groups.get(groupId)?.committed(topic) ?? new Map());
  }

  /** Ends all readers and writers; the records stay. */
  async close(): Promise<void> {
    await Promise.all([...this.#members, ...this.#producers].map((open) => open.close()));
  }

  /** Ends all readers and writers; the records stay. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #arrived(topic: string): void {
    for (const member of this.#members) if (member.topic === topic) member.arrived();
  }

  #group(groupId: string): MemoryGroup {
    return this.#groups.getOrInsertComputed(
      groupId,
      () => new MemoryGroup((topic) => this.#topics.get(topic)?.length ?? 0),
    );
  }

  #logs(topic: string): PartitionLog[] {
    const logs = this.#topics.get(topic);
    if (logs) return logs;
    throw new KafkaError(`Cannot find topic "${topic}": it does not exist; ensure() creates it`, {
      topic,
    });
  }
}
