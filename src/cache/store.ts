import type { Clock } from "../clock.ts";
import type { ExactState } from "./exact_state.ts";
import type { Key } from "./keys.ts";
import type { Space } from "./space.ts";

/** How much one space keeps. */
export interface SpaceLimits {
  /** Estimated bytes at most. */
  maxBytes: number;
  /** Called with each entry that the window drops. */
  onEvict: ((key: Key, value: unknown) => void) | undefined;
}

/** What stands behind one or several caches: a file, a server or nothing but memory. */
export interface CacheStore {
  /** The time. */
  readonly clock: Clock;
  /** The most that a transaction may write, in estimated bytes. */
  readonly maxTransactionBytes: number;
  /** Whether it can have a window. */
  readonly windowed: boolean;
  /** How its cuts are driven, where it has cuts. */
  readonly exactState?: ExactState;
  /** Returns the entries of a space. */
  space(name: string, limits: SpaceLimits): Space;
  /** Resolves when everything written so far is on disk. */
  flush(): Promise<void>;
  /** Flushes, and releases what was opened. */
  close(): Promise<void>;
}
