import type { WindowResult } from "../../src/windows/mod.ts";
import {
  COUNT,
  EVERY,
  GAP,
  OUT_OF_ORDER,
  SIZE,
  SLACK,
  type Value,
  type World,
} from "./simulation.ts";
import type { Logged } from "./simulated_log.ts";

/** A message that was counted somewhere, and the watermark of its partition before it. */
interface Judged {
  readonly message: Logged;
  readonly watermark: number;
}

/** Compares what the sink has with what the order of the messages says; throws where they differ. */
export function check(world: World): void {
  const { plan, table } = world;
  if (world.failure !== undefined) throw new Error(world.failure);
  const { all, settled, bounds, ended } = judge(world);
  const want = windowsOf(world, all);
  /** The logs of a window. */
  const logsOf = (id: string) => {
    const [scope] = id.split("/");
    const all = [...world.logs.keys()];
    return scope === "*" ? all : all.filter((log) => nameOf(world, log) === scope);
  };
  const watermarkOf = (logs: readonly number[]) => {
    // Those that have ended hold the others up no more.
    const open = logs.filter((log) => logs.length === 1 || !ended.has(world.logs[log]!.source));
    return Math.min(...open.map((log) => settled.get(log) ?? -Infinity));
  };
  for (const [id, { end, ids }] of want) {
    const given = table.get(id);
    // At the end nothing came for five sizes, so it must have closed unless its time is still to come.
    const logs = logsOf(id);
    const bound = plan.idle === "hold"
      ? watermarkOf(logs)
      : Math.max(watermarkOf(logs), silentBound(logs, bounds));
    const mustBe = plan.kind === "countWindow"
      ? end < Infinity
      : plan.kind === "sliding"
      ? end < bound
      : end <= bound;
    if (given === undefined || !given.final) {
      if (mustBe) throw new Error(`${id} has not closed; it has ${ids}, the time is ${bound}`);
      continue;
    }
    // A message that was accepted late has made the session longer than what had closed: it is open again.
    const isOpenAgain = given.end < end && !mustBe;
    if (isOpenAgain && given.value.ids.every((each) => ids.includes(each))) continue;
    const found = given.value.ids.toSorted().join(" ");
    const wanted = ids.toSorted().join(" ");
    if (found !== wanted) throw new Error(`${id} has ${found}, and should have ${wanted}`);
    if (given.value.n !== ids.length) throw new Error(`${id} counts ${given.value.n}: ${ids}`);
    const folded = ids.reduce((sum, each) => sum + Number(each.split(":")[1]), 0);
    if (given.value.folded !== folded) {
      throw new Error(`${id} folds to ${given.value.folded}: ${ids}`);
    }
  }
  for (const [id, given] of table) {
    if (!want.has(id)) throw new Error(`${id} should not be: ${show(given)}`);
  }
}

function show({ value }: WindowResult<string, Value>): string {
  return value.ids.join(" ");
}

/** What a partition is called in an id. */
function nameOf({ plan, logs }: World, log: number): string {
  const { source, partition } = logs[log]!;
  return plan.sources.length === 1 ? String(partition) : `${source}:${partition}`;
}

/** Where a partition stands among all: by its number, then by the name of its source. */
function orderOf({ plan, logs }: World, log: number): number {
  const { source, partition } = logs[log]!;
  return partition * plan.sources.length + plan.sources.toSorted().indexOf(source);
}

/** How far silence must have brought the watermark of a window: the last process saw 100 seconds of it. */
function silentBound(logs: readonly number[], estimates: ReadonlyMap<number, number>): number {
  const of = (log: number) => {
    const estimate = estimates.get(log);
    return estimate === undefined ? undefined : estimate - OUT_OF_ORDER + 5 * SIZE - 3 * SLACK;
  };
  // One without a message follows the others; without any that moves a watermark none closes.
  const bounds = logs.map(of).filter((bound) => bound !== undefined);
  return bounds.length === 0 ? -Infinity : Math.min(...bounds);
}

