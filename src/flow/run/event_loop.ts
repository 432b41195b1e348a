import type { Clock } from "../../clock.ts";

/** The clock is read every so many messages; a power of two. */
export const YIELD_EVERY = 128;

/** Milliseconds after which sources that are always ready let timers, signals and I/O have their turn. */
const YIELD_MS = 8;

/** Who waits for one thing after another. */
export class Waiter {
  /** The begins and ends of its waits, counted: odd while it waits. */
  turns = 0;
  /** What {@linkcode Waiter.turns} was at a macrotask, and the time of it. */
  seen = { turns: 0, at: 0 };

  /** True while it waits. */
  get waits(): boolean {
    return (this.turns & 1) === 1;
  }

  /** Since when it waits; undefined until the macrotask after that. */
  get since(): number | undefined {
    return this.seen.turns === this.turns ? this.seen.at : undefined;
  }

  /** Its wait is over. */
  waitEnds(): void {
    this.turns = (this.turns + 1) | 0;
  }
}

/**
 * Yields to the event loop for the sources of a run that never wait: they pause for one macrotask when the last one
 * is long ago, and go on together, so that none runs alone while the others pause.
 */
export class EventLoop {
  readonly #clock: Clock;
  #last: number;
  #waiting: (() => void)[] = [];
  readonly #watched: Waiter[] = [];
  #looking = false;
  #now: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#last = clock.monotonic();
  }

  /** True when the last yield is long ago. */
  get mustYield(): boolean {
    return this.#clock.monotonic() - this.#last > YIELD_MS;
  }

  /** Looks from now on since when `waiter` waits. */
  watch(waiter: Waiter): void {
    this.#watched.push(waiter);
  }

  /** A wait begins. Reading the clock for each would cost more than most of them: many end in this macrotask. */
  waitBegins(waiter: Waiter): void {
    waiter.turns = (waiter.turns + 1) | 0;
    if (!this.#looking) this.#lookSoon();
  }

  /** The time, read once in a macrotask at most: reading the clock costs as much as passing on some messages. */
  get now(): number {
    if (!this.#looking) this.#lookSoon();
    return this.#now ??= this.#clock.monotonic();
  }

  #lookSoon(): void {
    this.#looking = true;
    this.#clock.macrotask(() => {
      this.#looking = false;
      this.#now = undefined;
      const at = this.#clock.monotonic();
      for (const { turns, seen } of this.#watched) {
        if (seen.turns !== turns) Object.assign(seen, { turns, at });
      }
    });
  }

  /** Calls `resume` in the next macrotask, with all others that wait for it. */
  yieldThen(resume: () => void): void {
    if (this.#waiting.push(resume) > 1) return;
    this.#clock.macrotask(() => {
      this.#last = this.#clock.monotonic();
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const each of waiting) each();
    });
  }

  /** Resolves in the next macrotask, with all others that wait for it. */
  yielded(): Promise<void> {
    return new Promise((resolve) => this.yieldThen(resolve));
  }
}
