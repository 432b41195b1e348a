import { currentMessage, Standby } from "../run/attribution.ts";
import { runDetached } from "../run/current.ts";
import { END, type Feed, type FeedSource, openFeed, WAIT } from "./feed.ts";
import type { Host } from "./host.ts";
import type { Gate } from "./gate.ts";
import {
  assertObject,
  closeIterator,
  giveUpIterator,
  isIterable,
  isThenable,
  type OpenIterator,
  openIterator,
  whenSettled,
} from "./iteration.ts";

/** Opens `source` for reading. */
export function feedOf(source: unknown, host: Host, gate: Gate): Feed<unknown> {
  if (isFeedSource(source)) return source[openFeed](host, gate);
  if (source instanceof ReadableStream) return streamFeed(source);
  return iterableFeed(source);
}

/** Returns whether `value` can be read at all. */
export function isSource(value: unknown): boolean {
  return isFeedSource(value) || value instanceof ReadableStream || isIterable(value);
}

/** Returns whether `value` is a source of our own. */
export function isFeedSource(value: unknown): value is FeedSource<unknown> {
  return typeof (value as Partial<FeedSource<unknown>> | null | undefined)?.[openFeed] ===
    "function";
}

/** Reads an iterable as `for await` does. */
export function iterableFeed<T>(source: unknown): Feed<T> {
  const opened = openIterator(source);
  return opened.async ? new AsyncFeed(opened) : new SyncFeed(opened);
}

/** Reads an iterator that waits for nothing, except for promises among its values. */
class SyncFeed<T> implements Feed<T> {
  onLate: (error: unknown) => void = () => {};
  readonly #opened: OpenIterator;
  readonly #asked: OpenIterator["asked"];
  /** True once the iterator has ended, has failed, or was closed. */
  #over = false;
  /** True from the promise that the iterator gave until its outcome is handed out. */
  #awaiting = false;
  #outcome: { readonly value: T | typeof END } | { readonly error: unknown } | undefined;
  #wake: () => void = () => {};

  constructor(opened: OpenIterator) {
    this.#opened = opened;
    this.#asked = opened.asked;
  }

  poll(): T | typeof WAIT | typeof END {
    if (this.#awaiting) return this.#awaited();
    try {
      const result = this.#asked.next() as IteratorResult<T, T>;
      if (typeof result !== "object" || result === null) assertObject(result, "next()");
      if (!result.done) {
        const { value } = result;
        if (typeof value !== "object" && typeof value !== "function") return value;
        return isThenable(value) ? this.#await(value) : value;
      }
      this.#over = true;
      return isThenable(result.value) ? this.#await(result.value) : END;
    } catch (error) {
      this.#over = true;
      throw error;
    }
  }

  wait(wake: () => void): void {
    this.#wake = wake;
  }

  cancel(reason?: unknown): void | Promise<void> {
    const outcome = this.#outcome;
    if (outcome !== undefined && "error" in outcome) throw outcome.error; // nobody was told
    if (this.#over) return;
    this.#over = true;
    return closeIterator(this.#opened, reason);
  }

  /** Waits for a promise; one that rejects ends the reading, and closes the iterator. */
  #await(value: unknown): typeof WAIT {
    const last = this.#over;
    this.#awaiting = true;
    whenSettled(value, (value) => {
      this.#outcome = { value: last ? END : value as T };
      this.#wake();
    }, (error) => {
      if (this.#over && !last) return this.onLate(error);
      this.#over = true;
      this.#outcome = { error };
      if (!last) giveUpIterator(this.#opened);
      this.#wake();
    });
    return WAIT;
  }

  #awaited(): T | typeof WAIT | typeof END {
    const outcome = this.#outcome;
    if (outcome === undefined) return WAIT;
    this.#awaiting = false;
    this.#outcome = undefined;
    if ("error" in outcome) throw outcome.error;
    return outcome.value;
  }
}

/** Reads an async iterator, for instance an async generator; one `next()` is in flight at a time. */
class AsyncFeed<T> implements Feed<T> {
  onLate: (error: unknown) => void = () => {};
  readonly #opened: OpenIterator;
  readonly #asked: OpenIterator["asked"];
  readonly #native: boolean;
  readonly #release: () => void;
  /** True once the iterator has ended, has failed, or was closed. */
  #over = false;
  #pending = false;
  /** Asks for nobody, where somebody waits for a message on behalf of the last one. */
  #standby: Standby | undefined;
  #result: IteratorResult<T> | undefined;
  #failed: { readonly error: unknown } | undefined;
  #wake: () => void = () => {};
  readonly #onAnswer = (result: unknown) => this.#arrived(result);
  readonly #onError = (error: unknown) => this.#broke(error);

  /** Reads an iterator; `release` is called instead of `return()` when it has ended by itself. */
  constructor(opened: OpenIterator, release: () => void = () => {}) {
    this.#opened = opened;
    this.#asked = opened.asked;
    this.#native = opened.native;
    this.#release = release;
  }

  poll(): T | typeof WAIT | typeof END {
    const result = this.#result;
    if (result === undefined) {
      if (this.#failed === undefined) return WAIT;
      const { error } = this.#failed;
      this.#failed = undefined;
      throw error;
    }
    this.#result = undefined;
    try {
      if (!result.done) return result.value;
    } catch (error) {
      this.#over = true;
      throw error;
    }
    this.#over = true;
    return END;
  }

  wait(wake: () => void): void {
    this.#wake = wake;
    if (this.#pending) return;
    if (currentMessage() === undefined) return this.#ask();
    this.#standby ??= runDetached(() => new Standby(() => this.#ask()));
    this.#standby.call();
  }

  #ask(): void {
    if (this.#over || this.#pending) return;
    this.#pending = true;
    try {
      const answer = this.#asked.next();
      if (this.#native) (answer as Promise<unknown>).then(this.#onAnswer, this.#onError);
      else whenSettled(answer, this.#onAnswer, this.#onError);
    } catch (error) {
      queueMicrotask(() => this.#broke(error)); // an iterator made by hand
    }
  }

  /** Closes the iterator; one whose `next()` never answers would queue its `return()`: not waited for. */
  cancel(reason?: unknown): void | Promise<void> {
    if (this.#over || this.#result?.done) {
      this.#release();
      if (this.#failed !== undefined) throw this.#failed.error; // nobody was told
      return;
    }
    this.#over = true;
    const closed = closeIterator(this.#opened, reason);
    if (closed === undefined || !this.#pending) return closed;
    closed.catch((error) => this.onLate(error)); // abandoned in the middle of a read
  }

  #arrived(result: unknown): void {
    if (typeof result !== "object" || result === null) {
      try {
        assertObject(result, "next()");
      } catch (error) {
        return this.#broke(error);
      }
    }
    this.#pending = false;
    this.#result = result as IteratorResult<T>;
    this.#wake();
  }

  #broke(error: unknown): void {
    this.#pending = false;
    if (this.#over) return this.onLate(error);
    this.#over = true;
    this.#failed = { error };
    this.#wake();
  }
}

/** Reads a `ReadableStream`; cancelling wins over a read that is in flight. */
function streamFeed<T>(stream: ReadableStream<T>): AsyncFeed<T> {
  const reader = stream.getReader();
  const chunks = {
    async return(reason?: unknown) {
      try {
        await reader.cancel(reason);
      } finally {
        reader.releaseLock();
      }
      return { done: true, value: undefined };
    },
  };
  const asked = { next: () => reader.read() };
  const opened: OpenIterator = { iterator: chunks, asked, native: true, async: true };
  return new AsyncFeed(opened, () => reader.releaseLock());
}
