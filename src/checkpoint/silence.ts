import type { Clock } from "../clock.ts";
import type { Gate } from "../flow/gate.ts";

/**
 * Tells when a source has been silent for too long by the clock. Time in which the source is paused does
 * not count: then it is silent because of us.
 */
export class Silence {
  readonly #clock: Clock;
  readonly #ms: number;
  readonly #gate: Gate;
  readonly #tooLong: () => void;
  readonly #unobserve: () => void;
  #since: number;
  #cancelTimer: (() => void) | undefined;

  /** Begins to listen; calls `tooLong` once for each silence. */
  constructor(clock: Clock, ms: number, gate: Gate, tooLong: () => void) {
    this.#clock = clock;
    this.#ms = ms;
    this.#gate = gate;
    this.#tooLong = tooLong;
    this.#since = clock.monotonic();
    this.#unobserve = gate.observe(() => this.heard());
    this.heard();
  }

  /** The source has spoken, or may speak again. */
  heard(): void {
    this.#since = this.#clock.monotonic();
    if (this.#gate.closed) return this.#stopTimer();
    this.#cancelTimer ??= this.#clock.timer(this.#look, this.#ms);
  }

  /** Stops to listen. */
  stop(): void {
    this.#unobserve();
    this.#stopTimer();
  }

  #look = (): void => {
    this.#cancelTimer = undefined;
    const left = this.#since + this.#ms - this.#clock.monotonic();
    if (left > 0) this.#cancelTimer = this.#clock.timer(this.#look, left);
    else this.#tooLong();
  };

  #stopTimer(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }
}
