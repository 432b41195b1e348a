import type { CheckpointState } from "./checkpoint_state.ts";
import { internals } from "./dependency.ts";
import type { DependencyRecord } from "./dependency_frontier.ts";
import type { MarkerKind } from "./marker.ts";
import type { ResultsRecord } from "./provisional_results.ts";
import type { ReplayRecord } from "./replay_tracker.ts";

/** What is kept of one partition of the dependent. */
export interface PartitionRecord extends ResultsRecord, ReplayRecord {
  /** The partition. */
  readonly partition: number;
}

/** What is kept of a partition where partitions are handed off to other processes. */
export interface HandoffRecord extends PartitionRecord {
  /** How often the dependent was moved back. */
  readonly epoch: number;
}

/** Everything that a checkpoint keeps: one entry of its cache, hence written as one. */
export interface CheckpointRecord {
  /** The version of this format. */
  readonly version: 1;
  /** The kind of its markers. */
  readonly kind: MarkerKind | undefined;
  /** The time of the last pulse. */
  readonly stateMarker: number;
  /** The state of the dependent. */
  readonly state: Readonly<Record<string, unknown>>;
  /** The latest time of all pulses. */
  readonly latestPulse: number;
  /** How often the dependent was moved back. */
  readonly epoch: number;
  /** Which entries of the partitions' rows are this process's. */
  readonly owner: string | undefined;
  /** The dependencies. */
  readonly dependencies: readonly DependencyRecord[];
  /** The partitions of the dependent; none where they have rows of their own. */
  readonly partitions: readonly PartitionRecord[];
}

/**
 * Returns the record of a checkpoint in its cache. `owner` is given where partitions have
 * rows of their own: it names this process there. In a cut of exact state it says which messages behind one that is
 * not done are in that cut: these are not handled again.
 */
export function recordOf(
  state: CheckpointState,
  owner: string | undefined,
  isCut = false,
): CheckpointRecord {
  const { times, stateMarker, latestPulse, tracker, settings } = state;
  const partitions = owner === undefined ? [...tracker.records] : [];
  return {
    version: 1,
    kind: times.kind,
    stateMarker,
    state: { ...state.state },
    latestPulse,
    epoch: tracker.epoch,
    owner,
    dependencies: settings.dependencies.map((each) => each[internals].record(each.name)),
    partitions: partitions.map(([partition, { cursor, applied, done }]) =>
      partitionOf(state, partition, { cursor, applied, ...(isCut && done && { done }) })
    ),
  };
}

/** Takes over a record; a dependency that is not in it begins anew. */
export function restore(state: CheckpointState, record: CheckpointRecord): void {
  state.times.kind ??= record.kind;
  state.stateMarker = record.stateMarker;
  state.pulses.state = { ...record.state };
  state.latestPulse = record.latestPulse;
  state.tracker.epoch = Math.max(state.tracker.epoch, record.epoch);
  const kept = new Map(record.dependencies.map((dependency) => [dependency.name, dependency]));
  for (const dependency of state.settings.dependencies) {
    const known = kept.get(dependency.name);
    if (known !== undefined) dependency[internals].restore(known);
  }
  for (const partition of record.partitions) {
    state.results.restore(partition.partition, partition);
    state.tracker.restore(partition.partition, partition);
  }
}

/** Returns the record in the row of a partition; undefined when it was never read here. */
export function handoffRecordOf(
  state: CheckpointState,
  partition: number,
): HandoffRecord | undefined {
  const { tracker } = state;
  const replay = tracker.records.get(partition);
  if (replay === undefined) return undefined;
  const { cursor, applied } = replay;
  return { ...partitionOf(state, partition, { cursor, applied }), epoch: tracker.epoch };
}

/**
 * Takes over the row of a partition.
 *
 * @returns Whether it has results for later times than any pulse of this process.
 */
export function restorePartition(state: CheckpointState, record: HandoffRecord): boolean {
  const { results, tracker } = state;
  tracker.epoch = Math.max(tracker.epoch, record.epoch);
  tracker.restore(record.partition, record);
  results.restore(record.partition, record);
  if (record.latest <= state.latestPulse) return false;
  state.latestPulse = record.latest;
  return true;
}

/**
 * Checks a value found under `key`; undefined when there is none.
 *
 * @throws {TypeError} If this version cannot read it.
 */
export function toRecord<T extends { readonly version: 1 }>(
  key: string,
  value: unknown,
): T | undefined {
  if (value === undefined || value === null) return undefined;
  const { version } = value as Partial<T>;
  if (version === 1) return value as T;
  throw new TypeError(
    `Cannot load a checkpoint from cache key ${JSON.stringify(key)}: ` +
      (version === undefined
        ? "its value is not a checkpoint; choose another cacheKeyPrefix"
        : `it is of version ${version}, this release reads version 1`),
  );
}

function partitionOf(
  state: CheckpointState,
  partition: number,
  replay: ReplayRecord,
): PartitionRecord {
  return { partition, ...replay, ...state.results.record(partition) };
}