/** Goes through what has happened, and says by which watermark each message was judged. */
function judge({ trace, logs, plan }: World) {
  const watermarks = new Map<number, number>();
  const greatest = new Map<number, number>();
  const estimates = new Map<number, number>();
  /** The watermarks without what silence has added in the last process: that may be of its last moment. */
  let settled = new Map<number, number>();
  /** What the estimates were before the silence of the last process. */
  let bounds = new Map<number, number>();
  const all: Judged[] = [];
  /** The sources that have ended in the last process. */
  const ended = new Set<string>();
  const hasEnded = (log: number) => ended.has(logs[log]!.source);
  const admitted = new Map<number, number>();
  const least = () =>
    Math.min(...logs.keys().filter((p) => watermarks.has(p)).map((p) => watermarks.get(p)!));
  for (const each of trace) {
    if (each.type === "boot") {
      ended.clear();
      bounds = new Map(estimates);
      settled = new Map(watermarks);
      continue;
    }
    if (each.type === "advance") {
      const { log: partition, watermark, silence } = each;
      // One without a message follows the others, and one that has ended those that go on.
      const follows = hasEnded(partition) && greatest.has(partition);
      const others = logs.keys().filter((other) =>
        other !== partition && greatest.has(other) && !(follows && hasEnded(other))
      ).toArray();
      const leader = plan.scope === "source" && others.length > 0
        ? Math.min(...others.map((other) => watermarks.get(other)!))
        : -Infinity;
      const own = (estimates.get(partition) ?? -Infinity) - OUT_OF_ORDER +
        (plan.idle === "hold" ? 0 : silence);
      const limit = !greatest.has(partition) ? leader : follows ? Math.max(own, leader) : own;
      if (watermark > limit) {
        throw new Error(
          `the watermark of ${partition} ran to ${watermark}; its messages and ${silence} ms of silence justify ${limit}`,
        );
      }
      watermarks.set(partition, Math.max(watermarks.get(partition) ?? -Infinity, watermark));
      estimates.set(partition, watermark + OUT_OF_ORDER);
      continue;
    }
    if (each.type === "ended") {
      ended.add(each.source);
      continue;
    }
    if (each.type === "partition") {
      // One that appears begins where the others are, where a window has messages of all.
      const known = plan.scope === "source" && watermarks.size > 0 ? least() : -Infinity;
      watermarks.set(each.log, known);
      continue;
    }
    const { message, isAhead } = each;
    const { log: partition, offset, time } = message;
    // Whatever was handled concurrently before it, a window has the messages of a partition in their order, each once.
    const last = admitted.get(partition) ?? -1;
    if (offset < last || (offset === last && message.fate !== "twice")) {
      throw new Error(`${partition}:${offset} has come to the window after ${last}`);
    }
    admitted.set(partition, offset);
    const watermark = watermarks.get(partition)!;
    all.push({ message, watermark });
    if (!isAhead) greatest.set(partition, Math.max(greatest.get(partition) ?? -Infinity, time));
    const estimate = greatest.get(partition) ?? -Infinity;
    estimates.set(partition, estimate);
    if (estimate > -Infinity) bounds.set(partition, estimate);
    watermarks.set(partition, Math.max(watermark, estimate - OUT_OF_ORDER));
    settled.set(partition, Math.max(settled.get(partition) ?? -Infinity, estimate - OUT_OF_ORDER));
  }
  return { all, settled, bounds, ended };
}

interface Wanted {
  readonly end: number;
  readonly ids: string[];
}

function windowsOf(
  world: World,
  all: readonly Judged[],
): Map<string, Wanted> {
  const { kind, scope, accept, every } = world.plan;
  const want = new Map<string, Wanted>();
  const keyOf = ({ log, key }: Logged) => `${scope === "source" ? "*" : nameOf(world, log)}/${key}`;
  const idOf = ({ log, offset }: Logged) => `${log}:${offset}`;
  const add = (id: string, end: number, message: Logged) =>
    want.getOrInsertComputed(id, () => ({ end, ids: [] })).ids.push(idOf(message));
  if (kind === "tumbling" || kind === "hopping") {
    const step = kind === "hopping" ? EVERY : SIZE;
    for (const { message, watermark } of all) {
      const last = Math.floor(message.time / step) * step;
      for (let start = last; start > message.time - SIZE; start -= step) {
        if (watermark >= start + SIZE + accept) continue;
        add(`${keyOf(message)}/${start}`, start + SIZE, message);
      }
    }
    return want;
  }
  if (kind === "session") {
    const inTime = all.filter(({ message, watermark }) => message.time >= watermark - accept);
    const open = new Map<string, { id: string; last: number }>();
    for (const { message } of inTime.toSorted((a, b) => a.message.time - b.message.time)) {
      const name = keyOf(message);
      let current = open.get(name);
      if (current === undefined || message.time >= current.last + GAP) {
        open.set(name, current = { id: `${name}/${message.time}`, last: message.time });
      }
      current.last = message.time;
      add(current.id, 0, message);
      want.set(current.id, { end: message.time + GAP, ids: want.get(current.id)!.ids });
    }
    return want;
  }
  if (kind === "sliding") {
    // The number of a message among those of its partition is a part of its name.
    const arrivals = new Map<number, number>();
    const numbered = all.map(({ message, watermark }) => {
      const arrival = arrivals.get(message.log) ?? 0;
      arrivals.set(message.log, arrival + 1);
      return { message, watermark, arrival };
    }).filter(({ message, watermark }) => message.time >= watermark);
    const order = (log: number) => orderOf(world, log);
    for (const { message, arrival } of numbered) {
      const { time, log } = message;
      const id = `${keyOf(message)}/${time}:${nameOf(world, log)}:${arrival}`;
      for (const { message: other, arrival: number } of numbered) {
        if (keyOf(other) !== keyOf(message) || other.time <= time - SIZE) continue;
        const isBefore = other.time < time || (other.time === time &&
          (order(other.log) < order(log) || (other.log === log && number <= arrival)));
        if (isBefore) add(id, time, other);
      }
    }
    return want;
  }
  const counts = new Map<string, number>();
  for (const { message } of all) {
    const name = keyOf(message);
    const number = counts.get(name) ?? 0;
    counts.set(name, number + 1);
    // Window n has the COUNT messages up to the one that closes it, and is there once a message after the last has come.
    for (let index = Math.floor(number / every); index * every < number + COUNT; index++) {
      if (number >= (index + 1) * every - COUNT) add(`${name}/${index}`, Infinity, message);
    }
  }
  for (const [id, { ids }] of want) {
    const parts = id.split("/");
    const index = Number(parts.pop());
    const total = counts.get(parts.join("/"))!;
    if (total >= (index + 1) * every) want.set(id, { end: 0, ids });
    else if (total <= index * every) want.delete(id);
  }
  return want;
}
