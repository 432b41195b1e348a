import { decodeKey, type Key } from "./keys.ts";
import type { Cursor, Found } from "./space.ts";
import { copyOut } from "./values.ts";

const END: Promise<IteratorReturnResult<undefined>> = Promise.resolve({
  done: true,
  value: undefined,
});

/** The public face of a cursor; written by hand, as an async generator costs several times as much. */
export class EntryIterator<T> implements AsyncIterableIterator<T> {
  readonly #cursor: Cursor;
  readonly #map: (found: Found) => T;
  readonly #assertOpen: () => void;
  #ended = false;

  /** Iterates over what `map` makes of the entries, as long as `assertOpen` does not throw. */
  constructor(cursor: Cursor, map: (found: Found) => T, assertOpen: () => void) {
    this.#cursor = cursor;
    this.#map = map;
    this.#assertOpen = assertOpen;
  }

  /** Returns itself. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Returns the next one. */
  next(): Promise<IteratorResult<T>> {
    if (this.#ended) return END;
    try {
      this.#assertOpen();
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

/** The value of an entry for its reader, or `fallback` where there is none. */
export function valueOf<V, F>(
  found: Found | undefined,
  fallback: F | undefined,
): V | F | undefined {
  return found === undefined ? fallback : copyOut(found.value, found.cloned) as V;
}

/** Key and value of an entry for its reader. */
export function toEntry<V>(found: Found): [Key, V] {
  return [decodeKey(found.key), copyOut(found.value, found.cloned) as V];
}

/** The key of an entry for its reader. */
export function toKey(found: Found): Key {
  return decodeKey(found.key);
}

/** The value of an entry for its reader. */
export function toValue<V>(found: Found): V {
  return copyOut(found.value, found.cloned) as V;
}
