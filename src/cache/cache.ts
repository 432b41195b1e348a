import { type Host, openSink, openStores, type SinkPort, type SinkTarget } from "../flow/feed.ts";
import {
  assertDeleteOptions,
  assertPair,
  assertSetOptions,
  assertSpaceName,
  assertSpaceOptions,
  type CacheOptions,
  type DeleteOptions,
  type SetOptions,
  type SpaceOptions,
} from "./cache_options.ts";
import { EntryIterator, toEntry, toKey, toValue, valueOf } from "./entry_iterator.ts";
import { setExactState } from "./exact_state.ts";
import { encodeKey, type Key } from "./keys.ts";
import { KeyQueue } from "./key_queue.ts";
import { openStore } from "./open.ts";
import { checkAtLeast as assertAtLeast } from "../options.ts";
import { type RangeOptions, toRange } from "./range.ts";
import type { Found, Space, Write } from "./space.ts";
import type { CacheStore } from "./store.ts";
import {
  runTransaction,
  type Transaction,
  type TransactionHost,
  type TransactionOptions,
} from "./transaction.ts";
import { Updates, type UpdatesOptions } from "./updates.ts";
import { copyIn } from "./values.ts";

const DEFAULT_MAX_BYTES = 25_000_000;
const DONE = Promise.resolve();

/**
 * Entries by key, in order, in memory and on disk: the state of a flow. (It has nothing to do with the
 * `Cache` of the web platform, whose name it shares.)
 *
 * - A write can be read at once; it is on disk within `flushIntervalMs` and a commit, or at the barrier of
 *   a flow, whatever comes first. After a crash what is left is what had been written up to some moment.
 * - Values are copied in and out, as `structuredClone` does.
 * - Keys are in Deno KV's order: see {@linkcode Key}.
 * - Shared with other processes (`shared: true`, or a URL), each call goes to the store.
 *
 * @typeParam V The type of the values.
 *
 * @example
 * ```ts
 * import { Cache } from "@slipstream/slipstream";
 *
 * const path = await Deno.makeTempDir();
 * await using cache = await Cache.open<string>(`${path}/db`);
 * await cache.set("prize", "🏆");
 * console.log(await cache.get("prize"));
 * ```
 */
export class Cache<V = unknown> implements AsyncDisposable, SinkTarget<readonly [Key, V]> {
  readonly #store: CacheStore;
  readonly #space: Space;
  readonly #spaces: Map<string, Cache>;
  readonly #name: string;
  readonly #ttlMs: number;
  readonly #updates = new Updates<V>();
  readonly #host: TransactionHost;
  #closed: Promise<void> | undefined;

