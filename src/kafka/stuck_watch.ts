import type { Clock } from "../clock.ts";

/** What a {@linkcode StuckWatch} watches. */
export interface StuckWatchOptions {
  /** The time. */
  readonly clock: Clock;
  /** After how long without progress a message is stuck. */
  readonly timeoutMs: number;
  /** True while a message is open that should make progress. */
  readonly isWaiting: () => boolean;
  /** Is called once when it is stuck; returns what is called at the next progress. */
  readonly stuck: () => () => void;
}

/** How often a timeout is divided: it is noticed late by at most one part. */
const PARTS = 10;

/** Notices that a message takes too long, without reading the clock for each one. */
export class StuckWatch {
  readonly #options: StuckWatchOptions;
  #cancel: () => void;
  #progressed = false;
  #idleParts = 0;
  #recovered: (() => void) | undefined;
  #timeoutMs: number;

  /** Begins to watch. */
  constructor(options: StuckWatchOptions) {
    this.#options = options;
    this.#timeoutMs = options.timeoutMs;
    this.#cancel = this.#next();
  }

  /** After how long without progress a message is stuck, in milliseconds. */
  get timeoutMs(): number {
    return this.#timeoutMs;
  }

  /** Begins to watch anew, with another limit. */
  limit(timeoutMs: number): void {
    this.#timeoutMs = timeoutMs;
    this.#idleParts = 0;
    this.#cancel();
    this.#cancel = this.#next();
  }

  /** Notes that something was handed out or acknowledged. */
  progress(): void {
    this.#progressed = true;
    if (!this.#recovered) return;
    const recovered = this.#recovered;
    this.#recovered = undefined;
    recovered();
  }

  /** Ends watching. */
  stop(): void {
    this.#cancel();
  }

  #next(): () => void {
    if (this.#timeoutMs === Infinity) return () => {};
    return this.#options.clock.timer(() => this.#check(), this.#timeoutMs / PARTS);
  }

  #check(): void {
    this.#cancel = this.#next();
    if (this.#recovered) return;
    if (this.#progressed || !this.#options.isWaiting()) this.#idleParts = 0;
    else this.#idleParts++;
    this.#progressed = false;
    if (this.#idleParts < PARTS) return;
    this.#idleParts = 0;
    this.#recovered = this.#options.stuck();
  }
}
