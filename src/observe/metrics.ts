import type { AppSnapshot } from "../snapshot.ts";

/** The labels of a sample. */
type Labels = Readonly<Record<string, string | number>>;

/** A metric: what is told of it, and its samples. */
interface Metric {
  readonly type: "counter" | "gauge";
  readonly help: string;
  readonly samples: (snapshot: AppSnapshot) => Iterable<readonly [Labels, number | undefined]>;
}

const STATES = ["idle", "starting", "streaming", "stopping", "ended"] as const;
const SECOND = 1_000;

function counter(help: string, samples: Metric["samples"]): Metric {
  return { type: "counter", help, samples };
}

function gauge(help: string, samples: Metric["samples"]): Metric {
  return { type: "gauge", help, samples };
}

function seconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / SECOND;
}

type Of<T> = T extends readonly (infer E)[] ? E : never;

/** One sample for each flow. */
function perFlow(value: (flow: Of<AppSnapshot["flows"]>) => number | undefined): Metric["samples"] {
  return ({ flows }) => flows.map((flow) => [{ flow: flow.flow }, value(flow)]);
}

/** One sample for each source; those with equal names are told apart by their nodes. */
function perSource(
  value: (source: Of<AppSnapshot["sources"]>) => number | undefined,
): Metric["samples"] {
  return ({ sources }) => sources.map((source) => [{ source: labelOf(source.id) }, value(source)]);
}

function perPartition(
  value: (partition: Of<Of<AppSnapshot["sources"]>["partitions"]>) => number | undefined,
): Metric["samples"] {
  return ({ sources }) =>
    sources.flatMap(({ id, partitions }) =>
      partitions.map((each) =>
        [{ source: labelOf(id), partition: each.partition }, value(each)] as const
      )
    );
}

function perCheckpoint(
  value: (checkpoint: Of<AppSnapshot["checkpoints"]>) => number | undefined,
): Metric["samples"] {
  return ({ checkpoints }) =>
    checkpoints.map((checkpoint) => [{ checkpoint: checkpoint.checkpoint }, value(checkpoint)]);
}

function perDependency(
  value: (dependency: Of<Of<AppSnapshot["checkpoints"]>["dependencies"]>) => number | undefined,
): Metric["samples"] {
  return ({ checkpoints }) =>
    checkpoints.flatMap(({ checkpoint, dependencies }) =>
      dependencies.map((each) =>
        [{ checkpoint, dependency: each.dependency }, value(each)] as const
      )
    );
}

function perWindow(
  value: (window: Of<AppSnapshot["windows"]>) => number | undefined,
): Metric["samples"] {
  return ({ windows }) => windows.map((each) => [{ window: each.window }, value(each)]);
}

function perStore(
  value: (store: Of<AppSnapshot["stores"]>) => number | undefined,
): Metric["samples"] {
  return ({ stores }) => {
    const seen = new Map<string, number>();
    return stores.map((each) => {
      const { store, space } = each;
      const twins = (seen.get(`${store} ${space}`) ?? 0) + 1;
      seen.set(`${store} ${space}`, twins);
      return [{ store: twins === 1 ? store : `${store}#${twins}`, space }, value(each)] as const;
    });
  };
}

/** `source:orders` → `orders`: unique among the sources. */
function labelOf(id: string): string {
  return id.slice(id.indexOf(":") + 1);
}

function only(value: number | undefined): [Labels, number | undefined][] {
  return [[{}, value]];
}

