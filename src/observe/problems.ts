import type {
  AppSnapshot,
  CheckpointSnapshot,
  ErrorSummary,
  FlowSnapshot,
  Place,
  SourceSnapshot,
  Work,
} from "../snapshot.ts";
import { type Incidents, RECENT_MS } from "./incidents.ts";
import type { Problem } from "./problem.ts";
import type { ProgressWatch } from "./progress_watch.ts";
import { inNumber, inThousands, inTime } from "./words.ts";

/** A message in flight for so long is told, as is a wait. */
const LONG_MS = 10_000;
/** A partition is behind the others when its lag is so many times theirs, and at least so large. */
const BEHIND_TIMES = 4;
const BEHIND_LEAST = 100;

/** Returns what is wrong with an app, the worst first, and of that what may be the cause of the rest. No message is quoted. */
export function problemsOf(
  snapshot: AppSnapshot,
  watch: ProgressWatch,
  incidents: Incidents,
): Problem[] {
  const { at, state, error, sources, flows, checkpoints, stores, commits, waitsFor } = snapshot;
  const problems: Problem[] = [];
  const tell = (severity: Problem["severity"], id: string | undefined, text: string) =>
    void problems.push({ severity, id, text });

  if (error !== undefined) tell("bad", undefined, `The app has ended: ${inWords(error)}`);
  if (state === "ended") return problems;
  for (const { what, sinceMs } of waitsFor) {
    if (sinceMs > LONG_MS) tell("warn", undefined, `${state} for ${inTime(sinceMs)}: ${what}`);
  }
  for (const { id, store, failure } of stores) {
    if (failure !== undefined) tell("bad", id, `${store} is not saved: ${inWords(failure)}`);
  }
  if (commits?.failingMs !== undefined) {
    const why = commits.lastError === undefined ? "" : `: ${inWords(commits.lastError)}`;
    tell("bad", undefined, `Commits have failed for ${inTime(commits.failingMs)}${why}`);
  }
  for (const work of commits?.waitsFor ?? []) {
    if (work.sinceMs > LONG_MS) {
      tell("warn", undefined, `A commit ${doing(work)} for ${inTime(work.sinceMs)}`);
    }
  }
  for (const checkpoint of checkpoints) ofCheckpoint(checkpoint, tell);
  for (const source of sources) ofSource(source, snapshot, watch, tell);
  for (const flow of flows) ofFlow(flow, at, tell);
  problems.push(...incidents.problems(snapshot));
  const order = ["bad", "warn", "info"];
  return problems.toSorted((a, b) => order.indexOf(a.severity) - order.indexOf(b.severity));
}

type Tell = (severity: Problem["severity"], id: string | undefined, text: string) => void;

function ofCheckpoint(
  { id, checkpoint, pauses, dependencies, held, correcting, stale }: CheckpointSnapshot,
  tell: Tell,
): void {
  for (const { dependency, down, downMs, lagging, unheard } of dependencies) {
    if (!down) continue;
    const since = downMs === undefined ? "" : ` for ${inTime(downMs)}`;
    const slow = lagging.length === 0 ? "" : `; slowest: ${lagging.join(", ")}`;
    const then = pauses ? "its dependent is paused" : "its dependent goes on with old data";
    tell("bad", id, `${dependency} is down${since}: ${then} (checkpoint ${checkpoint})${slow}`);
    if (unheard > 0) {
      tell(
        "warn",
        id,
        `${
          inNumber(unheard, "message")
        } of ${dependency} brought no heartbeat: does its handler call heartbeat()?`,
      );
    }
  }
  for (const { partition, sinceMs, waitsFor } of held) {
    if (sinceMs < LONG_MS) continue;
    const where = partition === undefined ? "" : ` of partition ${partition}`;
    tell(
      "warn",
      id,
      `Holds a message${where} for ${inTime(sinceMs)}: waits for ${waitsFor.join(", ")}`,
    );
  }
  if (correcting) tell("info", id, `Checkpoint ${checkpoint} corrects results`);
  else if (Object.keys(stale).length > 0) {
    tell("info", id, `Checkpoint ${checkpoint} has stale results`);
  }
}

