import { type Clock, delay } from "../../clock.ts";
import { KafkaError } from "../client/errors.ts";
import type { BrokerStatus } from "../client/status.ts";
import type { Entry } from "./batch_queue.ts";
import { isRetriable, typeOf } from "./failures.ts";
import { type Batch, PartitionQueue } from "./partition_queue.ts";
import type { Outcome } from "./produce_request.ts";
import type { Sequences } from "./sequences.ts";

/** Refusals that may concern one record of a batch only: the batch is halved until that one is alone. */
const OF_ONE_RECORD = [
  "MESSAGE_TOO_LARGE",
  "RECORD_LIST_TOO_LARGE",
  "INVALID_RECORD",
  "INVALID_TIMESTAMP",
];

/** Refusals of a batch whose number does not follow that of the last one that the broker knows of. */
const OF_NUMBERS = [
  "OUT_OF_ORDER_SEQUENCE_NUMBER",
  "UNKNOWN_PRODUCER_ID",
  "INVALID_PRODUCER_EPOCH",
];

/** What a broker that does not answer is said to have done. */
export const NO_ANSWER = new KafkaError("no answer", { retriable: true });

/** The first and the longest pause before something is sent again. */
const PAUSE_MS = 100, LONGEST_PAUSE_MS = 2_000;

/** Is told what became of batches, by partition, as soon as it is known. */
export type Answered = (outcomes: ReadonlyMap<number, Outcome>) => void;

/** How {@linkcode Deliveries} sends, and whom it tells. */
export interface DeliveryOptions {
  /** The time. */
  readonly clock: Clock;
  /** How long the brokers may take to confirm a batch. */
  readonly deliveryTimeoutMs: number;
  /** Ends all pauses when it aborts. */
  readonly signal: AbortSignal;
  /** Numbers the batches. */
  readonly sequences: Sequences;
  /** Sends a batch to each of some partitions, once; rejects, or leaves out, what was not answered. */
  send(batches: ReadonlyMap<number, Batch>, answered: Answered, deadline: number): Promise<void>;
  /** An entry is given up; `late` when its time was over. */
  refuse(entry: Entry, error: unknown, late: boolean): void;
  /** The brokers are away, or back. */
  tell(status: BrokerStatus): void;
}

/**
 * Delivers batches, each partition's in order: what a broker has refused, or has not answered, is sent again with
 * the same sequence numbers, and nothing else is; so what was stored and not answered is stored once.
 */
export class Deliveries {
  readonly #options: DeliveryOptions;
  /** The partitions with batches that are not confirmed. */
  readonly #queues = new Map<number, PartitionQueue>();
  /** Those that wait to be sent again, or have been and are not confirmed yet. */
  readonly #failing = new Set<PartitionQueue>();
  #pause = PAUSE_MS;
  #pausing: Promise<void> | undefined;
  #away = false;

  /** Nothing is delivered yet. */
  constructor(options: DeliveryOptions) {
    this.#options = options;
  }

  /** Delivers some records; resolves when all are confirmed or refused, each for itself. */
  async deliver(entries: readonly Entry[]): Promise<void> {
    const { clock, deliveryTimeoutMs, sequences } = this.#options;
    const deadline = clock.monotonic() + deliveryTimeoutMs;
    const settling: Promise<void>[] = [];
    for (const [partition, its] of Map.groupBy(entries, (entry) => entry.partition)) {
      const { promise, resolve } = Promise.withResolvers<void>();
      settling.push(promise);
      this.#queues.getOrInsertComputed(partition, () => new PartitionQueue(partition, sequences))
        .push({ entries: its, deadline, settled: resolve });
    }
    this.#sendNext();
    await Promise.all(settling);
  }

  /** Sends what may be sent: a batch of each partition in a request, and another request for what follows. */
  #sendNext(): void {
    for (;;) {
      const batches = new Map<number, Batch>();
      for (const queue of this.#queues.values()) {
        const batch = queue.next();
        if (batch) batches.set(queue.partition, batch);
      }
      if (batches.size === 0) return;
      void this.#send(batches);
    }
  }

  async #send(batches: ReadonlyMap<number, Batch>): Promise<void> {
    const left = new Map(batches);
    const answered: Answered = (outcomes) => {
      for (const [partition, outcome] of outcomes) {
        const batch = left.get(partition);
        // What was given up is not heard.
        if (batch && left.delete(partition)) this.#settle(partition, batch, outcome);
      }
      this.#sendNext();
    };
    let error: unknown = NO_ANSWER;
    try {
      const deadline = Math.min(...batches.values().map((batch) => batch.deadline));
      await this.#options.send(batches, answered, deadline);
    } catch (failure) {
      error = failure;
    }
    answered(new Map(left.keys().map((partition) => [partition, { error }])));
  }

  #settle(partition: number, batch: Batch, { offset, error }: Outcome): void {
    const queue = this.#queues.get(partition)!;
    if (offset === undefined) {
      queue.fail(batch, error);
    } else {
      queue.confirm(batch);
      for (const [i, entry] of batch.entries.entries()) {
        entry.confirm?.({ partition, offset: offset < 0 ? offset : offset + i });
      }
      this.#failing.delete(queue);
      if (this.#failing.size === 0) this.#back();
    }
    const failed = queue.failed;
    if (failed) this.#recover(queue, failed);
    if (queue.isEmpty) this.#queues.delete(partition);
  }

  /** Halves, gives up or sends again the first batch of a partition. */
  #recover(queue: PartitionQueue, { entries, deadline, error, isInDoubt }: Batch): void {
    const type = typeOf(error) ?? "";
    if (entries.length > 1 && OF_ONE_RECORD.includes(type) && !isInDoubt) {
      queue.halve();
      return queue.repeat();
    }
    const late = this.#options.clock.monotonic() + this.#pause >= deadline;
    const isOfNumbers = OF_NUMBERS.includes(type);
    if (!late && (isOfNumbers || isRetriable(error))) {
      if (isOfNumbers) queue.renumber();
      this.#failing.add(queue);
      this.#pausing ??= this.#repeatLater();
      if (!this.#away) this.#options.tell({ type: "away", error });
      this.#away = true;
      return;
    }
    for (const batch of queue.giveUp()) {
      for (const entry of batch.entries) this.#options.refuse(entry, batch.error, late);
      batch.settled();
    }
    this.#failing.delete(queue);
    queue.repeat();
  }

  #back(): void {
    this.#pause = PAUSE_MS;
    if (this.#away) this.#options.tell({ type: "back" });
    this.#away = false;
  }

  /** Sends again all that has failed by then: what fails together is sent together. */
  async #repeatLater(): Promise<void> {
    const { clock, signal } = this.#options;
    await delay(clock, this.#pause, signal).catch(() => {});
    this.#pausing = undefined;
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE_MS);
    for (const queue of this.#failing) if (queue.failed) queue.repeat();
    this.#sendNext();
  }
}
