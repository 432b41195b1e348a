import type { MarkerKind } from "./marker.ts";
import type { ResultsRecord } from "./results.ts";
import type { ProgressRecord } from "./track.ts";
import type { VitalsRecord } from "./vitals.ts";

/** What a checkpoint is kept in: a Cache, or whatever else keeps plain data by key. */
export interface CheckpointStore {
  /** Returns the value of a key; undefined where there is none. */
  get(key: string): Promise<unknown>;
  /** Writes a value; with `durable`, resolves when it is on disk. */
  set(key: string, value: unknown, options?: { durable?: boolean }): Promise<unknown>;
  /** True while flows that keep their state in it decide what goes to disk: then it cannot be used. */
  readonly driven?: boolean | undefined;
}

/** What is kept of one partition of the dependent. */
export interface PartitionRecord extends ResultsRecord, ProgressRecord {
  /** The partition. */
  readonly partition: number;
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
  /** The dependencies. */
  readonly dependencies: readonly VitalsRecord[];
  /** The partitions of the dependent. */
  readonly partitions: readonly PartitionRecord[];
}

/**
 * Checks what was found in the cache.
 *
 * @throws {TypeError} If it is something else than a record that this version can read.
 */
export function toRecord(key: string, value: unknown): CheckpointRecord {
  const version = (value as Partial<CheckpointRecord> | null)?.version;
  if (version === 1) return value as CheckpointRecord;
  throw new TypeError(
    `Cannot load a checkpoint from cache key ${JSON.stringify(key)}: ` +
      (version === undefined
        ? "what is there is no checkpoint; choose another cacheKeyPrefix"
        : `it is of version ${version}, this release reads version 1`),
  );
}
