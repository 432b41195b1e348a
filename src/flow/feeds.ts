import { END, type Feed, type FeedSource, type Host, openFeed, WAIT } from "./feed.ts";
import type { Gate } from "./gate.ts";

/** Opens `source` for reading. */
export function feedOf(source: unknown, host: Host, gate: Gate): Feed<unknown> {
  if (isFeedSource(source)) return source[openFeed](host, gate);
  if (source instanceof ReadableStream) return streamFeed(source);
  if (isAsyncIterable(source)) return new AsyncFeed(source[Symbol.asyncIterator]());
  return new SyncFeed((source as Iterable<unknown>)[Symbol.iterator]());
}

/** Says whether `value` can be read at all. */
export function isSource(value: unknown): boolean {
  return isFeedSource(value) || value instanceof ReadableStream || isAsyncIterable(value) ||
    typeof (value as Partial<Iterable<unknown>> | null | undefined)?.[Symbol.iterator] ===
      "function";
}

/** Says whether `value` is a source of our own. */
export function isFeedSource(value: unknown): value is FeedSource<unknown> {
  return typeof (value as Partial<FeedSource<unknown>> | null | undefined)?.[openFeed] ===
    "function";
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof (value as Partial<AsyncIterable<unknown>> | null | undefined)
    ?.[Symbol.asyncIterator] === "function";
}

/** Reads an iterator that never waits. */
class SyncFeed<T> implements Feed<T> {
  readonly #iterator: Iterator<T>;
  #over = false;

  constructor(iterator: Iterator<T>) {
    this.#iterator = iterator;
  }

  poll(): T | typeof END {
    try {
      const result = this.#iterator.next();
      if (!result.done) return result.value;
    } catch (error) {
      this.#over = true;
      throw error;
    }
    this.#over = true;
    return END;
  }

  wait(): void {}

  cancel(): void {
    if (!this.#over) this.#iterator.return?.();
  }
}

/** Reads an async iterator, for instance an async generator; one `next()` is under way at a time. */
export class AsyncFeed<T> implements Feed<T> {
  readonly #iterator: AsyncIterator<T>;
  readonly #release: () => void;
  #pending = false;
  #result: IteratorResult<T> | undefined;
  #failed: { readonly error: unknown } | undefined;
  #wake: () => void = () => {};

  /** Reads `iterator`; `release` is called instead of `return()` when the iterator has ended by itself. */
  constructor(iterator: AsyncIterator<T>, release: () => void = () => {}) {
    this.#iterator = iterator;
    this.#release = release;
  }

  poll(): T | typeof WAIT | typeof END {
    const result = this.#result;
    if (result === undefined) {
      if (this.#failed !== undefined) throw this.#failed.error;
      return WAIT;
    }
    if (result.done) return END;
    this.#result = undefined;
    return result.value;
  }

  wait(wake: () => void): void {
    this.#wake = wake;
    if (this.#pending) return;
    this.#pending = true;
    try {
      this.#iterator.next().then(this.#arrived, this.#broke);
    } catch (error) {
      queueMicrotask(() => this.#broke(error)); // an iterator made by hand
    }
  }

  #arrived = (result: IteratorResult<T>): void => {
    if (typeof result !== "object" || result === null) {
      return this.#broke(new TypeError(`next() must give an object, got ${result}`));
    }
    this.#pending = false;
    this.#result = result;
    this.#wake();
  };

  #broke = (error: unknown): void => {
    this.#pending = false;
    this.#failed = { error };
    this.#wake();
  };

  /** Closes the iterator; one whose `next()` never answers would queue its `return()`: not waited for. */
  cancel(): void | Promise<void> {
    if (this.#failed !== undefined || this.#result?.done) return this.#release();
    const closed = this.#iterator.return?.();
    if (closed === undefined) return;
    const done = Promise.resolve(closed).then(() => {});
    if (!this.#pending) return done;
    done.catch(() => {}); // the source was abandoned in the middle of a read: nobody waits for it
  }
}

/** Reads a `ReadableStream`; cancelling wins over a read that is under way. */
function streamFeed<T>(stream: ReadableStream<T>): AsyncFeed<T> {
  const reader = stream.getReader();
  const chunks: AsyncIterator<T> = {
    next: () => reader.read() as Promise<IteratorResult<T>>,
    async return() {
      try {
        await reader.cancel();
      } finally {
        reader.releaseLock();
      }
      return { done: true, value: undefined };
    },
  };
  return new AsyncFeed(chunks, () => reader.releaseLock());
}
