import type { AppSnapshot, SourceSnapshot } from "../snapshot.ts";
import type { Topology } from "../topology.ts";
import type { ProgressWatch } from "./progress_watch.ts";
import { Rests } from "./rests.ts";
import { inTime } from "./words.ts";

/** Whether one thing is as it should be, and why. */
export interface HealthCheck {
  /** The node in the topology; undefined for the app. */
  readonly id: string | undefined;
  /** The partition of a source. */
  readonly partition?: number | undefined;
  /** Whether it is as it should be. */
  readonly ok: boolean;
  /** Why, in words. */
  readonly reason: string;
}

/** The answer of a probe: it is as it should be when every check is. */
export interface Health {
  /** Whether all is as it should be. */
  readonly ok: boolean;
  /** What was looked at. */
  readonly checks: readonly HealthCheck[];
}

/** How long something may last before it counts as dead, in milliseconds. */
export interface HealthLimits {
  /** A partition without progress although it has messages, and a message in flight. */
  readonly stalledAfter: number;
  /** Waiting for brokers, for other members of a group, for a checkpoint. */
  readonly waitingFor: number;
}

/**
 * Returns whether an app is alive: whether a restart would help. For each partition: it makes progress, or has nothing
 * to do, or is paused on purpose; so one healthy partition does not hide a dead one.
 */
export function liveness(
  snapshot: AppSnapshot,
  topology: Topology,
  watch: ProgressWatch,
  limits: HealthLimits,
): Health {
  const { state, error, sources, flows, waitsFor } = snapshot;
  if (state === "idle") return health([check(undefined, true, "the app does not stream yet")]);
  if (state === "ended") {
    const reason = error === undefined
      ? "the app has come to its end"
      : `the app has ended with an error: ${error.name}`;
    return health([check(undefined, error === undefined, reason)]);
  }
  const checks = waitsFor.map(({ what, sinceMs }) =>
    check(
      undefined,
      state === "stopping" || sinceMs <= limits.waitingFor,
      `${state} for ${inTime(sinceMs)}: ${what}`,
    )
  );
  const rests = new Rests(snapshot, topology);
  for (const source of sources) checks.push(...ofSource(source, snapshot, watch, limits, rests));
  for (const { id, oldest } of flows) {
    if (oldest === undefined) continue;
    const { what, sink, sinceMs } = oldest;
    const to = sink === undefined ? "" : ` ${sink}`;
    const reason = `${what}${to} for ${inTime(sinceMs)}`;
    const rest = rests.ofFlow(id);
    const ok = rest !== undefined || sinceMs <= limits.stalledAfter;
    checks.push(check(id, ok, rest === undefined ? reason : `${reason}: ${rest}`));
  }
  return health(checks);
}

/** Returns whether an app can do its work: true once it was assigned and restored, also while it is paused. */
export function readiness({ state, sources, waitsFor, error }: AppSnapshot): Health {
  const waiting = waitsFor.map(({ what }) => check(undefined, false, `${state}: ${what}`));
  if (state !== "streaming") {
    const why = error === undefined ? `the app is ${state}` : `the app is ${state}: ${error.name}`;
    waiting.push(check(undefined, false, why));
  }
  const checks = sources.map(({ id, waitsFor, pausedFor, ended }) => {
    if (waitsFor !== undefined) {
      return check(id, false, `waits for ${waitsFor.what} for ${inTime(waitsFor.sinceMs)}`);
    }
    if (ended) return check(id, true, "has ended");
    return check(id, true, pausedFor.length > 0 ? `paused: ${pausedFor.join(", ")}` : "is read");
  });
  return health([...waiting, ...checks]);
}

function ofSource(
  source: SourceSnapshot,
  snapshot: AppSnapshot,
  watch: ProgressWatch,
  { stalledAfter, waitingFor }: HealthLimits,
  rests: Rests,
): HealthCheck[] {
  const { id, waitsFor, partitions, ended, lag } = source;
  if (ended) return [check(id, true, "has ended")];
  if (waitsFor !== undefined) {
    const { what, sinceMs } = waitsFor;
    return [check(id, sinceMs <= waitingFor, `waits for ${what} for ${inTime(sinceMs)}`)];
  }
  const rest = rests.ofSource(source);
  if (rest !== undefined) return [check(id, true, rest)];
  if (partitions.length === 0) {
    return [check(id, true, lag === 0 ? "has nothing to do" : "is read")];
  }
  return partitions.map((each) => {
    const { partition, position, lag = "unknown" } = each;
    const still = watch.stillFor(snapshot, id, partition);
    const rest = rests.ofPartition(each, id) ??
      (still <= stalledAfter ? "makes progress" : undefined);
    const stall = `no progress for ${inTime(still)} at position ${position}, lag ${lag}`;
    return { ...check(id, rest !== undefined, rest ?? stall), partition };
  });
}

function check(id: string | undefined, ok: boolean, reason: string): HealthCheck {
  return { id, ok, reason };
}

function health(checks: readonly HealthCheck[]): Health {
  return { ok: checks.every(({ ok }) => ok), checks };
}
