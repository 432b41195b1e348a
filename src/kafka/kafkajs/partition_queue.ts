import type { ProducerState } from "../records/batch_writer.ts";
import type { Entry } from "./batch_queue.ts";
import { isRetriable, typeOf } from "./failures.ts";
import { after, type Sequences } from "./sequences.ts";

/** How many batches of a producer a broker knows in each partition, so that it stores none of them twice. */
export const MAX_IN_FLIGHT = 5;

/** Records of one partition that are sent together, until they are confirmed or given up. */
export interface Batch {
  /** The records. */
  readonly entries: readonly Entry[];
  /** When it is given up: a moment of the monotonic clock. */
  readonly deadline: number;
  /** Is called when it is confirmed or given up. */
  readonly settled: () => void;
  /** Its numbers; the same however often it is sent. */
  producer?: ProducerState | undefined;
  /** Why it was not confirmed when it was last sent. */
  error?: unknown;
  /** Whether it may be stored although it is not confirmed. */
  isInDoubt?: boolean;
  /** Whether it is confirmed, while one before it is not. */
  isConfirmed?: boolean;
}

/**
 * The batches of one partition that are not confirmed, in order.
 *
 * - Several are in flight once one was confirmed; at first, and after a failure, it is one: a broker that knows
 *   nothing of a producer stores a batch whatever its number, also when those before it were lost.
 * - After a failure nothing is sent until all that is in flight has been answered. Then everything that is not
 *   confirmed is sent again, in order, with its numbers.
 */
export class PartitionQueue {
  /** The partition. */
  readonly partition: number;
  readonly #sequences: Sequences;
  readonly #batches: Batch[] = [];
  /** How many have been sent: the first ones. Those of them that are confirmed count, as the broker counts them. */
  #sent = 0;
  /** How many of these have not been answered. */
  #inFlight = 0;
  #isOpen = false;
  #hasFailed = false;

  /** Begins empty; numbers are taken from `sequences`. */
  constructor(partition: number, sequences: Sequences) {
    this.partition = partition;
    this.#sequences = sequences;
  }

  /** Returns whether everything is confirmed or given up. */
  get isEmpty(): boolean {
    return this.#batches.length === 0;
  }

  /** Returns the first batch, which has failed, when nothing is in flight. */
  get failed(): Batch | undefined {
    return this.#hasFailed && this.#inFlight === 0 ? this.#batches[0] : undefined;
  }

  /** Appends a batch. */
  push(batch: Batch): void {
    this.#batches.push(batch);
  }

  /** Returns the batch to be sent now, if there is one; it is in flight until one of the next two is called. */
  next(): Batch | undefined {
    while (this.#batches[this.#sent]?.isConfirmed) this.#sent++;
    if (this.#hasFailed || this.#sent >= (this.#isOpen ? MAX_IN_FLIGHT : 1)) return undefined;
    const batch = this.#batches[this.#sent];
    if (batch === undefined) return undefined;
    this.#sent++;
    this.#inFlight++;
    batch.producer ??= this.#sequences.take(this.partition, batch.entries.length);
    return batch;
  }

  /** A batch is confirmed. */
  confirm(batch: Batch): void {
    this.#inFlight--;
    this.#isOpen = !this.#hasFailed;
    batch.isConfirmed = true;
    this.#shiftConfirmed();
    batch.settled();
  }

  /** A batch is not confirmed, as `error` says. */
  fail(batch: Batch, error: unknown): void {
    this.#inFlight--;
    this.#isOpen = false;
    this.#hasFailed = true;
    batch.error = error;
    batch.isInDoubt ||= leavesInDoubt(error);
  }

  /** Everything is sent again. */
  repeat(): void {
    this.#hasFailed = false;
    this.#sent = 0;
  }

  /** The first batch, which is not stored, becomes two, each with its part of the numbers. */
  halve(): void {
    const { entries, deadline, settled, producer } = this.#batches[0]!;
    const half = entries.length >> 1;
    let left = 2;
    const both = { deadline, settled: () => --left === 0 && settled() };
    const second = producer && { ...producer, baseSequence: after(producer.baseSequence, half) };
    this.#batches.splice(
      0,
      1,
      { ...both, entries: entries.slice(0, half), producer },
      { ...both, entries: entries.slice(half), producer: second },
    );
  }

  /** Everything, none of which is stored, gets other numbers. */
  renumber(): void {
    this.#sequences.renew(this.partition);
    for (const batch of this.#batches) batch.producer = undefined;
  }

  /**
   * Gives up the first batch and returns it; if it may be stored, then with those after it that may be, too:
   * with other numbers they could be stored twice, with their own never, if the first is not.
   */
  giveUp(): Batch[] {
    const first = this.#batches.shift()!;
    const given = [first];
    this.#shiftConfirmed();
    while (first.isInDoubt && this.#batches[0]?.isInDoubt) {
      given.push(this.#batches.shift()!);
      this.#shiftConfirmed();
    }
    this.renumber();
    return given;
  }

  #shiftConfirmed(): void {
    for (; this.#batches[0]?.isConfirmed; this.#sent--) this.#batches.shift();
  }
}

/** Returns whether a batch may be stored that failed with `error`. What is refused for good is not. */
function leavesInDoubt(error: unknown): boolean {
  const type = typeOf(error);
  return type === undefined || type === "UNKNOWN" || isRetriable(error);
}
