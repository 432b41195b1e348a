import type { Clock } from "../clock.ts";
import type { Store } from "../flow/source/feed.ts";
import type { StateStore } from "../flow/state/state.ts";
import type { CacheDamage } from "./errors.ts";
import type { Key } from "./keys.ts";
import type { Space } from "./space.ts";

/** How much one space keeps. */
export interface SpaceLimits {
  /** Estimated bytes at most. */
  maxBytes: number;
  /** Called with each entry that is evicted. */
  onEvict: ((key: Key, value: unknown) => void) | undefined;
}

/**
 * What stands behind one or several caches: a file, a server or nothing but memory. Every commit flushes
 * it.
 */
export interface CacheStore extends Store {
  /** What it is called in words. */
  readonly name: string;
  /** The time. */
  readonly clock: Clock;
  /** The most that a transaction may write, in estimated bytes. */
  readonly maxTransactionBytes: number;
  /** What was left out when it was opened, since it was damaged. */
  readonly damage: CacheDamage | undefined;
  /** Whether it can evict entries. */
  readonly evicts: boolean;
  /** Returns the entries of a space. */
  space(name: string, limits: SpaceLimits): Space;
  /** The store as one that holds exact state; undefined when others write to it too. */
  readonly state: StateStore | undefined;
  /** True while flows decide what goes to disk, or after they left half a message in it. */
  readonly driven: boolean;
  /** True after they left half a message in it: it can only be closed. */
  readonly dropped: boolean;
  /** Throws while flows keep their state in it. */
  assertMayClose(): void;
  /** Throws when a flow calls that waits for the disk within a message: it would wait for itself. */
  assertMayWait(what: string): void;
  /** Flushes, and releases what was opened. */
  close(): Promise<void>;
}
