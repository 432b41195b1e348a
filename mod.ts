/**
 * Stream processing on web streams: sources, handlers and sinks.
 *
 * @module
 */
export { type Clock } from "./src/clock.ts";
export { Cache } from "./src/cache/cache.ts";
export type {
  CacheOptions,
  DeleteOptions,
  MemoryCacheOptions,
  SetOptions,
  SpaceOptions,
} from "./src/cache/cache_options.ts";
export { CacheHeldError, CacheStorageError } from "./src/cache/errors.ts";
export type { Key, KeyPart } from "./src/cache/keys.ts";
export { MemoryCache } from "./src/cache/memory_cache.ts";
export type { RangeOptions } from "./src/cache/range.ts";
export type {
  Transaction,
  TransactionOptions,
  TransactionSetOptions,
} from "./src/cache/transaction.ts";
export type { UpdatesOptions } from "./src/cache/updates.ts";
export { type Host, openSink, type SinkPort, type SinkTarget } from "./src/flow/feed.ts";
