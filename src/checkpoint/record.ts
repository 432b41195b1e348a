import type { openState, StateStore } from "../flow/state.ts";
import type { MarkerKind } from "./marker.ts";
import type { ResultsRecord } from "./results.ts";
import type { ProgressRecord } from "./track.ts";
import type { VitalsRecord } from "./vitals.ts";

/** What a checkpoint is kept in: a Cache, or whatever else keeps plain data by key. */
export interface CheckpointStore {
  /** Returns the value of a key; undefined where there is none. */
  get(key: string): Promise<unknown>;
  /** Writes a value, which lives for `ttlMs`; with `durable`, resolves when it is on disk. */
  set(
    key: string,
    value: unknown,
    options?: { durable?: boolean; ttlMs?: number },
  ): Promise<unknown>;
  /** True while it holds the exact state of flows: then it goes to disk with that. */
  readonly driven?: boolean;
  /**
   * Returns the store behind it, where that can hold exact state.
   *
   * @internal
   */
  [openState]?(): StateStore;
}

/** What the rows of partitions are kept in: a Cache that several processes have open. */
export interface PartitionStore {
  /**
   * Changes the value of a key in one step, also between processes. What `change` throws is passed on, and
   * nothing is written.
   */
  update(key: string, change: (value: unknown) => unknown): Promise<unknown>;
  /** Resolves when everything written so far is on disk. */
  flush(): Promise<void>;
}

/** What is kept of one partition of the dependent. */
export interface PartitionRecord extends ResultsRecord, ProgressRecord {
  /** The partition. */
  readonly partition: number;
}

/** What is kept of a partition that travels. */
export interface TravelRecord extends PartitionRecord {
  /** How often the dependent was moved back. */
  readonly epoch: number;
}

/** What one process has to say of a partition that travels. */
export interface PartitionEntry {
  /** Differs in every version of the entry. */
  readonly id: string;
  /** Whether it was written by a barrier; false when the partition was only claimed. */
  readonly written: boolean;
  /** What is kept; undefined when nothing is yet. */
  readonly record: TravelRecord | undefined;
}

/** The row of one partition, where partitions travel between processes. */
export interface PartitionRow {
  /** The version of this format. */
  readonly version: 1;
  /** The entries of the processes that have read it and were not followed yet. */
  readonly entries: Readonly<Record<string, PartitionEntry>>;
}

/** All that a checkpoint keeps: one entry of its cache, hence written as one. */
export interface CheckpointRecord {
  /** The version of this format. */
  readonly version: 1;
  /** What kind the markers are of. */
  readonly kind: MarkerKind | undefined;
  /** The time of the last pulse. */
  readonly stateMarker: number;
  /** The state of the dependent. */
  readonly state: Readonly<Record<string, unknown>>;
  /** The latest time of all pulses. */
  readonly largest: number;
  /** How often the dependent was moved back. */
  readonly epoch: number;
  /** Who this process is in the rows of partitions. */
  readonly owner: string | undefined;
  /** The dependencies. */
  readonly dependencies: readonly VitalsRecord[];
  /** The partitions of the dependent; none where they have rows of their own. */
  readonly partitions: readonly PartitionRecord[];
}

/**
 * Checks what was found under `key`; undefined when that is nothing.
 *
 * @throws {TypeError} If it is something else than this version can read.
 */
export function toKept<T extends { readonly version: 1 }>(
  key: string,
  value: unknown,
): T | undefined {
  if (value === undefined || value === null) return undefined;
  const { version } = value as Partial<T>;
  if (version === 1) return value as T;
  throw new TypeError(
    `Cannot load a checkpoint from cache key ${JSON.stringify(key)}: ` +
      (version === undefined
        ? "what is there is no checkpoint; choose another cacheKeyPrefix"
        : `it is of version ${version}, this release reads version 1`),
  );
}
