import type { Cluster } from "kafkajs";
import type { Clock } from "../../clock.ts";
import type { ProducerOptions } from "../client/broker.ts";
import { KafkaError } from "../client/errors.ts";
import { type BrokerConnection, forgetBroker } from "./cluster.ts";
import type { Answered } from "./deliveries.ts";
import { isConnectionFailure, typeOf } from "./failures.ts";
import type { Batch } from "./partition_queue.ts";
import { type PartitionBatch, produce } from "./produce_request.ts";
import type { Sequences } from "./sequences.ts";

const NO_LEADER = new KafkaError("the partition has no leader", { retriable: true });

/** A broker must be told; without transactions it means nothing. */
const TRANSACTION_TIMEOUT_MS = 60_000;

/**
 * Sends batches to the leaders of their partitions, over one client of kafkajs.
 *
 * - What is sent while something else is in flight follows it on the same connection, in order.
 */
export class Sender {
  readonly #cluster: Cluster;
  readonly #options: Pick<ProducerOptions, "topic" | "compression">;
  readonly #sequences: Sequences;
  readonly #clock: Clock;
  /** Settles when all leaders that have been asked for are known. */
  #finding: Promise<void> = Promise.resolve();
  /** Settle, by leader, when all requests to it have been passed to its connection. */
  readonly #passing = new Map<number, Promise<void>>();
  /** Whether a leader was not where it was thought to be. */
  #stale = false;

  /** Sends over the connections of `cluster`, with the numbers of `sequences`, which outlive it. */
  constructor(
    cluster: Cluster,
    options: Pick<ProducerOptions, "topic" | "compression">,
    sequences: Sequences,
    clock: Clock,
  ) {
    this.#cluster = cluster;
    this.#options = options;
    this.#sequences = sequences;
    this.#clock = clock;
  }

  /** Connects, and learns who leads the partitions. */
  async connect(): Promise<void> {
    await this.#cluster.connect();
    await this.#cluster.addTargetTopic(this.#options.topic);
  }

  /** Returns whether a broker is connected: else another client may reach others. */
  get isConnected(): boolean {
    return this.#cluster.isConnected();
  }

  /** Ends the connections. */
  disconnect(): Promise<void> {
    return this.#cluster.disconnect();
  }

  /**
   * Sends a batch to each of some partitions, once, and tells `answered` what became of each as soon as it is
   * known. Resolves when all brokers have answered, or have failed to. Once `signal` aborts nothing is sent.
   */
  async send(
    batches: ReadonlyMap<number, Batch>,
    answered: Answered,
    signal: AbortSignal,
  ): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const before = this.#finding;
    this.#finding = promise;
    const sending: Promise<void>[] = [];
    try {
      await before;
      for (const [leader, led] of await this.#byLeader(batches, answered, signal)) {
        sending.push(this.#sendTo(leader, led, answered, signal));
      }
    } finally {
      resolve();
    }
    await Promise.all(sending);
  }

  /** Gives numbers to batches that have none, and groups all by who leads their partitions now. */
  async #byLeader(
    batches: ReadonlyMap<number, Batch>,
    answered: Answered,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<number, readonly PartitionBatch[]>> {
    signal.throwIfAborted();
    await this.#refresh();
    signal.throwIfAborted();
    const unnumbered = batches.entries().filter(([, { producer }]) => producer === undefined)
      .map(([partition]) => partition);
    if (this.#sequences.needsId(unnumbered)) {
      const id = await this.#newId();
      signal.throwIfAborted();
      this.#sequences.give(id);
    }
    const leaders = new Map(
      this.#cluster.findTopicPartitionMetadata(this.#options.topic)
        .map(({ partitionId, leader }) => [partitionId, leader]),
    );
    const led = new Map<number, PartitionBatch[]>();
    for (const [partition, batch] of batches) {
      const { entries } = batch;
      const producer = batch.producer ??= this.#sequences.take(partition, entries.length)!;
      const leader = leaders.get(partition) ?? -1;
      if (leader < 0) {
        this.#stale = true;
        answered(new Map([[partition, { error: NO_LEADER }]]));
        continue;
      }
      const records = entries.map((entry) => entry.record);
      led.getOrInsertComputed(leader, () => []).push({ partition, producer, records });
    }
    return led;
  }

  async #sendTo(
    leader: number,
    batches: readonly PartitionBatch[],
    answered: Answered,
    signal: AbortSignal,
  ): Promise<void> {
    const { promise, resolve: passed } = Promise.withResolvers<void>();
    const before = this.#passing.get(leader);
    this.#passing.set(leader, promise);
    let broker: BrokerConnection | undefined;
    try {
      await before;
      signal.throwIfAborted();
      const nodeId = leader as unknown as string; // as kafkajs itself asks
      broker = await this.#cluster.findBroker({ nodeId }) as unknown as BrokerConnection;
      signal.throwIfAborted();
      const now = this.#clock.now();
      const outcomes = await produce(broker, { ...this.#options, now, batches, signal, passed });
      this.#stale ||= batches.some(({ partition }) =>
        outcomes.get(partition)?.offset === undefined
      );
      answered(outcomes);
    } catch (error) {
      this.#stale = true;
      if (broker !== undefined && isConnectionFailure(error)) forgetBroker(this.#cluster, broker);
      answered(new Map(batches.map(({ partition }) => [partition, { error }])));
    } finally {
      passed();
    }
  }

  async #refresh(): Promise<void> {
    if (!this.#stale) return await this.#cluster.refreshMetadataIfNecessary();
    this.#stale = false;
    try {
      await this.#cluster.refreshMetadata();
    } catch (error) {
      this.#stale = true;
      // A partition without a leader keeps no other from being written to.
      if (typeOf(error) !== "LEADER_NOT_AVAILABLE") throw error;
    }
  }

  async #newId() {
    const broker = await this.#cluster.findControllerBroker() as unknown as BrokerConnection;
    const { producerId, producerEpoch } = await broker.initProducerId({
      transactionTimeout: TRANSACTION_TIMEOUT_MS,
    });
    return { producerId: BigInt(producerId), producerEpoch };
  }
}