function ofSource(
  { id, source, pausedFor, waitsFor, partitions, queue, ended }: SourceSnapshot,
  snapshot: AppSnapshot,
  watch: ProgressWatch,
  tell: Tell,
): void {
  if (ended) return;
  if (waitsFor !== undefined && waitsFor.sinceMs > 3_000) {
    tell("warn", id, `${source} waits for ${waitsFor.what}, for ${inTime(waitsFor.sinceMs)}`);
  }
  if (pausedFor.length > 0) tell("info", id, `${source} is paused: ${pausedFor.join(", ")}`);
  if (queue !== undefined && queue.size >= queue.bound) {
    tell("info", id, `${source} is full (${queue.size}): those who write to it wait`);
  }
  for (const { partition, heldFor } of partitions) {
    if (heldFor.length > 0) {
      tell("info", id, `${source} partition ${partition} is held: ${heldFor.join(", ")}`);
    }
  }
  if (pausedFor.length > 0) return;
  for (const { partition, lag = 0, position, heldFor } of partitions) {
    if (heldFor.length > 0 || lag === 0) continue;
    const others = partitions.filter((other) => other.partition !== partition)
      .map((other) => other.lag ?? 0).sort((a, b) => a - b);
    const usual = others[Math.floor(others.length / 2)] ?? Infinity;
    const still = watch.stillFor(snapshot, id, partition);
    if (still > LONG_MS) {
      tell(
        "bad",
        id,
        `${source} partition ${partition} stands still at ${position} for ${inTime(still)}, ` +
          `with a lag of ${inThousands(lag)}`,
      );
    } else if (lag > BEHIND_TIMES * usual + BEHIND_LEAST) {
      tell(
        "warn",
        id,
        `${source} partition ${partition} lags: ${inThousands(lag)} messages, ` +
          `the others ${inThousands(usual)}`,
      );
    }
  }
}

function ofFlow(
  { id, flow, oldest, attempt, errorKinds, skipped, deadLetters }: FlowSnapshot,
  at: number,
  tell: Tell,
) {
  if (oldest !== undefined && oldest.sinceMs > LONG_MS) {
    tell(
      "bad",
      id,
      `Flow ${flow} ${doing(oldest)}${placeOf({ ...oldest, sink: undefined })} for ${
        inTime(oldest.sinceMs)
      }: is it stuck?`,
    );
  }
  if (attempt > 1) tell("warn", id, `Flow ${flow} retries: attempt ${attempt}`);
  const lost = [
    deadLetters > 0 && inNumber(deadLetters, "dead letter"),
    skipped > 0 && `${inThousands(skipped)} skipped`,
  ].filter(Boolean).join(", ");
  for (const { count, last } of errorKinds) {
    if (at - last.at > RECENT_MS) continue;
    const times = count === 1 ? "once" : `${inThousands(count)} times`;
    tell(
      lost === "" ? "warn" : "bad",
      id,
      `Flow ${flow} failed ${times}, ${inTime(Math.max(0, at - last.at))} ago: ${inWords(last)}` +
        (lost === "" ? "" : ` (${lost} so far)`),
    );
  }
}

function doing({ what, sink }: Work): string {
  return sink === undefined ? what : `${what} ${sink}`;
}

/** Returns an error in words: its place, and what it says where that quotes no message. */
export function inWords(error: ErrorSummary): string {
  const { name, text, quotes, line } = error;
  const at = line === undefined ? "" : ` at ${line}`;
  return quotes ? `${name}${placeOf(error)}${at}` : text;
}

/** Returns the place of a message: ` (orders partition 0 offset 17)`. */
function placeOf({ topic, partition, offset, sink }: Place): string {
  const parts = [
    topic,
    partition !== undefined && `partition ${partition}`,
    offset !== undefined && `offset ${offset}`,
    sink,
  ].filter(Boolean);
  return parts.length === 0 ? "" : ` (${parts.join(" ")})`;
}
