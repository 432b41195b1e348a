import type { Clock } from "../clock.ts";

/** The clock is read every so many messages; a power of two. */
export const BREATH_EVERY = 128;

/** Milliseconds after which sources that are always ready let timers, signals and I/O have their turn. */
const BREATH_MS = 8;

/** Who waits for one thing after another. */
export interface Waiter {
  /** The begins and ends of its waits, counted: odd while it waits. */
  turns: number;
  /** What {@linkcode Waiter.turns} was at a macrotask, and the time of it. */
  seen: { turns: number; at: number };
}

/**
 * The breath of a run: sources that never wait pause for one macrotask when the last one is long ago.
 * They share it and go on together, so that none runs alone while others hold their breath.
 */
export class Breath {
  readonly #clock: Clock;
  #last: number;
  #waiting: (() => void)[] = [];
  readonly #watched: Waiter[] = [];
  #looking = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#last = clock.monotonic();
  }

  /** True when the last breath is long ago. */
  get due(): boolean {
    return this.#clock.monotonic() - this.#last > BREATH_MS;
  }

  /** Looks from now on since when `waiter` waits. */
  watch(waiter: Waiter): void {
    this.#watched.push(waiter);
  }

  /** A wait begins. Reading the clock for each would cost more than most of them: many end in this macrotask. */
  begin(waiter: Waiter): void {
    waiter.turns = (waiter.turns + 1) | 0;
    if (!this.#looking) this.#lookSoon();
  }

  #lookSoon(): void {
    this.#looking = true;
    this.#clock.macrotask(() => {
      this.#looking = false;
      const at = this.#clock.monotonic();
      for (const { turns, seen } of this.#watched) {
        if (seen.turns !== turns) Object.assign(seen, { turns, at });
      }
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