/** All metrics, by name; docs/production.md has them as a table. */
export const METRICS: Readonly<Record<string, Metric>> = {
  slipstream_app_state: gauge(
    "1 for the state of the app, 0 for the others.",
    ({ state }) => STATES.map((each) => [{ state: each }, each === state ? 1 : 0]),
  ),
  slipstream_app_start_time_seconds: gauge(
    "When stream() was called, in seconds since 1970.",
    ({ startedAt }) => only(seconds(startedAt)),
  ),
  slipstream_flow_messages_total: counter(
    "Messages of its sources that are done.",
    perFlow(({ messages }) => messages),
  ),
  slipstream_flow_in_flight_messages: gauge(
    "Messages that are being handled, or written to sinks.",
    perFlow(({ inFlight }) => inFlight),
  ),
  slipstream_flow_waiting_messages: gauge(
    "Messages that were read and wait for their turn.",
    perFlow(({ waiting }) => waiting),
  ),
  slipstream_flow_oldest_in_flight_seconds: gauge(
    "For how long the oldest message in flight has been so; 0 without one.",
    perFlow(({ oldest }) => seconds(oldest?.sinceMs ?? 0)),
  ),
  slipstream_flow_errors_total: counter(
    "Steps that failed: calls of the handler or of a pipe, and values at a sink.",
    perFlow(({ errors }) => errors),
  ),
  slipstream_flow_retries_total: counter("Retries.", perFlow(({ retries }) => retries)),
  slipstream_flow_skipped_total: counter(
    "Messages, or values, that were skipped after an error.",
    perFlow(({ skipped }) => skipped),
  ),
  slipstream_flow_dead_letters_total: counter(
    "Dead letters that were written.",
    perFlow(({ deadLetters }) => deadLetters),
  ),
  slipstream_source_messages_total: counter(
    "Messages that are done.",
    perSource(({ messages }) => messages),
  ),
  slipstream_source_lag_messages: gauge(
    "Messages that are there and not done.",
    perSource(({ lag }) => lag),
  ),
  slipstream_source_paused: gauge(
    "1 while it is paused.",
    perSource(({ pausedFor }) => pausedFor.length > 0 ? 1 : 0),
  ),
  slipstream_source_waiting_seconds: gauge(
    "For how long it has waited for brokers or for partitions; 0 while it does not.",
    perSource(({ waitsFor }) => seconds(waitsFor?.sinceMs ?? 0)),
  ),
  slipstream_source_watermark_timestamp_seconds: gauge(
    "The event time that it has come to, in seconds since 1970.",
    perSource(({ watermark }) => seconds(watermark?.time)),
  ),
  slipstream_source_watermark_delay_seconds: gauge(
    "How far that is behind the clock.",
    perSource(({ watermark }) => seconds(watermark?.delayMs)),
  ),
  slipstream_source_queue_messages: gauge(
    "Values that wait in a Proxy.",
    perSource(({ queue }) => queue?.size),
  ),
  slipstream_partition_position: gauge(
    "The position after the last message that is done, and all before it.",
    perPartition(({ position }) => position),
  ),
  slipstream_partition_end: gauge(
    "The position of the next message that will be written.",
    perPartition(({ end }) => end),
  ),
  slipstream_partition_lag_messages: gauge(
    "Messages between the two.",
    perPartition(({ lag }) => lag),
  ),
  slipstream_partition_held: gauge(
    "1 while it is held although its source is open.",
    perPartition(({ heldFor }) => heldFor.length > 0 ? 1 : 0),
  ),
  slipstream_checkpoint_pulse_timestamp_seconds: gauge(
    "The latest event time of a pulse, in seconds since 1970.",
    perCheckpoint(({ pulse }) => seconds(pulse)),
  ),
  slipstream_checkpoint_frontier_timestamp_seconds: gauge(
    "The event time before which everything is stored, in seconds since 1970.",
    perCheckpoint(({ frontier }) => seconds(frontier)),
  ),
  slipstream_checkpoint_paused: gauge(
    "1 while it pauses its dependent.",
    perCheckpoint(({ pauses }) => pauses ? 1 : 0),
  ),
  slipstream_checkpoint_provisional_results: gauge(
    "Results that a message of a dependency may still change.",
    perCheckpoint(({ provisional }) => provisional.results),
  ),
  slipstream_checkpoint_stale_partitions: gauge(
    "Partitions with stale results.",
    perCheckpoint(({ stale }) => Object.keys(stale).length),
  ),
  slipstream_checkpoint_outages_total: counter(
    "Outages of its dependencies.",
    perCheckpoint(({ outages }) => outages),
  ),
  slipstream_checkpoint_corrections_total: counter(
    "Corrections.",
    perCheckpoint(({ corrections }) => corrections),
  ),
  slipstream_dependency_heartbeat_timestamp_seconds: gauge(
    "The event time of its last heartbeat, in seconds since 1970.",
    perDependency(({ marker }) => seconds(marker)),
  ),
  slipstream_dependency_frontier_timestamp_seconds: gauge(
    "The event time before which everything of it is stored, in seconds since 1970.",
    perDependency(({ frontier }) => seconds(frontier)),
  ),
  slipstream_dependency_down: gauge(
    "1 while it is down.",
    perDependency(({ down }) => down ? 1 : 0),
  ),
  slipstream_dependency_down_seconds: gauge(
    "For how long it has been down; 0 while it is not.",
    perDependency(({ down, downMs }) => down ? seconds(downMs) : 0),
  ),
  slipstream_window_open: gauge(
    "Windows that are open.",
    perWindow(({ open }) => open),
  ),
  slipstream_window_closed_total: counter(
    "Windows that were closed.",
    perWindow(({ closed }) => closed),
  ),
  slipstream_window_late_messages_total: counter(
    "Messages that came too late for their window.",
    perWindow(({ late }) => late),
  ),
  slipstream_window_ahead_messages_total: counter(
    "Messages whose time was too far ahead.",
    perWindow(({ ahead }) => ahead),
  ),
  slipstream_window_waiting_results: gauge(
    "Results that wait for a commit or for the handler.",
    perWindow(({ waiting }) => waiting),
  ),
  slipstream_window_watermark_timestamp_seconds: gauge(
    "The event time by which windows close, in seconds since 1970.",
    perWindow(({ watermark }) => seconds(watermark)),
  ),
  slipstream_window_watermark_delay_seconds: gauge(
    "How far that is behind the clock.",
    perWindow(({ delayMs }) => seconds(delayMs)),
  ),
  slipstream_store_entries: gauge("Entries of an open cache.", perStore(({ entries }) => entries)),
  slipstream_store_bytes: gauge("Their estimated size.", perStore(({ bytes }) => bytes)),
  slipstream_store_evictions_total: counter(
    "Entries that were evicted.",
    perStore(({ evictions }) => evictions),
  ),
  slipstream_store_last_save_timestamp_seconds: gauge(
    "When it was saved last, in seconds since 1970.",
    perStore(({ savedAt }) => seconds(savedAt)),
  ),
  slipstream_store_failing: gauge(
    "1 while the disk does not take it.",
    perStore(({ failure }) => failure === undefined ? 0 : 1),
  ),
  slipstream_commits_total: counter("Commits.", ({ commits }) => only(commits?.commits)),
  slipstream_commit_failures_total: counter(
    "Attempts to commit that failed.",
    ({ commits }) => only(commits?.failures),
  ),
  slipstream_commit_duration_seconds: gauge(
    "How long the last commit took.",
    ({ commits }) => only(seconds(commits?.durationMs)),
  ),
  slipstream_commit_age_seconds: gauge(
    "How long ago the last commit was.",
    ({ commits }) => only(seconds(commits?.ageMs)),
  ),
  slipstream_commit_failing_seconds: gauge(
    "For how long commits have failed; 0 while they do not.",
    ({ commits }) => only(commits && seconds(commits.failingMs ?? 0)),
  ),
};

/** Returns a snapshot as Prometheus reads it, in its text format 0.0.4. */
export function toPrometheus(snapshot: AppSnapshot): string {
  const lines: string[] = [];
  for (const [name, { type, help, samples }] of Object.entries(METRICS)) {
    const known = [...samples(snapshot)].filter(([, value]) => value !== undefined);
    if (known.length === 0) continue;
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
    for (const [labels, value] of known) lines.push(`${name}${inBraces(labels)} ${value}`);
  }
  return lines.join("\n") + "\n";
}

function inBraces(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) =>
    `${name}="${escaped(String(value))}"`
  );
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
