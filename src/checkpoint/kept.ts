import type { Core } from "./core.ts";
import { inside } from "./dependency.ts";
import type { CheckpointRecord, PartitionRecord, TravelRecord } from "./record.ts";
import type { ProgressRecord } from "./track.ts";

/**
 * All that is to be kept of a checkpoint in its cache; `owner` says who it is in the rows of the partitions,
 * where these have rows.
 */
export function recordOf(core: Core, owner: string | undefined): CheckpointRecord {
  const { times, stateMarker, state, largest, track, settings } = core;
  const partitions = owner === undefined ? [...track.progress] : [];
  return {
    version: 1,
    kind: times.kind,
    stateMarker,
    state: { ...state },
    largest,
    epoch: track.epoch,
    owner,
    dependencies: settings.dependencies.map((each) => each[inside].record(each.name)),
    partitions: partitions.map(([partition, progress]) => partitionOf(core, partition, progress)),
  };
}

/** Takes over what was kept; dependencies that are new begin anew. */
export function restore(core: Core, record: CheckpointRecord): void {
  core.times.kind ??= record.kind;
  core.stateMarker = record.stateMarker;
  core.state = { ...record.state };
  core.largest = record.largest;
  core.track.epoch = Math.max(core.track.epoch, record.epoch);
  const kept = new Map(record.dependencies.map((vitals) => [vitals.name, vitals]));
  for (const dependency of core.settings.dependencies) {
    const vitals = kept.get(dependency.name);
    if (vitals !== undefined) dependency[inside].restore(vitals);
  }
  for (const partition of record.partitions) {
    core.results.restore(partition.partition, partition);
    core.track.restore(partition.partition, partition);
  }
}

/** What is to be kept in the row of a partition; undefined when it was never read here. */
export function travelRecordOf(core: Core, partition: number): TravelRecord | undefined {
  const progress = core.track.progress.get(partition);
  return progress && { ...partitionOf(core, partition, progress), epoch: core.track.epoch };
}

/** Takes over the row of a partition. */
export function restorePartition(core: Core, record: TravelRecord): void {
  const { results, track, outages } = core;
  track.epoch = Math.max(track.epoch, record.epoch);
  track.restore(record.partition, record);
  results.restore(record.partition, record);
  if (record.largest <= core.largest) return;
  core.largest = record.largest;
  outages.raiseTargets(); // who is down has recovered only when these can be made again
}

function partitionOf(core: Core, partition: number, progress: ProgressRecord): PartitionRecord {
  return { partition, ...progress, ...core.results.record(partition) };
}
