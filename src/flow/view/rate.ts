import type { Clock } from "../../clock.ts";

/** Milliseconds between two marks, and how far back the oldest is. */
const MARK_MS = 1_000;
const WINDOW_MS = 5_000;

/** A count at a moment. */
interface Mark {
  readonly at: number;
  readonly count: number;
}

/**
 * How fast a count grows. It is told nothing: it reads the count when somebody looks, so that it costs nothing
 * meanwhile. The rate is over the last seconds in which somebody has looked, else since the beginning.
 */
export class Rate {
  readonly #clock: Clock;
  readonly #marks: Mark[];

  /** The count was zero at `began`, of the monotonic clock. */
  constructor(clock: Clock, began: number) {
    this.#clock = clock;
    this.#marks = [{ at: began, count: 0 }];
  }

  /** Returns by how much the count grew per second, and notes what it is now. */
  of(count: number): number {
    const marks = this.#marks;
    const at = this.#clock.monotonic();
    while (marks.length > 1 && at - marks[1]!.at >= WINDOW_MS) marks.shift();
    const { at: since, count: before } = marks[0]!;
    if (at - marks.at(-1)!.at >= MARK_MS) marks.push({ at, count });
    return at <= since ? 0 : (count - before) / (at - since) * 1_000;
  }
}
