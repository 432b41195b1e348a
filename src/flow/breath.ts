import type { Clock } from "../clock.ts";

/** The clock is read every so many messages; a power of two. */
export const BREATH_EVERY = 64;

/** Milliseconds after which sources that are always ready let timers, signals and I/O have their turn. */
const BREATH_MS = 8;

/** Who waits, and since when: unknown until the macrotask after the one in which the wait began. */
export interface Waiter {
  waiting: boolean;
  since: number | undefined;
  /** True while it is to be told the time. */
  unstamped: boolean;
}

/**
 * The breath of a run: sources that never wait pause for one macrotask when the last one is long ago.
 * They share it and go on together, so that none runs alone while others hold their breath.
 */
export class Breath {
  readonly #clock: Clock;
  #last: number;
  #waiting: (() => void)[] = [];
  readonly #unstamped: Waiter[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#last = clock.monotonic();
  }

  /** True when the last breath is long ago. */
  get due(): boolean {
    return this.#clock.monotonic() - this.#last > BREATH_MS;
  }

  /** A wait begins. Reading the clock for each would cost more than most of them: many end in this macrotask. */
  begin(waiter: Waiter): void {
    waiter.waiting = true;
    waiter.since = undefined;
    if (waiter.unstamped) return;
    waiter.unstamped = true;
    if (this.#unstamped.push(waiter) > 1) return;
    this.#clock.macrotask(() => {
      const now = this.#clock.monotonic();
      for (const each of this.#unstamped) {
        each.unstamped = false;
        each.since = now;
      }
      this.#unstamped.length = 0;
    });
  }

  /** Calls `resume` in the next macrotask, with all others that wait for it. */
  take(resume: () => void): void {
    if (this.#waiting.push(resume) > 1) return;
    this.#clock.macrotask(() => {
      this.#last = this.#clock.monotonic();
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const each of waiting) each();
    });
  }

  /** Resolves in the next macrotask, with all others that wait for it. */
  taken(): Promise<void> {
    return new Promise((resolve) => this.take(resolve));
  }
}
