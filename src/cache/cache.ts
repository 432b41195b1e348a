import { asPart } from "../flow/run/attribution.ts";
import {
  openSink,
  type SinkPort,
  type SinkTarget,
  type Store,
  storeOf,
} from "../flow/source/feed.ts";
import type { Host } from "../flow/source/host.ts";
import type { Aggregation } from "../flow/stage/aggregation.ts";
import { openState, type StateCache, type StateStore } from "../flow/state/state.ts";
import { readOptions } from "../options.ts";
import { type Tombstone, tombstone } from "../tombstone.ts";
import type { Context, MessageKey } from "../types.ts";
import { type AggregateOptions, type Keyed, makeAggregation } from "./aggregate.ts";
import {
  CACHE_RULES,
  type CacheOptions,
  type CacheSettings,
  type DeleteOptions,
  type SetOptions,
  type SpaceOptions,
  type SpaceSettings,
} from "./cache_options.ts";
import type { CacheDamage } from "./errors.ts";
import type { Key } from "./keys.ts";
import { openStore } from "./open.ts";
import type { RangeOptions } from "./range.ts";
import { Reads } from "./reads.ts";
import type { Space } from "./space.ts";
import { Spaces } from "./spaces.ts";
import type { CacheStore, SpaceLimits } from "./store.ts";
import { runTransaction, type Transaction, type TransactionOptions } from "./transaction.ts";
import { runUpdate } from "./update.ts";
import type { UpdatesOptions } from "./updates.ts";
import { Writes } from "./writes.ts";

const DEFAULT_MAX_BYTES = 25_000_000;

