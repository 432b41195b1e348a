import type { Clock } from "../../clock.ts";
import type { Receipt } from "../source/receipt.ts";

/** A call of user code for a message: a send, or a write. */
export interface PendingCall {
  /** The name of the flow. */
  readonly flow: string;
  /** The message, as its source gave it. */
  readonly root: unknown;
  /** The call, in words. */
  readonly what: string;
}

/** The sends and writes that user code has begun for messages of a run, until they have settled. */
export class Pending {
  readonly #clock: Clock;
  readonly #calls = new Map<PendingCall, number>();
  /** What is waited for still, and who waits for it. */
  #awaited: Set<PendingCall> | undefined;
  #settled: () => void = () => {};
  readonly #abandoned = new AbortController();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The calls that have not settled, each with the time at which it began. */
  get calls(): ReadonlyMap<PendingCall, number> {
    return this.#calls;
  }

  /** Aborts when the run was ended at once: nobody waits for its calls any more. */
  get abandoned(): AbortSignal {
    return this.#abandoned.signal;
  }

  /** The run is ended at once. */
  abandon(): void {
    this.#abandoned.abort();
  }

  /** A call begins, and its message stays open; returns what ends it. */
  begin(call: PendingCall, receipt: Receipt): () => void {
    receipt.retain();
    this.#calls.set(call, this.#clock.monotonic());
    return () => {
      this.#calls.delete(call);
      receipt.release();
      if (this.#awaited?.delete(call) && this.#awaited.size === 0) this.#settled();
    };
  }

  /** Resolves when the calls that are pending now have settled: others may go on to begin for ever. */
  async settled(): Promise<void> {
    if (this.#calls.size === 0) return;
    this.#awaited = new Set(this.#calls.keys());
    await new Promise<void>((resolve) => this.#settled = resolve);
  }
}
