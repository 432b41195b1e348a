import type { Clock } from "../clock.ts";
import type { Key } from "./keys.ts";
import { checkAtLeast, checkOptions } from "../options.ts";
import type { CacheStore } from "./store.ts";

/** What a cache keeps, and for how long. */
export interface SpaceOptions<V = unknown> {
  /**
   * How much it keeps, in estimated bytes: the entries written longest ago go first. `Infinity` keeps all. A
   * shared store does not evict: there it is an error.
   *
   * @default {25_000_000; in a space, that of the cache that was opened}
   */
  maxBytes?: number | undefined;
  /**
   * How long an entry lives after it was written, in milliseconds, at least 1.
   *
   * @default {Infinity}
   */
  ttlMs?: number | undefined;
  /** Called with each entry that is dropped because of `maxBytes`. */
  onEvict?: ((key: Key, value: V) => void) | undefined;
}

/** Options of a {@linkcode MemoryCache}. */
export interface MemoryCacheOptions<V = unknown> extends SpaceOptions<V> {
  /**
   * The most that a transaction may write, in estimated bytes; where flows keep their state in the cache, the most
   * that may be written between two cuts. The limit of a shared store is lower in any case.
   *
   * @default {64_000_000}
   */
  maxTransactionBytes?: number | undefined;
  /**
   * The clock.
   *
   * @default {systemClock}
   */
  clock?: Clock | undefined;
}

/** Options of {@linkcode Cache.open}. */
export interface CacheOptions<V = unknown> extends MemoryCacheOptions<V> {
  /**
   * How long a write may wait in memory before it goes to disk, in milliseconds. In a shared store, writes do not wait.
   *
   * @default {100}
   */
  flushIntervalMs?: number | undefined;
  /**
   * Whether several processes use the store: then each read and write goes to it. A file is created for one or the
   * other, and stays that way.
   *
   * @default {true for a URL and for an open `Deno.Kv`, else false}
   */
  shared?: boolean | undefined;
  /**
   * What to do about damage, such as a bit that flipped on the disk: `"refuse"` opens nothing and says what is
   * damaged, `"salvage"` deletes that and keeps the rest; see {@linkcode Cache.damage}. In a shared store it
   * is about the row that says what the store is; a damaged entry is an error when it is read, until it is written
   * or deleted.
   *
   * @default {"refuse"}
   */
  damaged?: "refuse" | "salvage" | undefined;
  /**
   * How long one call to a shared store may take, in milliseconds; an operation makes up to three, and more for
   * large values.
   *
   * @default {10_000}
   */
  deadlineMs?: number | undefined;
}

/** How one entry is written. */
export interface SetOptions {
  /**
   * How long the entry lives, in milliseconds.
   *
   * @default {the `ttlMs` of the cache}
   */
  ttlMs?: number | undefined;
  /**
   * Whether to wait for the disk.
   *
   * @default {false}
   */
  durable?: boolean | undefined;
}

/** How one entry is deleted. */
export type DeleteOptions = Pick<SetOptions, "durable">;

const SET_NAMES = ["ttlMs", "durable"] as const;
const DELETE_NAMES = ["durable"] as const;
const MAX_NAME = 40;
const SPACE_NAMES = ["maxBytes", "ttlMs", "onEvict"] as const;
const MEMORY_NAMES = [...SPACE_NAMES, "maxTransactionBytes", "clock"] as const;
const CACHE_NAMES = [
  ...MEMORY_NAMES,
  "flushIntervalMs",
  "shared",
  "damaged",
  "deadlineMs",
] as const;

/** Throws unless the options of `Cache.open` are right. */
export function assertCacheOptions(options: CacheOptions): void {
  checkOptions("a cache", options, CACHE_NAMES);
  assertValues(options);
}

/** Throws unless the options of a `MemoryCache` are right. */
export function assertMemoryCacheOptions(options: MemoryCacheOptions): void {
  checkOptions("a memory cache", options, MEMORY_NAMES);
  assertValues(options);
}

/** Throws unless the options of a space are right for its store. */
export function assertSpaceOptions(options: SpaceOptions, store: CacheStore): void {
  checkOptions("a space", options, SPACE_NAMES);
  assertValues(options);
  if (!store.evicts) assertNoEviction(options);
}

/** Throws unless a space can have this name. */
export function assertSpaceName(name: string): void {
  if (typeof name === "string" && /^[\w-]+$/.test(name) && name.length <= MAX_NAME) return;
  throw new TypeError(
    `Cannot use ${Deno.inspect(name)} as the name of a space: ` +
      `it must be 1 to ${MAX_NAME} letters, digits, "_" or "-"`,
  );
}

/** Throws unless the options of `set` are known. */
export function assertSetOptions(options: SetOptions): void {
  checkOptions("set", options, SET_NAMES);
}

/** Throws unless the options of `delete` are known. */
export function assertDeleteOptions(options: DeleteOptions): void {
  checkOptions("delete", options, DELETE_NAMES);
}

/** Throws if eviction is asked for where there can be none. */
export function assertNoEviction({ maxBytes, onEvict }: SpaceOptions): void {
  if (maxBytes === undefined && onEvict === undefined) return;
  const name = maxBytes === undefined ? "onEvict" : "maxBytes";
  throw new TypeError(
    `Cannot use ${name} with a shared store: what others write cannot be counted; use ttlMs`,
  );
}

function assertValues(options: CacheOptions): void {
  const { maxBytes, ttlMs, maxTransactionBytes, flushIntervalMs, deadlineMs, onEvict, damaged } =
    options;
  if (maxBytes !== undefined) checkAtLeast("maxBytes", maxBytes, 1);
  if (ttlMs !== undefined) checkAtLeast("ttlMs", ttlMs, 1);
  if (maxTransactionBytes !== undefined) {
    checkAtLeast("maxTransactionBytes", maxTransactionBytes, 1);
  }
  if (flushIntervalMs !== undefined) checkAtLeast("flushIntervalMs", flushIntervalMs, 0);
  if (deadlineMs !== undefined) checkAtLeast("deadlineMs", deadlineMs, 1);
  if (damaged !== undefined && damaged !== "refuse" && damaged !== "salvage") {
    throw new TypeError(
      `Cannot use damaged ${Deno.inspect(damaged)}: it must be "refuse" or "salvage"`,
    );
  }
  if (onEvict !== undefined && typeof onEvict !== "function") {
    throw new TypeError(`Cannot use onEvict ${Deno.inspect(onEvict)}: it must be a function`);
  }
}
