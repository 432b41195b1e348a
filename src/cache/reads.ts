import { decodeKey, encodeKey, type Key } from "./keys.ts";
import { type RangeOptions, toRange } from "./range.ts";
import type { Cursor, Found, Space } from "./space.ts";
import { copyOut } from "./values.ts";
import type { Writes } from "./writes.ts";

const END: Promise<IteratorReturnResult<undefined>> = Promise.resolve({
  done: true,
  value: undefined,
});

/** The way of a read of one cache: from the layout's entry to the caller's copy. */
export class Reads<V> {
  readonly #space: Space;
  readonly #cache: Writes<V>;

  /** Reads a space until the cache is closed. */
  constructor(space: Space, cache: Writes<V>) {
    this.#space = space;
    this.#cache = cache;
  }

  /** Returns the value of a key, or `fallback` where there is none. */
  get<F>(key: Key, fallback: F | undefined): Promise<V | F | undefined> {
    try {
      const found = this.#find(key);
      if (found instanceof Promise) return found.then((found) => valueOf<V, F>(found, fallback));
      return Promise.resolve(valueOf<V, F>(found, fallback));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Returns whether a key is there. */
  async has(key: Key): Promise<boolean> {
    return await this.#find(key) !== undefined;
  }

  /** Iterates over entries. */
  entries(options: RangeOptions | undefined): AsyncIterableIterator<[Key, V]> {
    return this.#scan(options, toEntry<V>);
  }

  /** Iterates over keys. */
  keys(options: RangeOptions | undefined): AsyncIterableIterator<Key> {
    return this.#scan(options, toKey);
  }

  /** Iterates over values. */
  values(options: RangeOptions | undefined): AsyncIterableIterator<V> {
    return this.#scan(options, toValue<V>);
  }

  #find(key: Key): Found | undefined | Promise<Found | undefined> {
    this.#cache.assertOpen();
    return this.#space.read(encodeKey(key));
  }

  #scan<T>(options: RangeOptions | undefined, map: (found: Found) => T): AsyncIterableIterator<T> {
    this.#cache.assertOpen();
    return new EntryIterator(this.#space.scan(toRange(options)), map, this.#cache);
  }
}

function valueOf<V, F>(found: Found | undefined, fallback: F | undefined): V | F | undefined {
  return found === undefined ? fallback : copyOut(found.value, found.cloned) as V;
}

function toEntry<V>(found: Found): [Key, V] {
  return [decodeKey(found.key), copyOut(found.value, found.cloned) as V];
}

function toKey(found: Found): Key {
  return decodeKey(found.key);
}

function toValue<V>(found: Found): V {
  return copyOut(found.value, found.cloned) as V;
}

/** The public face of a cursor; written by hand, as an async generator costs several times as much. */
class EntryIterator<T> implements AsyncIterableIterator<T> {
  readonly #cursor: Cursor;
  readonly #map: (found: Found) => T;
  readonly #cache: { assertOpen(): void };
  #ended = false;

  /** Iterates over what `map` makes of the entries, until the cache is closed. */
  constructor(cursor: Cursor, map: (found: Found) => T, cache: { assertOpen(): void }) {
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
