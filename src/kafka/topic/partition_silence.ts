import type { Clock } from "../../clock.ts";

/** Tracks how long one partition has been silent. */
interface Known {
  /** The sum of the spans. */
  ms: number;
  /** When the last answer came that began or ended a span; undefined after any other. */
  since: number | undefined;
}

/**
 * For how long partitions have had nothing new: the sum of the spans between two fetches that were both answered with
 * "nothing, and your position is the end", once everything before it was done. A span counts for as long as an answer
 * takes at most: no answer, as in an outage or a pause, is no silence.
 */
export class PartitionSilence {
  readonly #clock: Clock;
  readonly #longestMs: number;
  readonly #partitions = new Map<number, Known>();

  /** A fetch waits for `maxWaitMs` until it is answered with nothing. */
  constructor(clock: Clock, maxWaitMs: number) {
    this.#clock = clock;
    this.#longestMs = maxWaitMs + 1_000;
  }

  /** The silence of a partition so far, in milliseconds; it never goes back. */
  of(partition: number): number {
    return this.#partitions.get(partition)?.ms ?? 0;
  }

  /** A fetch was answered: `silent` when there is nothing that is not done. */
  answered(partition: number, silent: boolean): void {
    const known = this.#partitions.getOrInsertComputed(
      partition,
      () => ({ ms: 0, since: undefined }),
    );
    const now = silent ? this.#clock.monotonic() : undefined;
    if (now !== undefined && known.since !== undefined) {
      known.ms += Math.min(now - known.since, this.#longestMs);
    }
    known.since = now;
  }
}
