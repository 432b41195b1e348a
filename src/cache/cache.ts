import { type Host, openSink, type SinkPort, type SinkTarget } from "../flow/feed.ts";
import { openState, type StateKeeper, type StateStore } from "../flow/state.ts";
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
import { encodeKey, type Key } from "./keys.ts";
import { openStore } from "./open.ts";
import { type RangeOptions, toRange } from "./range.ts";
import type { Found, Space } from "./space.ts";
import { Spaces } from "./spaces.ts";
import type { CacheStore, SpaceLimits } from "./store.ts";
import { runTransaction, type Transaction, type TransactionOptions } from "./transaction.ts";
import type { UpdatesOptions } from "./updates.ts";
import { Writes } from "./writes.ts";

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
export class Cache<V = unknown>
  implements AsyncDisposable, SinkTarget<readonly [Key, V]>, StateKeeper {
  readonly #store: CacheStore;
  readonly #space: Space;
  readonly #spaces: Spaces<Cache>;
  readonly #name: string;
  readonly #writes: Writes<V>;
  readonly #maxBytes: number;
  readonly #ttlMs: number;
  #closed: Promise<void> | undefined;

  /** @internal Opened by {@linkcode Cache.open}. */
  protected constructor(
    store: CacheStore,
    options: SpaceOptions<V>,
    name = "",
    spaces: Spaces<Cache> = new Spaces<Cache>(store),
  ) {
    const { maxBytes = DEFAULT_MAX_BYTES, ttlMs = Infinity, onEvict } = options;
    this.#store = store;
    this.#name = name;
    this.#maxBytes = maxBytes;
    this.#ttlMs = ttlMs;
    if (store.driven) this.#assertExact();
    this.#space = store.space(name, { maxBytes, onEvict: onEvict as SpaceLimits["onEvict"] });
    this.#spaces = spaces;
    this.#writes = new Writes(store, this.#space, ttlMs);
    spaces.join(name, this as Cache, () => {
      this.#closed ??= DONE;
      this.#writes.end();
    });
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
    const store = await openStore(target, options as CacheOptions);
    try {
      return new Cache<V>(store, options);
    } catch (error) {
      await store.close().catch(() => {}); // the first error says more
      throw error;
    }
  }

  /**
   * Writes an entry. The promise is settled when the write can be read, and is backpressure: awaiting it
   * keeps what is not on disk yet small.
   *
   * @throws {CacheStorageError} If the disk does not take it: it may be readable already, as it waits in
   * memory until the disk takes it, and is not durable yet.
   * @throws {RangeError} If the entry alone is larger than `maxBytes`; nothing is written then.
   */
  set(key: Key, value: V, options?: SetOptions): Promise<void> {
    try {
      if (options) assertSetOptions(options);
      if (options?.durable) this.#store.assertMayWait("wait for a durable write");
      return this.#finish(this.#set(key, value, options?.ttlMs), options?.durable);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Deletes an entry, if it is there. */
  delete(key: Key, options?: DeleteOptions): Promise<void> {
    try {
      if (options) assertDeleteOptions(options);
      if (options?.durable) this.#store.assertMayWait("wait for a durable write");
      this.#assertOpen();
      const deleted = this.#writes.write({ key: encodeKey(key), put: undefined });
      return this.#finish(deleted, options?.durable);
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
    this.#store.assertMayWait("clear a cache");
    await this.#writes.clear();
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
   * @throws {CacheStorageError} If the disk does not take it; see {@linkcode Cache.set}.
   */
  async transaction<R>(
    keys: readonly Key[],
    run: (tx: Transaction<V>) => R | Promise<R>,
    options?: TransactionOptions,
  ): Promise<R> {
    this.#assertOpen();
    return await runTransaction<V, R>(this.#writes, keys, run, options);
  }

  /**
   * Returns every write from its first read on, as key and value; undefined where a key was deleted. A
   * transaction's writes come at its commit; what is taken back after an error, in a flow with exact state,
   * comes as one more write. What the window drops or what expires is no write; in a shared store only the
   * writes of this object are seen.
   *
   * It ends when the signal aborts, by `return()` and when the cache is closed. It may be the source of a flow.
   */
  updates(options: UpdatesOptions = {}): AsyncIterableIterator<[Key, V | undefined]> {
    this.#assertOpen();
    return this.#writes.updates(options);
  }

  /**
   * Returns another cache in the same store: its entries are apart, and what both have written becomes
   * durable together.
   *
   * @throws {TypeError} If an option or the name is wrong, or the space is open and options are given.
   */
  space<W = unknown>(name: string, options: SpaceOptions<W> = {}): Cache<W> {
    this.#assertOpen();
    assertSpaceOptions(options as SpaceOptions, this.#store);
    assertSpaceName(name);
    const known = this.#spaces.find(name) as Cache<W> | undefined;
    if (known === undefined) return new Cache<W>(this.#store, options, name, this.#spaces);
    if (Object.keys(options).length === 0) return known;
    throw new TypeError(
      `Cannot give options to space "${name}" again: it is open; give them where it is opened first`,
    );
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
    this.#assertOpen();
    return this.#space.evictions;
  }

  /**
   * Resolves when everything written so far is on disk.
   *
   * @throws {CacheStorageError} If the disk does not take it: it stays in memory and is tried again.
   */
  async flush(): Promise<void> {
    this.#store.assertMayWait("flush a cache");
    this.#assertOpen();
    await this.#store.flush();
  }

  /** True while flows that keep their state in the store decide what goes to disk. */
  get driven(): boolean {
    return this.#store.driven;
  }

  /**
   * Makes the store of the cache one that holds the state of flows.
   *
   * @internal
   */
  [openState](): StateStore {
    this.#assertOpen();
    const { state } = this.#store;
    if (state === undefined) {
      throw new TypeError(
        "Cannot keep exact state in a shared store: other processes write to it between the cuts; " +
          "open the cache at a path, without shared",
      );
    }
    for (const cache of this.#spaces.all()) cache.#assertExact();
    return state;
  }

  /**
   * Flushes and closes; a second call waits for the first. Spaces of the same store are closed with it.
   *
   * @throws {TypeError} While flows keep their state in it.
   */
  // deno-lint-ignore require-await -- what assertMayClose() throws is a rejection
  async close(): Promise<void> {
    this.#store.assertMayClose();
    return this.#closed ??= this.#spaces.close(this.#name);
  }

  /** Closes the cache. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Makes the cache the sink of a flow: it takes pairs of key and value. */
  [openSink](_host: Host): SinkPort<readonly [Key, V]> {
    const write = (pair: readonly [Key, V]) => {
      assertPair(pair);
      return this.#set(pair[0], pair[1]);
    };
    const flush = async () => {
      // Also while it is being closed, which ends no flow.
      if (!this.driven) await this.#store.flush();
    };
    return { write, flush };
  }

  /** What is dropped by size or time would be dropped at other moments when messages are repeated. */
  #assertExact(): void {
    const [name, value] = this.#ttlMs < Infinity
      ? ["ttlMs", this.#ttlMs]
      : ["maxBytes", this.#maxBytes];
    if (value === Infinity) return;
    const space = this.#name === "" ? "the cache" : `space "${this.#name}"`;
    throw new TypeError(
      `Cannot keep exact state in a store while ${space} has ${name} ${value}: what it drops would ` +
        `depend on the moment; open it with ${name}: Infinity`,
    );
  }

  #assertOpen(): void {
    if (this.#closed) throw new TypeError("Cannot use a cache that is closed");
  }

  #read(key: Key): Found | undefined | Promise<Found | undefined> {
    this.#assertOpen();
    return this.#space.read(encodeKey(key));
  }

  #set(key: Key, value: unknown, ttlMs?: number): void | Promise<void> {
    this.#assertOpen();
    return this.#writes.write(this.#writes.toWrite(encodeKey(key), value, ttlMs));
  }

  #finish(written: void | Promise<void>, durable = false): Promise<void> {
    if (durable) return Promise.all([written, this.flush()]).then(() => {});
    return written ?? DONE;
  }

  #scan<T>(options: RangeOptions | undefined, map: (found: Found) => T): AsyncIterableIterator<T> {
    this.#assertOpen();
    return new EntryIterator(this.#space.scan(toRange(options)), map, () => this.#assertOpen());
  }
}
