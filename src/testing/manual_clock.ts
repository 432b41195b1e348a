import type { Clock } from "../clock.ts";
import { type Duration, toMs } from "../duration.ts";

interface Timer {
  at: number;
  order: number;
  callback: () => void;
}

/**
 * A clock that stands still until a test advances it, so that no test waits for real time.
 *
 * @example
 * ```ts
 * import { ManualClock } from "@slipstream/slipstream/testing";
 *
 * const clock = new ManualClock();
 * clock.timer(() => {}, 60_000);
 * await clock.tick({ minutes: 1 });
 * ```
 */
export class ManualClock implements Clock {
  /** The milliseconds that have passed since the beginning. */
  #passed = 0;
  /** The time of day at the beginning, and all steps of it since. */
  #offset: number;
  #order = 0;
  readonly #timers = new Set<Timer>();
  readonly #random: () => number;

  /** Starts at `now`, in milliseconds since the epoch; `random` is the source of jitter. */
  constructor(now = 0, random: () => number = () => 0.5) {
    this.#offset = now;
    this.#random = random;
  }

  /** The current time of day; {@linkcode ManualClock.step} sets it. */
  now(): number {
    return this.#offset + this.#passed;
  }

  /** The milliseconds by which it was advanced: durations are measured with it. */
  monotonic(): number {
    return this.#passed;
  }

  /**
   * Sets the time of day forward by `duration`, or back by a negative number of milliseconds, as NTP or an operator
   * does. No time passes: no timer fires, and no measured duration changes.
   *
   * @throws {TypeError} If it is not a duration.
   * @throws {RangeError} If it is infinite or NaN.
   */
  step(duration: Duration): void {
    this.#offset += toMs(duration, "step()", { least: -Infinity, finite: true });
  }

  /** Sets a timer that only {@linkcode ManualClock.tick} fires. */
  timer(callback: () => void, ms: number): () => void {
    const timer: Timer = { at: this.#passed + Math.max(0, ms), order: this.#order++, callback };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** Calls `callback` in a real macrotask, which takes no time of this clock. */
  macrotask(callback: () => void): void {
    setImmediate(callback);
  }

  /** The next number of the source given to the constructor. */
  random(): number {
    return this.#random();
  }

  /** How many timers wait. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Milliseconds until the next timer; undefined when none waits. */
  get next(): number | undefined {
    const timer = this.#first();
    return timer && timer.at - this.#passed;
  }

  /**
   * Advances by `duration`, firing each timer at its time; the work that it starts runs before the next.
   *
   * @throws {TypeError} If it is not a duration.
   * @throws {RangeError} If it is negative, infinite or NaN.
   */
  async tick(duration: Duration): Promise<void> {
    const end = this.#passed + toMs(duration, "tick()", { finite: true });
    await settle();
    for (let timer = this.#first(); timer && timer.at <= end; timer = this.#first()) {
      this.#timers.delete(timer);
      this.#passed = Math.max(this.#passed, timer.at);
      timer.callback();
      await settle();
    }
    this.#passed = end;
  }

  #first(): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) {
      if (!first || timer.at < first.at || (timer.at === first.at && timer.order < first.order)) {
        first = timer;
      }
    }
    return first;
  }
}

/** Resolves when all promise jobs that are ready now, and those that they start, have run. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
