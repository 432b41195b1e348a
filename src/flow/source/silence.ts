import type { Clock } from "../../clock.ts";

/**
 * How long a source that tells nothing of itself was silent: the time in which a message was waited for. A span in
 * which nobody looked counts for `longestMs` at most: the process may have been stopped.
 */
export class PendingSilence {
  /** Returns whether something of its messages is on its way still: then it is not silent yet. */
  busy: () => boolean = () => false;
  #ms = 0;
  #waiting = false;
  #since: number | undefined;

  constructor(readonly clock: Clock, readonly longestMs: number) {}

  /** A message is waited for. */
  begin(): void {
    this.#waiting = true;
    this.settled();
  }

  /** What was on its way may be done. */
  settled(): void {
    if (this.#waiting && !this.busy()) this.#since ??= this.clock.monotonic();
  }

  /** The wait is over. */
  end(): void {
    this.#waiting = false;
    if (this.#since === undefined) return;
    this.#add();
    this.#since = undefined;
  }

  /** True while it is silent. */
  get pending(): boolean {
    return this.#since !== undefined;
  }

  /** The silence so far, in milliseconds. */
  get ms(): number {
    if (this.#since !== undefined) this.#add();
    return this.#ms;
  }

  #add(): void {
    const now = this.clock.monotonic();
    this.#ms += Math.min(now - this.#since!, this.longestMs);
    this.#since = now;
  }
}