/**
 * Entries by key, in order, in memory and on disk: the state of a flow. (It is not the `Cache` of the web.)
 *
 * - A write can be read at once; it is on disk within `flushInterval` and a commit, or at the commit of a flow,
 *   whichever comes first. After a crash, the cache holds everything written up to some moment.
 * - Values are copied in and out, as `structuredClone` does. One difference: in data of plain objects, arrays
 *   and `Uint8Array`s without a cycle, an object that is referred to twice comes back as two.
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
  implements AsyncDisposable, SinkTarget<readonly [Key, V | Tombstone]>, StateCache {
  readonly #store: CacheStore;
  readonly #name: string;
  readonly #spaces: Spaces<Cache>;
  readonly #space: Space;
  readonly #reads: Reads<V>;
  readonly #writes: Writes<V>;
  #closed: Promise<void> | undefined;

  /** @internal Opened by {@linkcode Cache.open}. */
  protected constructor(
    store: CacheStore,
    settings: SpaceSettings<V>,
    name = "",
    spaces: Spaces<Cache> = new Spaces<Cache>(store),
  ) {
    if (typeof store?.space !== "function") {
      throw new TypeError(
        "Cannot construct a Cache with new: write await Cache.open(path), or new MemoryCache()",
      );
    }
    const { maxBytes = spaces.maxBytes ?? DEFAULT_MAX_BYTES, ttl = Infinity, onEvict } = settings;
    const retention = { maxBytes, ttl };
    spaces.assertExact(name, retention);
    this.#store = store;
    this.#name = name;
    this.#spaces = spaces;
    this.#space = store.space(name, { maxBytes, onEvict: onEvict as SpaceLimits["onEvict"] });
    this.#writes = new Writes(store, name, this.#space, ttl);
    this.#reads = new Reads(this.#space, this.#writes);
    const retire = () => {
      this.#closed ??= Promise.resolve();
      this.#writes.end();
    };
    spaces.join(name, { cache: this as Cache, retention, retire });
  }

  /**
   * Opens a cache.
   *
   * @param target A path, whose folder is created if it is missing; the URL of a KV Connect server; or an
   * open `Deno.Kv`, which stays open when the cache is closed.
   * @throws {CacheHeldError} If another process has the store open.
   * @throws {CacheDamagedError} If something in it is missing or was changed on the disk: the error says what, how
   * much, and how to keep the rest. A shared store finds damage entry by entry, when they are read.
   * @throws {CacheStorageError} If the file cannot be opened, is not a store, or is of another version.
   * @throws {TypeError} If an option is unknown or wrong, or Deno runs without `--unstable-kv`.
   */
  static async open<V = unknown>(
    target: string | URL | Deno.Kv,
    options: CacheOptions<V> = {},
  ): Promise<Cache<V>> {
    const settings = readOptions("a cache", options, CACHE_RULES);
    const store = await openStore(target, settings as CacheSettings);
    try {
      return new Cache<V>(store, settings);
    } catch (error) {
      await store.close().catch(() => {}); // the first error says more
      throw error;
    }
  }

  /**
   * Writes an entry. The promise settles when the write can be read. Awaiting it is backpressure: it bounds the
   * writes that are not on disk yet.
   *
   * @throws {CacheStorageError} If the disk does not accept it: it may be readable already, since it waits in memory
   * until the disk accepts it, but it is not durable yet.
   * @throws {RangeError} If the key is too long, or the entry alone larger than `maxBytes`; nothing is
   * written then.
   * @throws {TypeError} If it is not a key, or something in the value would be lost or changed: functions,
   * instances of classes, ….
   */
  set(key: Key, value: V, options?: SetOptions): Promise<void> {
    return this.#writes.set(key, value, options);
  }

  /**
   * Deletes an entry, if it is there; the promise is that of {@linkcode Cache.set}.
   *
   * @throws {CacheStorageError} If the disk does not accept it; see {@linkcode Cache.set}.
   */
  delete(key: Key, options?: DeleteOptions): Promise<void> {
    return this.#writes.delete(key, options);
  }

  /** Returns the value of a key, or `fallback` if there is none. */
  get(key: Key): Promise<V | undefined>;
  /** Returns the value of a key, or `fallback` if there is none. */
  get<F>(key: Key, fallback: F): Promise<V | F>;
  get<F>(key: Key, fallback?: F): Promise<V | F | undefined> {
    return this.#reads.get(key, fallback);
  }

  /** Returns the values of several keys, in their order; undefined where a key has none. */
  getMany(keys: readonly Key[]): Promise<(V | undefined)[]> {
    return Promise.all(keys.map((key) => this.get(key)));
  }

  /** Returns whether a key is there; its value may be undefined. */
  has(key: Key): Promise<boolean> {
    return this.#reads.has(key);
  }

  /**
   * Changes one entry atomically: `change` gets the current value and returns the new one. It is called again if the
   * entry was changed meanwhile. Limits and errors: {@linkcode Cache.transaction}.
   *
   * - Where it returns no promise, this costs about as much as `get` and `set`, except in a shared store.
   * - Where it waits for an `update` of its own key, that is refused at once if it is an `async` function, else when
   *   `timeout` has passed.
   *
   * @returns The new value.
   */
  update(
    key: Key,
    change: (value: V | undefined) => V | Promise<V>,
    options?: TransactionOptions,
  ): Promise<V> {
    return runUpdate(this.#writes, key, change, options);
  }

  /**
   * Makes a handler that keeps a value for each key in this cache, such as a count or a sum: `change` gets the value of
   * the message's key, and the message, and returns the new value. Its result is the pair of key and new value, which a
   * Topic or a Cache takes as its sink.
   *
   * With this cache, or one in the same store, as the `state` of the flow each message counts once, whatever crashes.
   * Another `state` is refused.
   *
   * - An error in `change` meets the flow's `onError`, and nothing is written then. One in a sink meets it, too, but the
   *   message has been counted: a dead letter of it that is redriven counts again.
   * - From Topic to Topic, with `state`, it takes less time than a handler that calls {@linkcode Cache.update}. What
   *   `change` starts and does not wait for cannot write to the state.
   * - In a concurrent flow `by` is the default of `concurrency.by`; another order may bring the values of a key to a sink
   *   in another order, too.
   * - Messages that a checkpoint corrects count again, unless the flow has `replays: "skip"`, or `change` looks at
   *   `context.correction`.
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { App, MemoryCache } from "@slipstream/slipstream";
   *
   * await using totals = new MemoryCache<number>();
   * const orders = [{ key: "ann", value: 5 }, { key: "bob", value: 1 }, { key: "ann", value: 2 }];
   * const seen: unknown[] = [];
   * const app = new App();
   * app.handle(orders, totals.aggregate((sum = 0, order) => sum + order.value), {
   *   sink: (pair) => seen.push(pair),
   * });
   * await app.stream();
   * assertEquals(seen, [["ann", 5], ["bob", 1], ["ann", 7]]);
   * ```
   *
   * @param change Gets undefined for a key that has no value; it must return neither undefined nor a promise.
   * @throws {TypeError} If an argument does not fit. For a message: if it has no key, or `change` returns undefined or a
   * promise.
   */
  aggregate<M, K extends Key>(
    change: (before: V | undefined, message: M, context: Context) => V,
    options: AggregateOptions<M, K>,
  ): Aggregation<M, readonly [K, V]>;
  /** The same by the key of the messages. */
  aggregate<M>(
    change: (before: V | undefined, message: M, context: Context) => V,
  ): Aggregation<M & Keyed, readonly [MessageKey<M>, V]>;
  aggregate<M>(
    change: (before: V | undefined, message: M, context: Context) => V,
    options?: AggregateOptions<M, Key>,
  ): Aggregation<M, readonly [Key, V]> {
    return makeAggregation(this.#writes, this.#store, change, options);
  }

  /** Removes all entries; not atomically in a shared store. */
  clear(): Promise<void> {
    return asPart("clear() of a Cache", async () => {
      this.#writes.assertOpen();
      this.#store.assertMayWait("clear a cache");
      await this.#writes.clear();
    });
  }

  /**
   * Iterates over entries in the order of their keys. The cache may be written to meanwhile: each key comes at most
   * once, with its value at that moment.
   */
  entries(options?: RangeOptions): AsyncIterableIterator<[Key, V]> {
    return this.#reads.entries(options);
  }

  /** Iterates over keys; see {@linkcode Cache.entries}. */
  keys(options?: RangeOptions): AsyncIterableIterator<Key> {
    return this.#reads.keys(options);
  }

  /** Iterates over values; see {@linkcode Cache.entries}. */
  values(options?: RangeOptions): AsyncIterableIterator<V> {
    return this.#reads.values(options);
  }

  /**
   * Runs a function that reads and writes several keys atomically: all of its writes happen, or none.
   *
   * - Transactions with a key in common run one after the other. One that is called inside another fails at once if it
   *   would wait for that one, or for one that waits for it.
   * - If anything that it read was changed meanwhile, by a plain `set` or by another process, the function
   *   runs again. It may read undeclared keys, but writes only declared ones.
   * - If it throws, nothing is written, and the error is passed on.
   *
   * @param keys The keys that it may write.
   * @returns What the function returned.
   * @throws {DOMException} Named `TimeoutError`, when it takes longer than `timeout`, by default 30 seconds:
   * the error names the keys and the reason.
   * @throws {TypeError} If it is called inside a transaction and would wait forever.
   * @throws {RangeError} If it writes more than `maxTransactionBytes`, or more than a shared store takes.
   * @throws {CacheStorageError} If the disk does not accept it; see {@linkcode Cache.set}.
   */
  transaction<R>(
    keys: readonly Key[],
    run: (tx: Transaction<V>) => R | Promise<R>,
    options?: TransactionOptions,
  ): Promise<R> {
    return asPart("a transaction of a Cache", async () => {
      this.#writes.assertOpen();
      return await runTransaction<V, R>(this.#writes, keys, run, options);
    });
  }

  /**
   * Returns every write from this call on, as key and value; undefined where a key was deleted. With
   * `initial: true` the current entries come first, without gaps or duplicates between the two.
   *
   * - A reader that is slower than the writers gets the newest write of each key, or, with `overflow: "wait"`, all of
   *   them, and holds the writers back.
   * - A transaction's writes come at its commit. A write that is undone after an error, in a flow with exact state,
   *   comes as one more write. Evictions and expiry are not writes. In a shared store, only the writes of this object
   *   are seen.
   *
   * It ends when the signal aborts, by `return()`, by an error and when the cache is closed; until then, unread
   * changes are kept in memory, also those of deleted keys: end an iteration that is not read. It may be the source of a flow.
   */
  updates(options: UpdatesOptions = {}): AsyncIterableIterator<[Key, V | undefined]> {
    this.#writes.assertOpen();
    return this.#writes.updates(options);
  }

  /**
   * Returns another cache in the same store: its entries are separate, and the writes of both become durable
   * together. Unless its options say otherwise, it keeps as much as the cache that was opened.
   *
   * @throws {TypeError} If an option or the name is wrong, the space is open and options are given, or it would
   * drop entries by itself in the state of a flow.
   */
  space<W = unknown>(name: string, options: SpaceOptions<W> = {}): Cache<W> {
    this.#writes.assertOpen();
    const make = (settings: SpaceSettings) => new Cache(this.#store, settings, name, this.#spaces);
    return this.#spaces.open(name, options as SpaceOptions, make) as Cache<W>;
  }

  /** How many entries there are; expired ones may count until they are swept. Not available in a shared store. */
  get size(): number {
    this.#writes.assertOpen();
    return this.#space.size;
  }

  /** The estimated size of all entries in bytes. Not available in a shared store. */
  get bytes(): number {
    this.#writes.assertOpen();
    return this.#space.bytes;
  }

  /** How many entries were dropped because of `maxBytes`, since the cache was opened. */
  get evictions(): number {
    this.#writes.assertOpen();
    return this.#space.evictions;
  }

  /**
   * Resolves when everything written so far is on disk.
   *
   * @throws {CacheStorageError} If the disk does not accept it: it stays in memory and is retried.
   */
  async flush(): Promise<void> {
    this.#store.assertMayWait("flush a cache");
    this.#writes.assertOpen();
    await this.#store.flush();
  }

  /** The damage that was left out when it was opened with `damaged: "salvage"`; undefined if there was none. */
  get damage(): CacheDamage | undefined {
    return this.#store.damage;
  }

  /** True while flows decide what goes to disk; see `state` in {@linkcode HandleOptions}. */
  get driven(): boolean {
    return this.#store.driven && !this.#store.dropped;
  }

  /** True after an app has failed within a message of such a flow: the cache can only be closed. */
  get dropped(): boolean {
    return this.#store.dropped;
  }

  /** @internal The store behind it. */
  get [storeOf](): Store {
    return this.#store;
  }

  /** @internal Makes the store of the cache one that holds the state of flows. */
  [openState](): StateStore {
    this.#writes.assertOpen();
    return this.#spaces.exactStore();
  }

  /**
   * Flushes and closes; a second call waits for the first. Spaces of the same store are closed with it.
   *
   * @throws {CacheStorageError} If the disk does not accept the last writes: the cache is closed, and they are lost.
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

  /** Makes the cache the sink of a flow: it takes pairs of key and value, or `tombstone`, which deletes the key. */
  [openSink](_host: Host): SinkPort<readonly [Key, V | Tombstone]> {
    const [writes, store] = [this.#writes, this.#store];
    const write = (pair: readonly [Key, V | Tombstone]) => {
      if (!Array.isArray(pair) || pair.length !== 2) {
        throw new TypeError(
          `Cannot write ${Deno.inspect(pair)} to a cache: it is not [key, value]`,
        );
      }
      const [key, value] = pair as readonly [Key, V | Tombstone];
      return value === tombstone ? writes.remove(key) : writes.put(key, value);
    };
    const flush = async () => {
      // Also while it is being closed, which ends no flow.
      if (!store.driven) await store.flush();
    };
    return { write, flush };
  }
}
