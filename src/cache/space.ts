import type { KeyPart } from "./keys.ts";

/** An entry of a cache as a layout hands it out; `value` belongs to the layout and is copied for readers. */
export interface Found {
  /** The encoded key. */
  readonly key: string;
  /** The value. */
  readonly value: unknown;
  /** Whether only `structuredClone` can copy the value. */
  readonly cloned: boolean;
}

/** A write: of a value, or of the absence of one. */
export interface Write {
  /** The encoded key. */
  readonly key: string;
  /** What is stored; undefined when the key is deleted. */
  readonly put: Put | undefined;
}

/** The value of a {@linkcode Write}. */
export interface Put {
  /** A copy that no one else holds. */
  readonly value: unknown;
  /** Whether only `structuredClone` can copy the value. */
  readonly cloned: boolean;
  /** Its size in bytes, estimated. */
  readonly size: number;
  /** When it expires, in milliseconds since the epoch; 0 for never. */
  readonly expires: number;
}

/** Encoded keys from `low` (included) to `high` (excluded), and the way through them. */
export interface Range {
  /** Parts with which all of them begin. */
  readonly prefix: readonly KeyPart[];
  /**
   * The parts of a key at which the way begins, for a layout that cannot begin at `low` or `high`: the first
   * one or before it; with `reverse` the one above the first, or above that.
   */
  readonly first: readonly KeyPart[] | undefined;
  /** The least key. */
  readonly low: string;
  /** What is above the greatest key. */
  readonly high: string;
  /** Whether it goes from the greatest key to the least. */
  readonly reverse: boolean;
  /** How many entries at most. */
  readonly limit: number;
}

/** A walk through a range while it is being written to: each key at most once, in order. */
export interface Cursor {
  /** Returns the next entry, or undefined at the end. */
  next(): Found | undefined | Promise<Found | undefined>;
}

/**
 * What the two layouts of a cache implement: the entries of one space of a store, under encoded keys.
 *
 * Everything that is the same in both (keys, copies, queues, updates) is done above it, in `Cache`. What
 * returns no promise is done when it returns.
 */
export interface Space {
  /** Whether a write is applied when the call returns: a promise is backpressure then, and no more. */
  readonly immediate: boolean;
  /** Returns an entry that has not expired. */
  read(key: string): Found | undefined | Promise<Found | undefined>;
  /** Writes; a promise is backpressure, or the write itself where it goes to a server. */
  write(write: Write): void | Promise<void>;
  /**
   * Applies all writes if each key of `reads` still has the entry that was read, else none.
   *
   * @returns Whether they were applied.
   */
  commit(
    reads: ReadonlyMap<string, Found | undefined>,
    writes: readonly Write[],
  ): boolean | Promise<boolean>;
  /** Walks through a range. */
  scan(range: Range): Cursor;
  /** Told of each write that puts back what a message that failed had changed. */
  onRestore?: ((write: Write) => void) | undefined;
  /** Removes all entries, and hands their keys to `removed`. */
  clear(removed: (key: string) => void): void | Promise<void>;
  /** How many entries there are. */
  readonly size: number;
  /** Their size in bytes, estimated. */
  readonly bytes: number;
  /** How many entries were evicted since the store was opened. */
  readonly evictions: number;
}
