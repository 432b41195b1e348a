import type { Cursor, Found } from "./space.ts";

const END: Promise<IteratorReturnResult<undefined>> = Promise.resolve({
  done: true,
  value: undefined,
});

/** What can be used until it is closed. */
export interface Closable {
  /** Throws once the cache is closed. */
  assertOpen(): void;
}

/** The public face of a cursor; written by hand, as an async generator costs several times as much. */
export class EntryIterator<T> implements AsyncIterableIterator<T> {
  readonly #cursor: Cursor;
  readonly #map: (found: Found) => T;
  readonly #cache: Closable;
  #ended = false;

  /** Iterates over what `map` makes of the entries, until the cache is closed. */
  constructor(cursor: Cursor, map: (found: Found) => T, cache: Closable) {
    this.#cursor = cursor;
    this.#map = map;
    this.#cache = cache;
  }

  /** Returns itself. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Returns the next one. */
  next(): Promise<IteratorResult<T>> {
    if (this.#ended) return END;
    try {
      this.#cache.assertOpen();
      const found = this.#cursor.next();
      if (found instanceof Promise) return found.then((found) => this.#toResult(found));
      return found === undefined ? this.return() : Promise.resolve(this.#toResult(found));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Ends the iteration. */
  return(): Promise<IteratorResult<T>> {
    this.#ended = true;
    return END;
  }

  #toResult(found: Found | undefined): IteratorResult<T> {
    if (found === undefined) {
      this.#ended = true;
      return { done: true, value: undefined };
    }
    return { done: false, value: this.#map(found) };
  }
}
