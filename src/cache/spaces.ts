import { openStores } from "../flow/source/feed.ts";
import type { StateStore } from "../flow/state/state.ts";
import {
  assertSpaceName,
  readSpaceOptions,
  type SpaceOptions,
  type SpaceSettings,
} from "./cache_options.ts";
import type { CacheStore } from "./store.ts";

/** How much a cache keeps, and for how long. */
export interface Retention {
  /** Estimated bytes at most. */
  readonly maxBytes: number;
  /** How long an entry lives, in milliseconds. */
  readonly ttl: number;
}

/** A cache of a store. */
export interface Member<C> {
  /** The cache. */
  readonly cache: C;
  /** What it keeps. */
  readonly retention: Retention;
  /** Ends its use. */
  retire(): void;
}

/**
 * The caches of one store by their names; the one that was opened is "". Every commit flushes the store
 * until that one is closed.
 */
export class Spaces<C extends object> {
  readonly #store: CacheStore;
  readonly #members = new Map<string, Member<C>>();
  /** True once it was asked for as a state: what is opened after that must be exact too. */
  #exact = false;

  /** Has no caches yet. */
  constructor(store: CacheStore) {
    this.#store = store;
  }

  /**
   * Returns the cache of a name, or what `make` makes where none is open; that is to join.
   *
   * @throws {TypeError} If the name or an option is wrong, or there are options for one that is open.
   */
  open(name: string, options: SpaceOptions, make: (settings: SpaceSettings) => C): C {
    const settings = readSpaceOptions(options, this.#store);
    assertSpaceName(name);
    const known = this.#members.get(name);
    if (known === undefined) return make(settings);
    if (Object.keys(options).length === 0) return known.cache;
    throw new TypeError(
      `Cannot give options to space "${name}" again: it is open; pass them where it is opened first`,
    );
  }

  /** How much the cache that was opened keeps, in estimated bytes; undefined until then. */
  get maxBytes(): number | undefined {
    return this.#members.get("")?.retention.maxBytes;
  }

  /** Throws when a cache to come would drop entries by itself, and the store keeps exact state. */
  assertExact(name: string, retention: Retention): void {
    if (this.#exact) assertExact(name, retention);
  }

  /** Adds a cache. */
  join(name: string, member: Member<C>): void {
    this.#members.set(name, member);
    openStores.add(this.#store);
  }

  /**
   * Returns the store as one that holds exact state.
   *
   * @throws {TypeError} If it is shared, or one of its caches drops entries by itself.
   */
  exactStore(): StateStore {
    const { state } = this.#store;
    if (state === undefined) {
      throw new TypeError(
        "Cannot keep exact state in a shared store: other processes write to it between the cuts; " +
          "open the cache at a path, without shared",
      );
    }
    for (const [name, { retention }] of this.#members) assertExact(name, retention);
    this.#exact = true;
    return state;
  }

  /** Ends the use of a cache and flushes; with the one that was opened all others and the store end too. */
  async close(name: string): Promise<void> {
    if (name !== "") {
      this.#retire(name);
      return await this.#store.flush();
    }
    for (const member of [...this.#members.keys()]) this.#retire(member);
    openStores.delete(this.#store);
    await this.#store.close();
  }

  #retire(name: string): void {
    this.#members.get(name)!.retire();
    this.#members.delete(name);
  }
}

/**
 * Throws unless a cache keeps everything: what it drops by size or time would be dropped at other moments
 * when messages are repeated.
 *
 * @param name The name of its space.
 */
function assertExact(name: string, { maxBytes, ttl }: Retention): void {
  const [limit, value] = ttl < Infinity ? ["ttl", ttl] : ["maxBytes", maxBytes];
  if (value === Infinity) return;
  const space = name === "" ? "the cache" : `space "${name}"`;
  throw new TypeError(
    `Cannot keep exact state in a store while ${space} has ${limit} ${value}: its content would ` +
      `depend on timing; open it with ${limit}: Infinity`,
  );
}
