import type { Clock } from "../../clock.ts";
import type { Stuck } from "../../errors.ts";
import type {
  AppSnapshot,
  AppState,
  CheckpointSnapshot,
  CommitSnapshot,
  FlowSnapshot,
  PartitionSnapshot,
  SourceSnapshot,
  StoreSnapshot,
  Watermark,
  WindowCounts,
  WindowSnapshot,
  Work,
} from "../../snapshot.ts";
import { ProxyQueue } from "../proxy/proxy_queue.ts";
import type { Binding } from "../run/binding.ts";
import type { CommitHistory } from "../run/commit_cycle.ts";
import { sourceName } from "../run/binding.ts";
import { stuckFlows } from "../run/stuck.ts";
import type { Opened } from "../run/wiring.ts";
import { openStores } from "../source/feed.ts";
import { type Gate, gateOf } from "../source/gate.ts";
import type { CompanionView } from "../source/host.ts";
import type { Hub } from "../source/hub.ts";
import { Failures } from "../stage/failures.ts";
import { summaryOf } from "./error_summary.ts";
import { Rate } from "./rate.ts";
import type { Mapped } from "./topology_of.ts";

/** A run, as far as it is looked at. */
export interface RunView {
  /** What it has opened; undefined before that. */
  readonly opened: Opened | undefined;
  /** Where it is. */
  readonly state: AppState;
  /** When it began, by the time of day and by the monotonic clock. */
  readonly began: { readonly at: number; readonly monotonic: number };
  /** When it was over. */
  readonly endedAt: number | undefined;
  /** Its first error, and when that happened. */
  readonly error: { readonly error: unknown; readonly at: number } | undefined;
  /** What it waits for while it starts or stops. */
  readonly waitsFor: readonly Stuck[];
  /** Its commits, and what the one in progress waits for. */
  readonly commits: CommitHistory | undefined;
  readonly commitWaitsFor: readonly Stuck[];
}

const NO_WINDOWS: WindowCounts = {
  open: 0,
  closed: 0,
  late: 0,
  ahead: 0,
  waiting: 0,
  watermark: undefined,
  delayMs: undefined,
};
const rates = new WeakMap<Hub<unknown>, Rate>();

/** Returns how an app is now. Everything is read where it is kept: nothing is collected for it. */
export function snapshotOf(
  bindings: readonly Binding[],
  mapped: Mapped,
  run: RunView | undefined,
  clock: Clock,
): AppSnapshot {
  const at = clock.now();
  const looks = [...mapped.checkpoints].map(([companion, id]) => ({ id, view: companion.look!() }));
  const sources = sourcesOf(bindings, mapped, run, clock, looks.map(({ view }) => view));
  return {
    at,
    state: run?.state ?? "idle",
    startedAt: run?.began.at,
    endedAt: run?.endedAt,
    error: run?.error && summaryOf(run.error.error, run.error.at),
    waitsFor: run?.waitsFor.map(toWork) ?? [],
    flows: bindings.map((binding, index) => flowOf(binding, index, mapped, run, clock)),
    sources,
    windows: windowsOf(bindings, mapped, run),
    checkpoints: looks.map(({ id, view }) => checkpointOf(id, view, mapped, sources)),
    stores: storesOf(mapped, at),
    commits: run?.commits && commitsOf(run.commits, run.commitWaitsFor, at),
  };
}

function flowOf(
  { name }: Binding,
  index: number,
  { flows, sources }: Mapped,
  run: RunView | undefined,
  clock: Clock,
): FlowSnapshot {
  const flow = run?.opened?.flows[index];
  const hubs = flow?.hubs ?? [];
  const work = flow === undefined || flow.ended
    ? []
    : stuckFlows([flow], new Map(), clock.monotonic(), clock.monotonic());
  const scheduler = flow?.scheduler;
  const inFlight = scheduler?.open ?? flow?.branches.filter((branch) => branch.waits).length ?? 0;
  const { errors, retries, skipped, deadLetters, kinds } = flow?.flowRun.failures ?? new Failures();
  const errorKinds = Array.from(kinds.values(), ({ count, last }) => ({
    count,
    last: summaryOf(last.error, last.at),
  })).reverse();
  return {
    id: flows[index]!,
    flow: name,
    sources: sources[index]!,
    messages: sum(hubs.map(({ done }) => done)),
    rate: sum(hubs.map((hub) => rateOf(hub, run!, clock))),
    inFlight,
    waiting: scheduler?.waiting ?? 0,
    oldest: inFlight === 0 ? undefined : oldest(work.map(toWork)),
    attempt: flow?.flowRun.context.attempt ?? 1,
    errors,
    retries,
    skipped,
    deadLetters,
    errorKinds,
    lastError: errorKinds[0]?.last,
    ended: flow?.ended ?? false,
  };
}

function windowsOf(
  bindings: readonly Binding[],
  { windows }: Mapped,
  run: RunView | undefined,
): WindowSnapshot[] {
  return [...windows].map(([index, id]) => {
    const flow = run?.opened?.flows[index];
    const hub = flow?.origin?.hub ?? flow?.hubs[0];
    const counts = hub?.tickers.of(flow!.flowRun)?.look() ?? NO_WINDOWS;
    return { id, window: bindings[index]!.name, ...counts };
  });
}

