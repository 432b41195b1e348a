import type { Clock } from "../clock.ts";
import { asPart } from "../flow/run/attribution.ts";
import { DELETE_RULES, type DeleteOptions, SET_RULES, type SetOptions } from "./cache_options.ts";
import { readOptions } from "../options.ts";
import { KeyLocks } from "./key_locks.ts";
import { encodeKey, type Key } from "./keys.ts";
import { toRange } from "./range.ts";
import type { Found, Space, Write } from "./space.ts";
import type { CacheStore } from "./store.ts";
import { Updates, type UpdatesOptions } from "./updates.ts";
import { copyIn } from "./values.ts";

/** What a write is in errors. */
const WRITE = "a write to a Cache";
const DONE = Promise.resolve();

/** What a transaction has committed. */
export interface Committed {
  /** Backpressure of the readers of updates. */
  readonly readers: void | Promise<void>;
}

/** The way of a write of one cache: from the caller's value to the layout, and to the readers of updates. */
export class Writes<V> {
  readonly space: Space;
  readonly clock: Clock;
  readonly locks: KeyLocks = new KeyLocks();
  readonly #store: CacheStore;
  readonly #ttlMs: number;
  readonly #updates: Updates<V>;
  #ended = false;

  /** Writes to the space of a name; what says nothing else lives for `ttlMs`. */
  constructor(store: CacheStore, name: string, space: Space, ttlMs: number) {
    this.space = space;
    this.#updates = new Updates<V>({
      name: name === "" ? store.name : `space ${JSON.stringify(name)} of ${store.name}`,
      clock: store.clock,
      scan: () => space.scan(toRange()),
    });
    this.#store = store;
    space.onRestore = (write) => void this.#publish([write]);
    this.clock = store.clock;
    this.#ttlMs = ttlMs;
  }

  /** Writes an entry; see `Cache.set`. */
  set(key: Key, value: V, options: SetOptions | undefined): Promise<void> {
    try {
      if (options === undefined) return this.#finish(this.put(key, value));
      const { ttl, durable } = readOptions("set", options, SET_RULES);
      if (durable) this.#store.assertMayWait("wait for a durable write");
      return this.#finish(this.put(key, value, ttl), durable);
    } catch (error) {
      return refused(WRITE, error);
    }
  }

  /** Writes an entry; where there is nothing to wait for there is no promise. */
  put(key: Key, value: V, ttlMs?: number): void | Promise<void> {
    this.assertOpen();
    return this.apply(this.toWrite(encodeKey(key), value, ttlMs));
  }

  /** Deletes an entry; where there is nothing to wait for there is no promise. */
  remove(key: Key): void | Promise<void> {
    this.assertOpen();
    return this.apply({ key: encodeKey(key), put: undefined });
  }

  /** Deletes an entry; see `Cache.delete`. */
  delete(key: Key, options: DeleteOptions | undefined): Promise<void> {
    try {
      if (options) readOptions("delete", options, DELETE_RULES);
      if (options?.durable) this.#store.assertMayWait("wait for a durable write");
      return this.#finish(this.remove(key), options?.durable);
    } catch (error) {
      return refused(WRITE, error);
    }
  }

  /** Makes a write of a value, which is copied now. */
  toWrite(key: string, value: unknown, ttlMs: number = this.#ttlMs): Write {
    const { value: copy, cloned, size } = copyIn(value);
    if (ttlMs !== this.#ttlMs && ttlMs !== Infinity && this.#store.driven) {
      throw new TypeError(
        "Cannot use ttl in a store that keeps exact state: its content would depend on timing",
      );
    }
    const expires = ttlMs === Infinity ? 0 : this.clock.now() + ttlMs;
    return { key, put: { value: copy, cloned, size, expires } };
  }

  /** Writes one key; a promise is backpressure of the layout, or of a reader of updates. */
  apply(write: Write): void | Promise<void> {
    const room = this.space.write(write);
    if (!this.space.immediate) return this.#writeThrough(write, room);
    if (!this.#updates.read) return room;
    if (room === undefined) return this.#publish([write]);
    // Before any other write, and though the disk may not take it: it can be read already.
    return Promise.all([room, this.#publish([write])]).then(() => {});
  }

  /** Applies all writes if what was read is still there; see {@linkcode Space.commit}. */
  async commit(
    reads: ReadonlyMap<string, Found | undefined>,
    writes: readonly Write[],
  ): Promise<Committed | undefined> {
    this.assertOpen();
    const applied = this.space.commit(reads, writes);
    if (this.space.immediate && applied !== false) {
      const readers = this.#publish(writes);
      await applied;
      return { readers };
    }
    let readers: void | Promise<void> = undefined;
    const published = Promise.resolve(applied).then((applied) => {
      if (applied) readers = this.#publish(writes);
      return applied;
    });
    this.#updates.writing(writes.map(({ key }) => key), published);
    return await published ? { readers } : undefined;
  }

  /** Throws once the cache is closed. */
  assertOpen(): void {
    if (this.#ended) throw new TypeError("Cannot use a cache that is closed");
  }

  /** Throws where a transaction would write more bytes than one may. */
  assertFits(bytes: number): void {
    const { maxTransactionBytes } = this.#store;
    if (bytes <= maxTransactionBytes) return;
    throw new RangeError(
      `Cannot write ${bytes} bytes in a transaction: maxTransactionBytes is ${maxTransactionBytes}`,
    );
  }

  /** Removes all entries. */
  async clear(): Promise<void> {
    let readers: void | Promise<void> = undefined;
    await this.space.clear((key) => {
      readers = this.#publish([{ key, put: undefined }]) ?? readers;
    });
    await readers;
  }

  /** Returns every write from now on. */
  updates(options: UpdatesOptions): AsyncIterableIterator<[Key, V | undefined]> {
    return this.#updates.subscribe(options);
  }

  /** Ends all updates, and the writing of transactions that are still running. */
  end(): void {
    this.#ended = true;
    this.#updates.end();
  }

  /** Publishes a write when it is done. Whoever reads it before that is not to be told of it again. */
  async #writeThrough(write: Write, done: void | Promise<void>): Promise<void> {
    let readers: void | Promise<void> = undefined;
    const published = Promise.resolve(done).then(() => {
      readers = this.#publish([write]);
    });
    this.#updates.writing([write.key], published);
    await published;
    await readers;
  }

  /** Hands what was written to the readers of updates; a promise is their backpressure. */
  #publish(writes: readonly Write[]): void | Promise<void> {
    if (!this.#updates.read) return;
    let room: void | Promise<void> = undefined;
    for (const { key, put } of writes) {
      const cloned = put?.cloned ?? false;
      room = this.#updates.publish({ key, value: put?.value, cloned }) ?? room;
    }
    return room;
  }

  #finish(written: void | Promise<void>, durable = false): Promise<void> {
    if (!durable) return written === undefined ? DONE : asPart(WRITE, () => written);
    return asPart(WRITE, () => Promise.all([written, this.#store.flush()]).then(() => {}));
  }
}

/** A call, `what`, that has written nothing: where nobody handles that, its message is not acknowledged. */
export function refused(what: string, error: unknown): Promise<never> {
  return asPart(what, () => Promise.reject(error));
}
