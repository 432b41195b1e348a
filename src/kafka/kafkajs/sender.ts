import type { Cluster } from "kafkajs";
import type { Clock } from "../../clock.ts";
import type { ProducerOptions, ProducerRecord } from "../client/broker.ts";
import { KafkaError } from "../client/errors.ts";
import type { BrokerConnection } from "./cluster.ts";
import { isConnectionFailure, typeOf } from "./failures.ts";
import { type Outcome, type PartitionBatch, produce } from "./produce_request.ts";
import type { Sequences } from "./sequences.ts";

const NO_LEADER = new KafkaError("the partition has no leader", { retriable: true });

/** A broker must be told; without transactions it means nothing. */
const TRANSACTION_TIMEOUT_MS = 60_000;

/** Sends batches to the leaders of their partitions, over one client of kafkajs. */
export class Sender {
  readonly #cluster: Cluster;
  readonly #options: Pick<ProducerOptions, "topic" | "compression">;
  readonly #sequences: Sequences;
  readonly #clock: Clock;
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
   * Sends a batch to each of some partitions, once, and tells in `outcomes` what became of each as soon as it
   * is known. Resolves when all brokers have answered, or have failed to. Once `signal` aborts nothing is sent.
   */
  async send(
    records: ReadonlyMap<number, readonly ProducerRecord[]>,
    outcomes: Map<number, Outcome>,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#refresh();
    if (this.#sequences.needsId(records.keys())) {
      const id = await this.#newId();
      signal.throwIfAborted();
      this.#sequences.give(id);
    }
    signal.throwIfAborted();
    const leaders = new Map(
      this.#cluster.findTopicPartitionMetadata(this.#options.topic)
        .map(({ partitionId, leader }) => [partitionId, leader]),
    );
    const led = new Map<number, PartitionBatch[]>();
    for (const [partition, its] of records) {
      const leader = leaders.get(partition) ?? -1;
      if (leader < 0) {
        this.#stale = true;
        outcomes.set(partition, { error: NO_LEADER });
        continue;
      }
      const producer = this.#sequences.of(partition);
      led.getOrInsertComputed(leader, () => []).push({ partition, producer, records: its });
    }
    await Promise.all(
      led.entries().map(([leader, batches]) => this.#sendTo(leader, batches, outcomes, signal)),
    );
  }

  async #sendTo(
    leader: number,
    batches: readonly PartitionBatch[],
    outcomes: Map<number, Outcome>,
    signal: AbortSignal,
  ): Promise<void> {
    let broker: BrokerConnection | undefined;
    try {
      const nodeId = leader as unknown as string; // as kafkajs itself asks
      broker = await this.#cluster.findBroker({ nodeId }) as unknown as BrokerConnection;
      signal.throwIfAborted();
      const now = this.#clock.now();
      const answers = await produce(broker, { ...this.#options, now, batches });
      for (const { partition } of batches) {
        const outcome = answers.get(partition) ?? { error: NO_LEADER };
        if (outcome.error !== undefined) this.#stale = true;
        outcomes.set(partition, outcome);
      }
    } catch (error) {
      this.#stale = true;
      if (broker !== undefined && isConnectionFailure(error)) this.#forget(broker);
      for (const { partition } of batches) outcomes.set(partition, { error });
    }
  }

  /** Has the next request to a broker use another connection: this one may never answer. */
  #forget(broker: BrokerConnection): void {
    this.#cluster.removeBroker(broker.connectionPool);
    void broker.disconnect().catch(() => {});
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
