import { type Clock, systemClock } from "../../src/clock.ts";
import { END, type FeedSource, openFeed, WAIT } from "../../src/flow/source/feed.ts";
import type { Host } from "../../src/flow/source/host.ts";
import { gateOf } from "../../src/flow/source/gate.ts";
import type { Receipt } from "../../src/flow/source/receipt.ts";

/** What a driver does with each message. */
export interface DriverOptions<T> {
  /** Handles a message; it is acknowledged when this has settled, unless it returns false. */
  readonly handle?: (message: T) => unknown;
  /** The time. */
  readonly clock?: Clock;
}

/** Reads a source as the engine's loop does: poll, wait, handle, acknowledge; with a commit on demand. */
export class FeedDriver<T extends object> implements AsyncDisposable {
  readonly messages: T[] = [];
  /** The receipts of the messages that were not acknowledged. */
  readonly kept: Receipt[] = [];
  commits = 0;
  /** How often a position moved without a message. */
  moves = 0;
  readonly feed;
  readonly done: Promise<void>;
  readonly #gate;
  readonly #ended = new AbortController();
  #waiting = new Set<() => void>();
  #commitCycle: Promise<void> | undefined;

  constructor(source: FeedSource<T>, options: DriverOptions<T> = {}) {
    const { handle = () => {}, clock = systemClock } = options;
    this.#gate = gateOf(source);
    const host: Host = {
      clock,
      stopping: this.#ended.signal,
      signal: this.#ended.signal,
      fail: (error) => Promise.reject(error),
      commit: () => this.commit(),
      moved: () => void this.moves++,
    };
    const feed = this.feed = source[openFeed](host, this.#gate);
    this.#gate.attach({ seek: (position) => feed.seek?.(position) });
    this.done = this.#run(handle);
    this.done.catch(() => this.#told());
  }

  async #run(handle: (message: T) => unknown): Promise<void> {
    while (!this.#ended.signal.aborted) {
      const message = this.#gate.closed ? WAIT : this.feed.poll();
      if (message === END) return;
      if (message === WAIT) {
        await new Promise<void>((resolve) => {
          this.feed.wait(resolve);
          this.#gate.wait(resolve);
          this.#ended.signal.addEventListener("abort", () => resolve(), { once: true });
        });
        continue;
      }
      const receipt = this.feed.receipt!;
      this.messages.push(message);
      this.#told();
      if (await handle(message) === false) this.kept.push(receipt);
      else receipt.release();
      this.#told();
    }
  }

  /** The offsets of the messages of a topic. */
  get offsets(): number[] {
    return this.messages.map((message) => (message as { offset?: number }).offset!);
  }

  /** Commits what is acknowledged now. */
  commit(): Promise<void> {
    this.commits++;
    const commit = this.feed.snapshot?.();
    return this.#commitCycle = commit ? commit() : Promise.resolve();
  }

  /** Resolves when `condition` holds; fails after 20 s, or when the reading fails. */
  async until(condition: (messages: T[]) => boolean): Promise<void> {
    const deadline = performance.now() + 20_000;
    while (!condition(this.messages)) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, Math.max(0, deadline - performance.now()));
      this.#waiting.add(resolve);
      await Promise.race([promise, this.done]);
      clearTimeout(timer);
      if (performance.now() < deadline) continue;
      throw new Error(`Waited for ${condition}: ${Deno.inspect(this.messages)}`);
    }
  }

  /** Ends as a crash does: nothing more is committed. */
  async crash(): Promise<void> {
    this.#ended.abort();
    this.#gate.attach(undefined);
    await this.feed.cancel();
    await this.done.catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#commitCycle?.catch(() => {});
    await this.crash();
  }

  #told(): void {
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const wake of waiting) wake();
  }
}
