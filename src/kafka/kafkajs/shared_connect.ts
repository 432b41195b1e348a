import { type Clock, withDeadline } from "../../clock.ts";
import type { BrokerStatus } from "../client/status.ts";

/** How one caller waits for a connection. */
export interface Wait {
  /** How many milliseconds. */
  readonly startTimeoutMs: number;
  /** Ends the waiting. */
  readonly signal: AbortSignal;
  /** Called when the brokers are away, or back. */
  readonly status?: ((status: BrokerStatus) => void) | undefined;
}

/** What an {@linkcode SharedConnect} gives to what opens the connection. */
export interface Attempt {
  /** Aborts when nobody waits any more. */
  readonly signal: AbortSignal;
  /** Tells those who wait. */
  readonly status: (status: BrokerStatus) => void;
}

/**
 * A connection that is opened for all who need it. Each waits with a timeout, a signal and a callback of
 * its own, which end no other's waiting; the opening goes on for as long as somebody waits.
 */
export class SharedConnect<T> {
  readonly #clock: Clock;
  readonly #ended = new AbortController();
  readonly #waiting = new Set<(status: BrokerStatus) => void>();
  /** Settles when it is open, refused, or given up. */
  readonly opened: Promise<T>;
  #settled = false;
  #away: BrokerStatus | undefined;

  /** Begins to open by `open`. */
  constructor(clock: Clock, open: (attempt: Attempt) => Promise<T>) {
    this.#clock = clock;
    const status = (told: BrokerStatus) => {
      this.#away = told.type === "away" ? told : undefined;
      for (const tell of this.#waiting) tell(told);
    };
    this.opened = open({ signal: this.#ended.signal, status }).finally(() => this.#settled = true);
    this.opened.catch(() => {});
  }

  /** True when nobody waited any more before it was open. */
  get abandoned(): boolean {
    return this.#ended.signal.aborted;
  }

  /**
   * Resolves when it is open.
   *
   * @param late Makes the error for a wait that took too long, of what failed last.
   */
  async wait(
    { startTimeoutMs, signal, status }: Wait,
    late: (error: unknown) => Error,
  ): Promise<T> {
    const { promise: failed, reject } = Promise.withResolvers<never>();
    let last: BrokerStatus["type"] | undefined;
    const tell = (told: BrokerStatus) => {
      if (told.type === last) return;
      last = told.type;
      try {
        status?.(told);
      } catch (error) {
        reject(error); // it concerns nobody else
      }
    };
    const expired = () => {
      const error = late(this.#away?.type === "away" ? this.#away.error : undefined);
      tell({ type: "away", error });
      return error;
    };
    signal.throwIfAborted();
    this.#waiting.add(tell);
    if (this.#away) tell(this.#away);
    try {
      const opened = Promise.race([this.opened, failed]);
      return await withDeadline(this.#clock, startTimeoutMs, opened, expired, signal);
    } finally {
      this.#waiting.delete(tell);
      if (this.#waiting.size === 0 && !this.#settled) this.#ended.abort();
    }
  }
}
