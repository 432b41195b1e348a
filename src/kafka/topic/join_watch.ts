import type { Waiting } from "../../snapshot.ts";
import { type Clock, remind } from "../../clock.ts";

/** After how long without an assignment the cause is reported. */
const JOINING_AFTER_MS = 3_000;

/** Reports what a member without an assignment waits for: when it takes long, and whenever it has taken twice as long. */
export class JoinWatch {
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #tell: (waitedMs: number, waitsFor: string) => void;
  #began = 0;
  #waitsFor = "";
  #cancel: (() => void) | undefined;

  /** Calls `tell` with how long it has been waited, and for what, until `signal` aborts. */
  constructor(
    clock: Clock,
    signal: AbortSignal,
    tell: (waitedMs: number, waitsFor: string) => void,
  ) {
    this.#clock = clock;
    this.#signal = signal;
    this.#tell = tell;
  }

  /** What is waited for now, and for how long. */
  get waits(): Waiting | undefined {
    if (this.#cancel === undefined) return undefined;
    const sinceMs = Math.round(this.#clock.monotonic() - this.#began);
    return { what: this.#waitsFor, sinceMs };
  }

  /** The member waits for an assignment, or waits for something else before it has one. */
  begin(waitsFor: string): void {
    this.#waitsFor = waitsFor;
    if (this.#cancel !== undefined || this.#signal.aborted) return;
    this.#began = this.#clock.monotonic();
    this.#cancel = remind(this.#clock, JOINING_AFTER_MS, (ms) => this.#tell(ms, this.#waitsFor));
  }

  /** The same, and tells it at once. */
  tell(waitsFor: string): void {
    if (this.#signal.aborted) return;
    this.begin(waitsFor);
    this.#tell(Math.round(this.#clock.monotonic() - this.#began), waitsFor);
  }

  /** It waits no longer. */
  end(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
