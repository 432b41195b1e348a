/**
 * Exact state: what a store, a source and the engine ask of each other so that, after a crash, the store
 * holds the state and the positions of one and the same instant. Nothing here knows Kafka or Deno KV.
 */
import type { Commit } from "../source/host.ts";

/** The method that makes an object one that can hold the state of flows. */
export const openState: unique symbol = Symbol("slipstream.openState");

/** What the option `state` of a flow takes: a `Cache` that belongs to this process alone. */
export interface StateCache {
  /**
   * Returns the store behind it, the same one for all that share it.
   *
   * @throws {TypeError} If it cannot hold exact state; the error says what to change.
   * @internal
   */
  [openState](): StateStore;
}

let kept = false;

/**
 * Opens what a flow was given as its state. Flows that are opened after that are attributed, so that a store
 * knows whose writes are in its cuts: until then no flow pays for it.
 */
export function keepState(keeper: StateCache): StateStore {
  const store = keeper[openState]();
  kept = true;
  return store;
}

/** Returns whether a flow of this process was given a state. */
export function isStateKept(): boolean {
  return kept;
}

/** The position of a flow in one partition of a source: what is before it is in the state. */
export interface StoredPosition {
  /** The name of the flow. */
  readonly flow: string;
  /** The name of the source. */
  readonly source: string;
  /** The partition; 0 in a source without partitions. */
  readonly partition: number;
  /** The position. */
  readonly position: unknown;
  /** The positions after messages behind it that are done all the same. */
  readonly done?: readonly unknown[];
}

/** How far a flow is in one partition, as a store has it. */
export interface KnownPosition {
  /** What is before it is in the state. */
  readonly position: unknown;
  /** The positions after messages behind it that are in the state, too. */
  readonly done: readonly unknown[];
}

/**
 * A store that holds state and positions. While it is driven nothing goes to disk but by cuts: each takes
 * everything written so far, and becomes durable as a whole or not at all.
 */
export interface StateStore {
  /** The positions of a flow at a source, by partition. */
  positions(flow: string, source: string): ReadonlyMap<number, KnownPosition>;
  /**
   * Leaves the moments of the cuts to `driver`.
   *
   * @throws {TypeError} If the store is driven already, or has been dropped.
   */
  drive(driver: StateDriver): void;
  /**
   * Takes what was written and these positions, now; the result brings this cut to disk, and no later one.
   *
   * @param without Changes that are not in the cut; nothing that is in it was written over them.
   */
  cut(positions: readonly StoredPosition[], without?: readonly Change[]): Commit;
  /**
   * Has `note` write what belongs into every cut, just before it; what it returns is called once that cut is on disk.
   * Returns what takes that back.
   */
  beforeCut(note: () => void | (() => void)): () => void;
  /** Rows that belong to the cuts, and that no user sees; those of a flow begin with its name. */
  readonly rows: StateRows;
  /** Is driven no longer: it writes when it likes, as before. */
  release(): void;
  /** Is driven no longer, and forgets what is not on disk: it would be half of a message. */
  drop(): void;
}

/** Rows of a store, by encoded keys, which are in the order of strings. They are written before a cut. */
export interface StateRows {
  /** Yields the rows whose keys begin with `prefix`, each with a copy of its value. */
  scan(prefix: string): Iterable<readonly [key: string, value: unknown]>;
  /**
   * Writes a row; the value is copied.
   *
   * @throws {TypeError} If something in the value cannot be stored.
   */
  set(key: string, value: unknown): void;
  /** Deletes a row, if it is there. */
  delete(key: string): void;
}

/** Who decides when a store is cut. */
export interface StateDriver {
  /** Much is waiting for the disk: cut soon, and begin no message before it is there. */
  full(): void;
  /** Resolves when everything written so far is on disk. */
  flush(): Promise<void>;
}

/** What the engine tells a source whose positions are held by stores. */
export interface Resumption {
  /** Says where to begin a partition that would begin at `position` by itself. */
  start(partition: number, position: unknown): unknown;
  /** A flow whose state says nothing of a partition that was not read before in this run. */
  unknownTo(partition: number): string | undefined;
  /** The partition begins at `position`, after a start or a seek; `sought`: wherever it was before. */
  began(partition: number, position: unknown, sought: boolean): void;
}

/** A part of the work of a flow that writes to stores, as these know it; see `undo_log.ts`. */
export interface Writer {
  /** The name of the flow. */
  readonly flow: string;
  /** True when it has failed: it must not change anything any more. */
  readonly failed: boolean;
  /** True while what it has changed may be taken back. */
  readonly open: boolean;
  /** The message that it is for, where others are handled at the same time. */
  readonly message: StateMessage | undefined;
  /** True while what it has changed is taken back if a call of the flow fails. */
  readonly revocable: boolean;
  /** Another flow has read what it has changed, and may take back. */
  wasRead(flow: string): void;
  /** Its call has met what the one of `other` may take back: who of them is taken back, and run again. */
  meets(other: Writer): "yield" | "go on" | "stuck";
  /** Notes a change, to be taken back when the work fails. */
  changed(change: Change): void;
  /** Returns whether it has changed something for which `test` says true. */
  hasChanged(test: (change: Change) => boolean): boolean;
}

/** A message for which a state changes, where several are handled at the same time. */
export interface StateMessage {
  /** Counts the messages of all sources, in the order in which they were taken. */
  readonly order: number;
  /** True once it is in a cut. */
  readonly cut: boolean;
  /** What was changed for it, in this order. */
  readonly changes: Change[];
  /** Its work builds on that of another message: it is in no cut without that. */
  buildsOn(other: StateMessage): void;
}

/** A change of one thing in a store. */
export interface Change {
  /** Who made it. */
  readonly by: Writer;
  /** Counts the changes of a store. */
  readonly order: number;
  /**
   * Takes it back.
   *
   * @throws {TypeError} If something else was written over it.
   */
  undo(): void;
  /** Takes it back for a moment; returns what makes it again. */
  withdraw(): () => void;
}
