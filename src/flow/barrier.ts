import { type Clock, delay } from "../clock.ts";
import { BarrierError } from "../errors.ts";
import type { StatusEvent } from "../status.ts";
import { type Companion, type Feed, openStores } from "./feed.ts";
import type { Sinks } from "./sinks.ts";

/** When positions are committed. */
export interface BarrierOptions {
  /**
   * Milliseconds between barriers while messages are acknowledged.
   *
   * @default {1000}
   */
  intervalMs?: number | undefined;
  /**
   * A barrier also follows after this many messages.
   *
   * @default {Infinity}
   */
  messages?: number | undefined;
  /**
   * How long a failing barrier is tried again before the app stops, in milliseconds.
   *
   * @default {30000}
   */
  flushTimeoutMs?: number | undefined;
}

/** What a barrier needs to know of the run. */
export interface BarrierHost {
  readonly clock: Clock;
  /** Aborts at the hard end: a barrier that failed is not tried again. */
  readonly signal: AbortSignal;
  /** Ends the run with an error. */
  fail(error: unknown): void;
  readonly status: ((event: StatusEvent) => void) | undefined;
}

/** Milliseconds between two tries of a barrier that failed. */
const RETRY_MS = 100;

/**
 * Makes what is done durable, in this order: sinks are flushed, then stores, then what companions of the
 * sources have noted is written, then positions are committed.
 *
 * - Positions and notes are taken before the flush, and exactly those are committed: what is acknowledged
 *   meanwhile waits for the next barrier.
 * - Barriers never overlap; a call during one waits for one of its own, which calls share.
 * - A failed flush commits nothing.
 */
export class Barrier {
  readonly #feeds: readonly Feed<unknown>[];
  readonly #companions: readonly Companion[];
  readonly #sinks: Sinks;
  readonly #host: BarrierHost;
  readonly #options: Required<{ [K in keyof BarrierOptions]-?: number }>;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #delivered = 0;
  #cancelTimer: (() => void) | undefined;
  #closed = false;

  constructor(
    feeds: readonly Feed<unknown>[],
    companions: readonly Companion[],
    sinks: Sinks,
    host: BarrierHost,
    { intervalMs = 1000, messages = Infinity, flushTimeoutMs = 30_000 }: BarrierOptions,
  ) {
    this.#feeds = feeds;
    this.#companions = companions;
    this.#sinks = sinks;
    this.#host = host;
    this.#options = { intervalMs, messages, flushTimeoutMs };
  }

  /** A message was acknowledged: a barrier will follow. */
  delivered(): void {
    if (this.#closed) return;
    if (++this.#delivered >= this.#options.messages) {
      this.#delivered = 0;
      this.#inBackground();
    } else if (this.#cancelTimer === undefined) {
      this.#cancelTimer = this.#host.clock.timer(this.#inBackground, this.#options.intervalMs);
    }
  }

  /** Runs a barrier that begins after this call. */
  run(): Promise<void> {
    if (this.#next !== undefined) return this.#next;
    if (this.#running === undefined) return this.#start();
    return this.#next = this.#running.catch(() => {}).then(() => {
      this.#next = undefined;
      return this.#start();
    });
  }

  /** Starts no barrier by itself any more. */
  close(): void {
    this.#closed = true;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  #inBackground = (): void => {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.run().catch((error) => {
      if (!this.#closed) this.#host.fail(error);
    });
  };

  #start(): Promise<void> {
    return this.#running = this.#untilDone().finally(() => this.#running = undefined);
  }

  async #untilDone(): Promise<void> {
    const { clock, signal, status } = this.#host;
    const begin = clock.now();
    for (;;) {
      try {
        await this.#once();
        status?.({ type: "barrier", durationMs: clock.now() - begin });
        return;
      } catch (error) {
        status?.({ type: "barrier_failed", error });
        if (clock.now() - begin + RETRY_MS > this.#options.flushTimeoutMs || signal.aborted) {
          throw new BarrierError("Cannot make what is done durable", error);
        }
      }
      await delay(clock, RETRY_MS, signal).catch(() => {});
    }
  }

  async #once(): Promise<void> {
    const commits = this.#feeds.map((feed) => feed.snapshot?.());
    const notes = this.#companions.map((companion) => companion.snapshot());
    await this.#sinks.flush();
    await Promise.all([...openStores].map((store) => store.flush()));
    this.#host.signal.throwIfAborted(); // the hard end commits nothing
    await Promise.all(notes.map((write) => write?.()));
    this.#host.signal.throwIfAborted();
    await Promise.all(commits.map((commit) => commit?.()));
  }
}
