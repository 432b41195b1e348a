import { type Clock, remind } from "../clock.ts";
import { placeOf } from "./place.ts";

/** What {@linkcode Waiting} needs to know. */
export interface WaitingHost {
  /** The time before which everything is known, in milliseconds. */
  frontier(): number;
  /** The event time of a message, in milliseconds; undefined when it is not to be waited for. */
  timeOf(message: unknown): number | undefined;
  /** Asks for the held messages again. */
  recheck(): void;
  /** A message of `partition`, for `time`, has been held for `waitedMs`. */
  tell(partition: number | undefined, time: number, waitedMs: number): void;
}

/** After how long it is told that a message is held, in milliseconds. */
const TOLD_AFTER_MS = 3_000;

/** A message that is held. */
interface Held {
  readonly message: unknown;
  readonly stopTelling: () => void;
  expired: boolean;
  cancelTimer: () => void;
}

/**
 * Mode "wait": the next message of each partition is held until the frontier has passed its time, or for
 * `waitMs` at most.
 */
export class Waiting {
  readonly #clock: Clock;
  readonly #waitMs: number;
  readonly #host: WaitingHost;
  readonly #held = new Map<number, Held>();

  constructor(clock: Clock, waitMs: number, host: WaitingHost) {
    this.#clock = clock;
    this.#waitMs = waitMs;
    this.#host = host;
  }

  /** Says whether `message` may be handled now. */
  admits(message: unknown): boolean {
    const partition = placeOf(message)?.partition ?? 0;
    const held = this.#held.get(partition);
    const time = this.#host.timeOf(message);
    if (time === undefined || time < this.#host.frontier()) {
      this.#release(partition);
      return true;
    }
    if (held !== undefined && held.message === message) return held.expired;
    this.#release(partition);
    this.#hold(partition, message, time);
    return false;
  }

  /** Says whether `message` was admitted because it had waited too long. */
  gaveUp(message: unknown): boolean {
    const held = this.#held.get(placeOf(message)?.partition ?? 0);
    return held !== undefined && held.message === message && held.expired;
  }

  /** Waits for nothing any more. */
  stop(): void {
    for (const partition of [...this.#held.keys()]) this.#release(partition);
  }

  #hold(partition: number, message: unknown, time: number): void {
    const stopTelling = remind(this.#clock, TOLD_AFTER_MS, (waitedMs) => {
      this.#host.tell(placeOf(message)?.partition, time, waitedMs);
    });
    const held: Held = { message, stopTelling, expired: false, cancelTimer: () => {} };
    this.#held.set(partition, held);
    if (this.#waitMs === Infinity) return;
    held.cancelTimer = this.#clock.timer(() => {
      held.expired = true;
      held.stopTelling();
      this.#host.recheck();
    }, this.#waitMs);
  }

  #release(partition: number): void {
    const held = this.#held.get(partition);
    if (held === undefined) return;
    held.stopTelling();
    held.cancelTimer();
    this.#held.delete(partition);
  }
}
