import type { Clock } from "../clock.ts";

/**
 * Knows since when there are dirty results and when they are to be made again: once the frontier has passed
 * all results that there were then, or after `afterMs`.
 */
export class Dirt {
  readonly #afterMs: number;
  readonly #due: () => void;
  readonly #causes = new Set<string>();
  #target: number | undefined;
  #overdue = false;
  #cancelTimer: (() => void) | undefined;

  constructor(afterMs: number, due: () => void) {
    this.#afterMs = afterMs;
    this.#due = due;
  }

  /** The names of the dependencies that made results dirty. */
  get causes(): readonly string[] {
    return [...this.#causes];
  }

  /** Results for times up to `largest` may be dirty because of `cause`. */
  add(cause: string | undefined, largest: number, clock: Clock | undefined): void {
    if (cause !== undefined) this.#causes.add(cause);
    if (this.#target !== undefined) return;
    this.#target = largest;
    if (this.#afterMs === Infinity || clock === undefined) return;
    this.#cancelTimer = clock.timer(() => {
      this.#overdue = true;
      this.#due();
    }, this.#afterMs);
  }

  /** Says whether it is time to make them again. */
  isDue(frontier: number): boolean {
    return this.#target !== undefined && (this.#overdue || frontier > this.#target);
  }

  /** They are made again. */
  clear(): void {
    this.stopTimer();
    this.#causes.clear();
    this.#target = undefined;
    this.#overdue = false;
  }

  /** Waits for nothing any more. */
  stopTimer(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }
}