  /** @internal Opened by {@linkcode Cache.open}. */
  protected constructor(
    store: CacheStore,
    options: SpaceOptions<V>,
    name = "",
    spaces: Map<string, Cache> = new Map(),
  ) {
    const { maxBytes = DEFAULT_MAX_BYTES, ttlMs = Infinity, onEvict } = options;
    this.#store = store;
    this.#name = name;
    this.#ttlMs = ttlMs;
    this.#space = store.space(name, {
      maxBytes,
      onEvict: onEvict as ((key: Key, value: unknown) => void) | undefined,
    });
    this.#spaces = spaces.set(name, this as Cache);
    this.#host = {
      space: this.#space,
      queue: new KeyQueue(),
      clock: store.clock,
      maxBytes: store.maxTransactionBytes,
      toWrite: (key, value, ttlMs) => this.#toWrite(key, value, ttlMs),
      committed: (writes) => this.#publish(writes),
    };
    if (store.exactState) setExactState(this, store.exactState);
    openStores.add(this);
  }

  /**
   * Opens a cache.
   *
   * @param target A path, whose folder is made if it is not there; the URL of a KV Connect server; or an
   * open `Deno.Kv`, which stays open when the cache is closed.
   * @throws {CacheHeldError} If another process has the store open.
   * @throws {CacheStorageError} If the file cannot be opened, is no store, or is of a newer version.
   * @throws {TypeError} If an option is unknown or wrong, or Deno runs without `--unstable-kv`.
   */
  static async open<V = unknown>(
    target: string | URL | Deno.Kv,
    options: CacheOptions<V> = {},
  ): Promise<Cache<V>> {
    return new Cache<V>(await openStore(target, options as CacheOptions), options);
  }

  /**
   * Writes an entry. The promise is settled when the write can be read, and is backpressure: awaiting it
   * keeps what is not on disk yet small.
   */
  set(key: Key, value: V, options?: SetOptions): Promise<void> {
    try {
      if (options) assertSetOptions(options);
      const written = this.#write(this.#toWrite(encodeKey(key), value, options?.ttlMs));
      return this.#finish(written, options?.durable);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Deletes an entry, if it is there. */
  delete(key: Key, options?: DeleteOptions): Promise<void> {
    try {
      if (options) assertDeleteOptions(options);
      return this.#finish(this.#write({ key: encodeKey(key), put: undefined }), options?.durable);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Returns the value of a key, or `fallback` where there is none. */
  get(key: Key): Promise<V | undefined>;
  /** Returns the value of a key, or `fallback` where there is none. */
  get<F>(key: Key, fallback: F): Promise<V | F>;
  get<F>(key: Key, fallback?: F): Promise<V | F | undefined> {
    try {
      const found = this.#read(key);
      if (found instanceof Promise) return found.then((found) => valueOf<V, F>(found, fallback));
      return Promise.resolve(valueOf<V, F>(found, fallback));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Returns the values of several keys, in their order; undefined where there is none. */
  getMany(keys: readonly Key[]): Promise<(V | undefined)[]> {
    return Promise.all(keys.map((key) => this.get(key)));
  }

  /** Says whether a key is there; its value may be undefined. */
  async has(key: Key): Promise<boolean> {
    return await this.#read(key) !== undefined;
  }

  /**
   * Changes one entry in one step: `change` gets the value that is there and returns the new one. It is
   * called again when the entry was changed meanwhile.
   *
   * @returns The new value.
   */
  update(
    key: Key,
    change: (value: V | undefined) => V | Promise<V>,
    options?: TransactionOptions,
  ): Promise<V> {
    return this.transaction([key], async (tx) => {
      const value = await change(await tx.get(key));
      tx.set(key, value);
      return value;
    }, options);
  }

  /** Removes all entries; in a shared store not in one step. */
  async clear(): Promise<void> {
    this.#assertOpen();
    const removed: string[] = [];
    await this.#space.clear((key) => void removed.push(key));
    await this.#publish(removed.map((key) => ({ key, put: undefined })));
  }

  /**
   * Iterates over entries in the order of their keys. It may be written to meanwhile: each key comes at
   * most once, with the value that it has then.
   */
  entries(options?: RangeOptions): AsyncIterableIterator<[Key, V]> {
    return this.#scan(options, toEntry<V>);
  }

  /** Iterates over keys; see {@linkcode Cache.entries}. */
  keys(options?: RangeOptions): AsyncIterableIterator<Key> {
    return this.#scan(options, toKey);
  }

  /** Iterates over values; see {@linkcode Cache.entries}. */
  values(options?: RangeOptions): AsyncIterableIterator<V> {
    return this.#scan(options, toValue<V>);
  }

  /**
   * Runs a function that reads and writes several keys as one step: all of what it writes happens, or
   * nothing.
   *
   * - Transactions with a key in common run one after the other; a nested one on a held key is an error.
   * - When anything that it read was changed meanwhile, by a plain `set` or by another process, the function
   *   runs again. It may read keys that are not declared, and write only those that are.
   * - An exception writes nothing and is passed on.
   *
   * @param keys The keys that it may write.
   * @returns What the function returned.
   * @throws {DOMException} Named `TimeoutError`, when it takes longer than `timeoutMs`.
   */
  async transaction<R>(
    keys: readonly Key[],
    run: (tx: Transaction<V>) => R | Promise<R>,
    options?: TransactionOptions,
  ): Promise<R> {
    this.#assertOpen();
    return await runTransaction<V, R>(this.#host, keys, run, options);
  }

  /**
   * Returns every write from its first read on, as key and value; undefined where a key was deleted. A
   * transaction's writes come at its commit. What the window drops or what expires is no write; in a shared
   * store only the writes of this object are seen.
   *
   * It ends when the signal aborts, by `return()` and when the cache is closed. It may be the source of a flow.
   */
  updates(options: UpdatesOptions = {}): AsyncIterableIterator<[Key, V | undefined]> {
    this.#assertOpen();
    return this.#updates.subscribe(options);
  }

  /**
   * Returns another cache in the same store: its entries are apart, and what both have written becomes
   * durable together.
   */
  space<W = unknown>(name: string, options: SpaceOptions<W> = {}): Cache<W> {
    this.#assertOpen();
    assertSpaceOptions(options as SpaceOptions, this.#store);
    assertSpaceName(name);
    const known = this.#spaces.get(name) as Cache<W> | undefined;
    return known ?? new Cache<W>(this.#store, options, name, this.#spaces);
  }

  /** How many entries there are; what has expired may count until it is swept. Not in a shared store. */
  get size(): number {
    this.#assertOpen();
    return this.#space.size;
  }

  /** The size of all entries in bytes, estimated. Not in a shared store. */
  get bytes(): number {
    this.#assertOpen();
    return this.#space.bytes;
  }

  /** How many entries were dropped because of `maxBytes`, since the cache was opened. */
  get evictions(): number {
    return this.#space.evictions;
  }

  /**
   * Resolves when everything written so far is on disk.
   *
   * @throws {CacheStorageError} If the disk does not take it: it stays in memory and is tried again.
   */
  flush(): Promise<void> {
    return this.#closed ?? this.#store.flush();
  }

  /** Flushes and closes; a second call waits for the first. Spaces of the same store are closed with it. */
  close(): Promise<void> {
    return this.#closed ??= this.#name === "" ? this.#closeStore() : this.#closeSpace();
  }

  /** Closes the cache. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Makes the cache the sink of a flow: it takes pairs of key and value. */
  [openSink](_host: Host): SinkPort<readonly [Key, V]> {
    const write = (pair: readonly [Key, V]) => {
      assertPair(pair);
      return this.#write(this.#toWrite(encodeKey(pair[0]), pair[1], undefined));
    };
    return { write, flush: () => this.flush() };
  }

  async #closeStore(): Promise<void> {
    for (const cache of this.#spaces.values()) {
      cache.#closed ??= DONE;
      cache.#retire();
    }
    this.#retire();
    await this.#store.close();
  }

  async #closeSpace(): Promise<void> {
    this.#retire();
    this.#spaces.delete(this.#name);
    await this.#store.flush();
  }

  #retire(): void {
    openStores.delete(this);
    this.#updates.end();
  }

  #assertOpen(): void {
    if (this.#closed) throw new TypeError("Cannot use a cache that is closed");
  }

  #read(key: Key): Found | undefined | Promise<Found | undefined> {
    this.#assertOpen();
    return this.#space.read(encodeKey(key));
  }

  #toWrite(key: string, value: unknown, ttlMs = this.#ttlMs): Write {
    const { value: copy, cloned, size } = copyIn(value);
    if (ttlMs !== this.#ttlMs) assertAtLeast("ttlMs", ttlMs, 1);
    const expires = ttlMs === Infinity ? 0 : this.#store.clock.now() + ttlMs;
    return { key, put: { value: copy, cloned, size, expires } };
  }

  #write(write: Write): void | Promise<void> {
    this.#assertOpen();
    const room = this.#space.write(write);
    if (!this.#updates.read) return room;
    if (room === undefined) return this.#publish([write]);
    return room.then(() => this.#publish([write]));
  }

  #finish(written: void | Promise<void>, durable = false): Promise<void> {
    if (durable) return Promise.all([written, this.flush()]).then(() => {});
    return written ?? DONE;
  }

  #publish(writes: readonly Write[]): void | Promise<void> {
    if (!this.#updates.read) return;
    let room: void | Promise<void> = undefined;
    for (const { key, put } of writes) {
      const cloned = put?.cloned ?? false;
      room = this.#updates.publish({ key, value: put?.value, cloned }) ?? room;
    }
    return room;
  }

  #scan<T>(options: RangeOptions | undefined, map: (found: Found) => T): AsyncIterableIterator<T> {
    this.#assertOpen();
    return new EntryIterator(this.#space.scan(toRange(options)), map, () => this.#assertOpen());
  }
}