function sourcesOf(
  bindings: readonly Binding[],
  mapped: Mapped,
  run: RunView | undefined,
  clock: Clock,
  views: readonly CompanionView[],
): SourceSnapshot[] {
  const hubs = new Map<string, Hub<unknown>>();
  const names = new Map<string, { name: string; gate: Gate }>();
  for (const [index, { sources }] of bindings.entries()) {
    for (const [place, source] of sources.entries()) {
      const id = mapped.sources[index]![place]!;
      const hub = run?.opened?.flows[index]?.hubs[place];
      if (hub !== undefined) hubs.set(id, hub);
      names.set(id, { name: sourceName(source), gate: hub?.gate ?? gateOf(source) });
    }
  }
  return [...names].map(([id, { name, gate }]) => {
    const hub = hubs.get(id);
    const heards = views.flatMap(({ dependencies }) =>
      dependencies.filter(({ source }) => mapped.idOf(source) === id)
    );
    const view = hub?.feed.look?.();
    const partitions = view?.partitions.map((partition): PartitionSnapshot => ({
      ...partition,
      heard: least(heards.map(({ heard }) => heard.get(partition.partition))),
      heldFor: gate.heldFor(partition.partition),
    })) ?? [];
    const feed = hub?.feed;
    return {
      id,
      source: name,
      messages: hub?.done ?? 0,
      rate: hub === undefined ? 0 : rateOf(hub, run!, clock),
      lag: feed?.lag?.(),
      queue: feed instanceof ProxyQueue ? { size: feed.size, bound: feed.bound } : undefined,
      pausedFor: gate.reasons,
      waitsFor: view?.waitsFor,
      watermark: watermarkOf(
        least(heards.map(({ snapshot }) => snapshot.frontier)),
        hub?.branches.all[0]?.delivery.root,
        clock.now(),
      ),
      partitions,
      ended: hub?.ended ?? false,
    };
  });
}

/** The event time of a source: the frontier of what depends on it, else the time of its last message. */
function watermarkOf(
  frontier: number | undefined,
  message: unknown,
  now: number,
): Watermark | undefined {
  if (frontier !== undefined) return { time: frontier, delayMs: now - frontier, of: "frontier" };
  const { timestamp } = (message ?? {}) as { timestamp?: unknown };
  if (typeof timestamp !== "number") return undefined;
  return { time: timestamp, delayMs: now - timestamp, of: "message" };
}

function checkpointOf(
  id: string,
  { snapshot, dependent, dependencies }: CompanionView,
  { idOf }: Mapped,
  sources: readonly SourceSnapshot[],
): CheckpointSnapshot {
  const node = idOf(dependent);
  const partitions = sources.find((source) => source.id === node)?.partitions ?? [];
  const { positions } = snapshot.provisional;
  const results = sum(
    partitions.map(({ partition, position }) =>
      Math.max(0, (position ?? 0) - (positions[partition] ?? Infinity))
    ),
  );
  return {
    id,
    ...snapshot,
    dependent: node,
    provisional: { ...snapshot.provisional, results },
    dependencies: dependencies.map(({ snapshot, source }) => ({
      ...snapshot,
      source: idOf(source),
    })),
  };
}

function storesOf({ idOf }: Mapped, at: number): StoreSnapshot[] {
  return [...openStores].flatMap((store) => {
    const { savedAt, failure, spaces } = store.look?.() ?? {
      savedAt: undefined,
      failure: undefined,
      spaces: [{ name: "", entries: undefined, bytes: undefined, evictions: 0 }],
    };
    return spaces.map(({ name, entries, bytes, evictions }) => ({
      id: idOf(store),
      store: store.name ?? "a store",
      space: name,
      entries,
      bytes,
      evictions,
      savedAt,
      failure: failure === undefined ? undefined : summaryOf(failure, at),
    }));
  });
}

function commitsOf(history: CommitHistory, waitsFor: readonly Stuck[], at: number): CommitSnapshot {
  const { commits, failures, lastAt, durationMs, failingSince, lastError } = history;
  return {
    commits,
    failures,
    lastAt,
    ageMs: lastAt === undefined ? undefined : Math.max(0, at - lastAt),
    durationMs,
    failingMs: failingSince === undefined ? undefined : Math.max(0, at - failingSince),
    lastError: lastError && summaryOf(lastError.error, lastError.at),
    waitsFor: waitsFor.map(toWork),
  };
}

/** What is stuck, without the key of its message. */
function toWork({ what, sinceMs, flow, source, sink, topic, partition, offset }: Stuck): Work {
  return { what, sinceMs, flow, source, sink, topic, partition, offset };
}

function oldest(works: readonly Work[]): Work | undefined {
  return works.toSorted((a, b) => b.sinceMs - a.sinceMs)[0];
}

function rateOf(hub: Hub<unknown>, { began, endedAt }: RunView, clock: Clock): number {
  if (endedAt !== undefined || hub.ended) return 0;
  let rate = rates.get(hub);
  if (rate === undefined) rates.set(hub, rate = new Rate(clock, began.monotonic));
  return rate.of(hub.done);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((sum, each) => sum + each, 0);
}

function least(numbers: readonly (number | undefined)[]): number | undefined {
  const known = numbers.filter((each) => each !== undefined && Number.isFinite(each));
  return known.length === 0 ? undefined : Math.min(...known as number[]);
}
