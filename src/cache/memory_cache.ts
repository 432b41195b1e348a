import { systemClock } from "../clock.ts";
import { Cache } from "./cache.ts";
import { readOptions } from "../options.ts";
import { MEMORY_RULES, type MemoryCacheOptions } from "./cache_options.ts";
import { memoryStore } from "./resident/open.ts";

/**
 * A {@linkcode Cache} without a disk, for tests and for state that may be lost.
 *
 * @typeParam V The type of the values.
 *
 * @example
 * ```ts
 * import { MemoryCache } from "@slipstream/slipstream";
 *
 * await using cache = new MemoryCache<number>();
 * await cache.update("count", (count = 0) => count + 1);
 * ```
 */
export class MemoryCache<V = unknown> extends Cache<V> {
  /**
   * Makes an empty cache.
   *
   * @throws {TypeError} If an option is unknown or wrong.
   */
  constructor(options: MemoryCacheOptions<V> = {}) {
    const settings = readOptions("a memory cache", options, MEMORY_RULES);
    const { clock = systemClock, maxTransactionBytes } = settings;
    super(memoryStore(clock, maxTransactionBytes), settings);
  }
}
