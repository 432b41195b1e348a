import type { Clock } from "../clock.ts";
import type { Key } from "./keys.ts";
import type { Duration } from "../duration.ts";
import {
  callback,
  clock,
  duration,
  flag,
  number,
  oneOf,
  type Read,
  readOptions,
  type Rules,
} from "../options.ts";
import type { CacheStore } from "./store.ts";

/** How much a cache keeps, and for how long. */
export interface SpaceOptions<V = unknown> {
  /**
   * How much it keeps, in estimated bytes: the entries written longest ago go first. `Infinity` keeps all. A
   * shared store does not evict: there it is an error.
   *
   * @default {25_000_000; in a space, that of the cache that was opened}
   */
  maxBytes?: number | undefined;
  /**
   * How long an entry lives after it was written, at least 1 ms.
   *
   * @default {Infinity}
   */
  ttl?: Duration | undefined;
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
   * How long a write may wait in memory before it goes to disk. In a shared store, writes do not wait.
   *
   * @default {100}
   */
  flushInterval?: Duration | undefined;
  /**
   * Whether several processes use the store: then each read and write goes to it. A file is created for one of the
   * two, and stays so.
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
   * How long one call to a shared store may take; an operation makes up to three, and more for large values.
   *
   * @default {10_000}
   */
  callTimeout?: Duration | undefined;
}

/** How one entry is written. */
export interface SetOptions {
  /**
   * How long the entry lives, at least 1 ms.
   *
   * @default {the `ttl` of the cache}
   */
  ttl?: Duration | undefined;
  /**
   * Whether to wait for the disk.
   *
   * @default {false}
   */
  durable?: boolean | undefined;
}

/** How one entry is deleted. */
export type DeleteOptions = Pick<SetOptions, "durable">;

const MAX_NAME = 40;

const SPACE_RULES = {
  maxBytes: number({ least: 1 }),
  ttl: duration({ least: 1 }),
  onEvict: callback,
} as const satisfies Rules<SpaceOptions>;
/** The rules of a `MemoryCache`. */
export const MEMORY_RULES = {
  ...SPACE_RULES,
  maxTransactionBytes: number({ least: 1 }),
  clock,
} as const satisfies Rules<MemoryCacheOptions>;
/** The rules of `Cache.open`. */
export const CACHE_RULES = {
  ...MEMORY_RULES,
  flushInterval: duration(),
  shared: flag,
  damaged: oneOf("refuse", "salvage"),
  callTimeout: duration({ least: 1 }),
} as const satisfies Rules<CacheOptions>;
/** The rules of `set`. */
export const SET_RULES = { ttl: SPACE_RULES.ttl, durable: flag } as const satisfies Rules<
  SetOptions
>;
/** The rules of `delete`. */
export const DELETE_RULES = { durable: flag } as const satisfies Rules<DeleteOptions>;

/** The options of a space with durations in milliseconds. */
export type SpaceSettings<V = unknown> =
  & Omit<SpaceOptions<V>, "ttl">
  & { readonly ttl?: number | undefined };

/** The options of `Cache.open` with durations in milliseconds. */
export type CacheSettings<V = unknown> = Read<CacheOptions<V>, typeof CACHE_RULES>;

/** Reads the options of a space; throws unless they are right for its store. */
export function readSpaceOptions<V>(options: SpaceOptions<V>, store: CacheStore): SpaceSettings<V> {
  const settings = readOptions("a space", options, SPACE_RULES);
  if (!store.evicts) assertNoEviction(settings);
  return settings;
}

/** Throws unless a space can have this name. */
export function assertSpaceName(name: string): void {
  if (typeof name === "string" && /^[\w-]+$/.test(name) && name.length <= MAX_NAME) return;
  throw new TypeError(
    `Cannot use ${Deno.inspect(name)} as the name of a space: ` +
      `it must be 1 to ${MAX_NAME} letters, digits, "_" or "-"`,
  );
}

/** Throws if eviction is asked for where there can be none. */
export function assertNoEviction(
  { maxBytes, onEvict }: { maxBytes?: unknown; onEvict?: unknown },
): void {
  if (maxBytes === undefined && onEvict === undefined) return;
  const name = maxBytes === undefined ? "onEvict" : "maxBytes";
  throw new TypeError(
    `Cannot use ${name} with a shared store: the writes of other processes cannot be counted; use ttl`,
  );
}
