import type { Clock } from "../clock.ts";
import type { Gate } from "../flow/gate.ts";

/** The pause of a dependent while its dependencies are down; it ends by itself after `maxMs`. */
export class Pause {
  readonly #gate: Gate;
  readonly #reason: string;
  readonly #maxMs: number;
  readonly #expired: () => void;
  #cancelTimer: (() => void) | undefined;
  #active = false;

  constructor(gate: Gate, reason: string, maxMs: number, expired: () => void) {
    this.#gate = gate;
    this.#reason = reason;
    this.#maxMs = maxMs;
    this.#expired = expired;
  }

  /** True while the dependent is paused. */
  get active(): boolean {
    return this.#active;
  }

  /** Pauses the dependent, or goes on pausing it. */
  begin(clock: Clock): void {
    this.#active = true;
    this.#gate.pause(this.#reason);
    if (this.#maxMs === Infinity || this.#cancelTimer !== undefined) return;
    this.#cancelTimer = clock.timer(() => {
      this.end();
      this.#expired();
    }, this.#maxMs);
  }

  /** Lets the dependent go on. */
  end(): void {
    this.stopTimer();
    if (!this.#active) return;
    this.#active = false;
    this.#gate.resume(this.#reason);
  }

  /** Waits for nothing any more; the dependent stays paused. */
  stopTimer(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }
}
