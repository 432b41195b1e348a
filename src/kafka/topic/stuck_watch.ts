import type { Clock } from "../../clock.ts";
import type { OpenMessage, OpenMessages } from "./partition_reader.ts";

/** What a {@linkcode StuckWatch} watches. */
export interface StuckWatchOptions {
  /** The time. */
  readonly clock: Clock;
  /** After how long without progress a message is stuck. */
  readonly timeoutMs: number;
  /** Returns the messages that are open now. */
  readonly open: () => OpenMessages;
  /** Whether a message need not make progress; `polled` when others were asked for since it was last asked. */
  readonly isHeld: (message: OpenMessage, polled: boolean) => boolean;
  /** Is called once when a message is stuck; returns what is called when it is done. */
  readonly stuck: (message: OpenMessage) => () => void;
}

/** How often a timeout is divided: it is noticed late by at most one part. */
const PARTS = 10;

/**
 * Notices that a message takes too long, without reading the clock for each one.
 *
 * - It is progress when the oldest open message of a partition is done. Messages that are handed out later do
 *   not count: one that is stuck is noticed beside others that flow. Those that wait behind a slow one, in
 *   whatever partition, make progress with it.
 */
export class StuckWatch {
  readonly #options: StuckWatchOptions;
  #cancel: () => void;
  #open!: OpenMessages;
  /** How many were left of them when that was looked at. */
  #left = 0;
  #idleParts = 0;
  #polled = false;
  #stuck: { readonly message: OpenMessage; readonly recovered: () => void } | undefined;
  #timeoutMs: number;

  /** Begins to watch. */
  constructor(options: StuckWatchOptions) {
    this.#options = options;
    this.#timeoutMs = options.timeoutMs;
    this.#begin();
    this.#cancel = this.#next();
  }

  /** After how long without progress a message is stuck, in milliseconds. */
  get timeoutMs(): number {
    return this.#timeoutMs;
  }

  /** Begins to watch anew, with another limit. */
  limit(timeoutMs: number): void {
    this.#timeoutMs = timeoutMs;
    this.#begin();
    this.#cancel();
    this.#cancel = this.#next();
  }

  /** Notes that the next message is asked for. */
  polled(): void {
    this.#polled = true;
  }

  /** Notes that a message was acknowledged. */
  acknowledged(): void {
    if (!this.#stuck?.message.isDone()) return;
    const { recovered } = this.#stuck;
    this.#stuck = undefined;
    recovered();
  }

  /** Ends watching. */
  stop(): void {
    this.#cancel();
  }

  #begin(): void {
    this.#open = this.#options.open();
    this.#left = this.#open.left;
    this.#idleParts = 0;
  }

  #next(): () => void {
    if (this.#timeoutMs === Infinity) return () => {};
    return this.#options.clock.timer(() => this.#check(), this.#timeoutMs / PARTS);
  }

  #check(): void {
    this.#cancel = this.#next();
    if (this.#stuck) return;
    const polled = this.#polled;
    this.#polled = false;
    const late = this.#open.oldest().find((message) => !this.#options.isHeld(message, polled));
    if (late === undefined) return this.#begin();
    const { left } = this.#open;
    this.#idleParts = left < this.#left ? 0 : this.#idleParts + 1;
    this.#left = left;
    if (this.#idleParts < PARTS) return;
    this.#idleParts = 0;
    this.#stuck = { message: late, recovered: this.#options.stuck(late) };
  }
}
