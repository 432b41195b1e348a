import type { Clock } from "../../clock.ts";
import type { BrokerStatus } from "../client/status.ts";

/** Milliseconds without an answered fetch or heartbeat after which the brokers are said to be away. */
export const AWAY_AFTER_MS = 10_000;

/** Tells that the brokers are away by the age of the last answer: kafkajs has no event for it. */
export class BrokerHealth {
  readonly #clock: Clock;
  readonly #status: (status: BrokerStatus) => void;
  #last = 0;
  #away = false;
  #cancel: (() => void) | undefined;

  /** Tells `status` when the brokers go away and come back. */
  constructor(clock: Clock, status: (status: BrokerStatus) => void) {
    this.#clock = clock;
    this.#status = status;
  }

  /** Begins to watch. */
  start(): void {
    this.#last = this.#clock.monotonic();
    this.#cancel ??= this.#clock.timer(() => this.#check(), AWAY_AFTER_MS / 4);
  }

  /** Notes that the brokers answered. */
  beat(): void {
    this.#last = this.#clock.monotonic();
    if (!this.#away) return;
    this.#away = false;
    this.#status({ type: "back" });
  }

  /** Ends watching. */
  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #check(): void {
    this.#cancel = this.#clock.timer(() => this.#check(), AWAY_AFTER_MS / 4);
    if (this.#away || this.#clock.monotonic() - this.#last < AWAY_AFTER_MS) return;
    this.#away = true;
    this.#status({ type: "away" });
  }
}
