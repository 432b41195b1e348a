/**
 * One simulated life of a program with a window: real classes, on a disk that fails, with processes that crash between
 * any two steps, brokers that go away, downtime, and clocks that step. All from a seed. What the sink has at the end
 * must be what {@linkcode expectedWindows} computes from the order in which messages came.
 */
import { App } from "../../mod.ts";
import type { Clock } from "../../src/clock.ts";
import { delay } from "../../src/clock.ts";
import type { ConcurrencyOptions } from "../../src/flow/concurrency/options.ts";
import { filter, map } from "../../src/flow/stage/exact_pipes.ts";
import { openState } from "../../src/flow/state/state.ts";
import { Random, Scheduler } from "../../src/testing/mod.ts";
import {
  collect,
  count,
  countWindow,
  fold,
  hopping,
  session,
  sliding,
  tumbling,
  type WindowResult,
} from "../../src/windows/mod.ts";
import { Disk, openSimulated, SimulatedKv } from "../_support/simulated_disk.ts";
import { check } from "./oracle.ts";
import { FETCH_WAIT, type Logged, SimulatedLog } from "./simulated_log.ts";

export const SIZE = 20_000;
export const EVERY = 10_000;
export const GAP = 8_000;
export const OUT_OF_ORDER = 4_000;
export const MAX_AHEAD = 60_000;
export const COUNT = 3;
/** What a span between two answers may count beyond what was silent. */
export const SLACK = FETCH_WAIT + 1_000;

export type Kind = "tumbling" | "hopping" | "session" | "sliding" | "countWindow";
export interface Value {
  readonly ids: string[];
  readonly n: number;
  readonly folded: number;
}

/** What a seed is about. */
export interface Plan {
  readonly kind: Kind;
  readonly scope: "partition" | "source";
  readonly emit: "final" | "changes" | { readonly every: number };
  readonly accept: number;
  readonly idle: "advance" | "hold";
  readonly policy: "stop" | "skip" | "retry";
  /** After how many messages a count window closes. */
  readonly every: number;
  readonly partitions: number;
  readonly grows: boolean;
  /** Messages pass a `map()` before the window, and several of its flow may be in flight. */
  readonly concurrency: ConcurrencyOptions<Logged> | undefined;
  /** Another flow in the same state: at the same source, or a concurrent one at another source. */
  readonly beside: "none" | "sequential" | "concurrent" | "elsewhere";
}

/** What has happened, as far as it is in the state. */
export type Happened =
  | { readonly type: "message"; readonly message: Logged; readonly isAhead: boolean }
  | {
    readonly type: "advance";
    readonly partition: number;
    readonly watermark: number;
    /** How long the partition was silent, at most. */
    readonly silence: number;
  }
  | { readonly type: "partition"; readonly partition: number }
  | { readonly type: "boot" };

/** What outlives the processes. */
export interface World {
  readonly plan: Plan;
  readonly random: Random;
  readonly disk: Disk;
  readonly logs: Logged[][];
  /** The source that another flow may read. */
  readonly others: Logged[][];
  trace: Happened[];
  /** What the sink has: the last revision of each window. */
  readonly table: Map<string, WindowResult<string, Value>>;
  /** The content of each result that was ever seen. */
  readonly contents: Map<string, string>;
  /** What was wrong with a result; a policy would pass over an error. */
  failure: string | undefined;
  /** The time at which the next process begins. */
  time: number;
  /** How far its clock on the wall is off. */
  offset: number;
}

export function planOf(random: Random): Plan {
  const kind = random.pick<Kind>([
    "tumbling",
    "tumbling",
    "hopping",
    "session",
    "session",
    "sliding",
    "countWindow",
  ]);
  const scope = random.pick<Plan["scope"]>(["partition", "source"]);
  const accepts = kind !== "sliding" && kind !== "countWindow" && random.chance(0.4);
  return {
    kind,
    scope,
    emit: kind === "sliding"
      ? "final"
      : random.pick<Plan["emit"]>(["final", "final", "changes", { every: 5_000 }]),
    accept: accepts ? 15_000 + random.integer(15_000) : 0,
    idle: random.chance(0.8) ? "advance" : "hold",
    policy: random.pick<Plan["policy"]>(["stop", "skip", "retry"]),
    every: random.pick([1, 2, COUNT, COUNT]),
    partitions: 1 + random.integer(2),
    grows: scope === "source" && random.chance(0.3),
    concurrency: random.chance(0.5) ? concurrencyOf(random) : undefined,
    beside: random.chance(0.7) ? "none" : random.pick(["sequential", "concurrent", "elsewhere"]),
  };
}

function concurrencyOf(random: Random): ConcurrencyOptions<Logged> {
  const max = 1 + random.integer(4);
  const by = random.pick<ConcurrencyOptions["by"]>(["key", "partition", "none"]);
  return { max, by, ahead: max + random.integer(12) };
}

export async function simulateWindows({ seed }: Scheduler): Promise<void> {
  const random = new Random(seed);
  const plan = planOf(random);
  const world: World = {
    plan,
    random,
    disk: new Disk(),
    logs: Array.from({ length: plan.partitions }, () => []),
    others: [[]],
    trace: [],
    table: new Map(),
    contents: new Map(),
    failure: undefined,
    time: 1_000_000,
    offset: 0,
  };
  const lives = 1 + random.integer(5);
  for (let life = 0; life < lives; life++) {
    await live(world, false);
    downtime(world);
  }
  for (let tries = 0;; tries++) {
    if (await live(world, true)) break;
    if (tries > 20) throw new Error("the program does not come to an end");
  }
  check(world);
}

/** Time passes, in which messages come and nobody reads. */
function downtime(world: World): void {
  const { random } = world;
  for (let left = random.integer(4); left > 0; left--) {
    world.time += random.integer(random.chance(0.5) ? 10_000 : 200_000);
    produce(world, world.time);
  }
  if (random.chance(0.3)) world.offset += random.integer(60_000) - 30_000;
}

function produce({ random, logs, others, plan }: World, now: number): void {
  if (plan.beside === "elsewhere" && random.chance(0.5)) {
    const [other] = others;
    const key = random.pick(["a", "b"]);
    other!.push({ partition: 0, offset: other!.length, key, time: now, fate: "counted" });
  }
  const partition = random.integer(logs.length);
  const log = logs[partition]!;
  let time = now - random.integer(7_000);
  if (random.chance(0.1)) time = now - 10_000 - random.integer(50_000);
  const nearest = random.pick(logs).at(-1);
  if (nearest !== undefined && random.chance(0.1)) time = nearest.time - OUT_OF_ORDER;
  if (random.chance(0.05)) time = now + 2 * MAX_AHEAD + random.integer(150_000);
  const other = random.pick(logs).at(-1);
  if (other !== undefined && random.chance(0.15)) time = other.time;
  const fate = random.chance(0.1)
    ? "filtered"
    : plan.policy === "skip" && random.chance(0.05)
    ? "poison"
    : "counted";
  const key = random.chance(0.7) ? "a" : "b";
  log.push({ partition, offset: log.length, key, time, fate });
}

/** One process; true when it has come to the end that it was to come to. */
async function live(world: World, last: boolean): Promise<boolean> {
  const { random, plan, trace } = world;
  const scheduler = new Scheduler(random.integer(2 ** 32));
  const begin = world.time;
  const clock: Clock = {
    ...scheduler.clock,
    now: () => begin + world.offset + scheduler.clock.monotonic(),
  };
  const now = () => begin + scheduler.clock.monotonic();
  const kv = new SimulatedKv(world.disk, scheduler, last ? 0 : 0.02);
  const cache = await scheduler.run(openSimulated(kv, clock).catch(() => undefined));
  if (cache === undefined) return false;
  const log = new SimulatedLog(world.logs, clock, random);
  const other = new SimulatedLog(world.others, clock, random, "other");
  const store = cache[openState]();
  const saved = [...store.rows.scan("trace")].map(([, value]) => value as number);
  trace.splice(saved[0] ?? 0);
  trace.push({ type: "boot" });
  // The state of the disk: what was written for a result is in the cut that has that it was given.
  const given = new Set<string>();
  for await (const [key] of cache.entries({ prefix: ["given"] })) {
    given.add((key as string[])[1]!);
  }
  const follow = () => {
    for (const partition of world.logs.keys()) {
      const isKnown = trace.some((each) =>
        each.type === "partition" && each.partition === partition
      );
      if (!isKnown) trace.push({ type: "partition", partition });
    }
  };
  follow();
  const leave = store.beforeCut(() => store.rows.set("trace", trace.length));
  const quiet = new Quiet(world.logs, log, () => scheduler.clock.monotonic());
  let dead = false;
  const stop = new AbortController();
  const app = new App({
    clock,
    commit: { interval: random.pick([500, 3_000]), flushTimeout: 5_000 },
    onError: plan.policy === "retry" ? { retry: { attempts: 3, minDelay: 10 } } : plan.policy,
    onStatus: (event) => {
      if (event.type !== "idle_advance") return;
      const { partition, watermark } = event;
      trace.push({ type: "advance", partition, watermark, silence: quiet.of(partition) });
    },
  });
  const arrived = (message: Logged) => {
    quiet.arrived(message.partition);
    trace.push({ type: "message", message, isAhead: message.time > clock.now() + MAX_AHEAD });
    return `${message.partition}:${message.offset}`;
  };
  const isConcurrent = plan.concurrency !== undefined ||
    ["concurrent", "elsewhere"].includes(plan.beside);
  // What a flow does with a message before it is done: it takes its time, writes to the state, and fails.
  const work = async (flow: string, { partition, offset, key }: Logged) => {
    if (random.chance(0.4)) await scheduler.turn(flow);
    if (!last && random.chance(0.05)) await delay(clock, random.integer(8_000));
    if (offset % 3 === 0) {
      await cache.update(["done", flow, `${partition}:${offset}`], (n = 0) => n as number + 1);
    }
    // Some build on what others have written, and some are overtaken.
    if (offset % 4 === 0) await cache.update(["last", key], () => offset);
    if (offset % 3 === 1) await cache.get(["last", key]);
    if (random.chance(0.2)) await scheduler.turn(`${flow} has written`);
    if (!last && random.chance(0.15)) await delay(clock, random.integer(8_000));
    if (!last && plan.policy === "retry" && random.chance(0.1)) throw new Error("transient");
  };
  const passes = filter<Logged>(({ fate }) => fate !== "filtered");
  if (plan.beside !== "none") {
    app.handle(plan.beside === "elsewhere" ? other : log, (message) => work("beside", message), {
      name: "beside",
      state: cache,
      ...(plan.beside !== "sequential" && { concurrency: concurrencyOf(random) }),
    });
  }
  app.handle(
    log,
    map(
      isConcurrent
        ? (message) => work("windows", message).then(() => message)
        : (message) => message,
    ),
    passes,
    windowOf(plan, arrived),
    async (result) => {
      const name = `${result.id} ${result.revision}`;
      if (!dead && given.has(name)) {
        world.failure ??= `${name} is given again, though that it was given is on disk`;
      }
      if (random.chance(0.2)) await scheduler.turn("a handler");
      if (!last && random.chance(0.05)) await delay(clock, random.integer(20_000));
      // It may build on a message that is still in flight.
      if (isConcurrent && random.chance(0.3)) await cache.get(["last", result.key]);
      await cache.update(["given", name], (times = 0) => times as number + 1);
      if (random.chance(0.2)) await scheduler.turn("a handler has written");
      if (!last && plan.policy === "retry" && random.chance(0.1)) throw new Error("transient");
      return result;
    },
    {
      name: "windows",
      state: cache,
      concurrency: plan.concurrency,
      sink: async (result: WindowResult<string, Value>) => {
        if (random.chance(0.2)) await scheduler.turn("a sink");
        if (!dead) receive(world, result);
        const name = `${result.id} ${result.revision}`;
        if (random.chance(0.2)) await scheduler.turn("a sink is done");
        if (!dead) given.add(name);
      },
    },
  );
  const streaming = app.stream({ signal: stop.signal, drainTimeout: 100_000 }).then(
    () => true,
    (error) => {
      if (last) throw error;
      return false;
    },
  );
  const crash = () => {
    dead =
      log.dead =
      other.dead =
      kv.dead =
        true;
    stop.abort();
  };
  const happen = async () => {
    for (let left = last ? 0 : 10 + random.integer(40); left > 0 && !dead; left--) {
      await delay(clock, random.integer(4_000));
      if (isConcurrent && random.chance(0.15)) {
        const partition = random.integer(world.logs.length);
        for (let more = random.integer(10); more > 0; more--) produce(world, now());
        await delay(clock, random.integer(2_000));
        log.rebalance(partition);
        await delay(clock, random.integer(3_000));
        log.back(partition);
      }
      const what = random.number();
      if (what < 0.7) produce(world, now());
      else if (what < 0.75) await delay(clock, random.integer(40_000));
      else if (what < 0.82) {
        log.outage = true;
        await delay(clock, random.integer(60_000));
        log.outage = false;
      } else if (what < 0.87) {
        app.pause(log);
        await delay(clock, random.integer(60_000));
        app.resume(log);
      } else if (what < 0.9) world.offset += random.integer(10_000) - 5_000;
      else if (what < 0.96 && plan.grows && world.logs.length < 3) {
        world.logs.push([]);
        follow();
        log.follow();
      }
      if (random.chance(0.02)) return stop.abort();
    }
    if (!last) return crash();
    const isRead = ({ done }: SimulatedLog, logs: readonly Logged[][]) =>
      logs.every((all, partition) => done[partition] === all.length);
    const read = () =>
      isRead(log, world.logs) && (plan.beside !== "elsewhere" || isRead(other, world.others));
    while (!read() && !stop.signal.aborted) await delay(clock, 1_000);
    await delay(clock, 5 * SIZE);
    stop.abort();
  };
  const happening = happen();
  const onStep = () => {
    quiet.look();
    if (!last && !dead && random.chance(0.002)) crash();
  };
  const whole = await scheduler.run(streaming, { onStep, maxSteps: 300_000 });
  await scheduler.run(happening);
  leave();
  if (last && !dead) {
    for (const name of world.contents.keys()) {
      const times = await cache.get(["given", name]);
      if (times !== 1) world.failure ??= `for ${name} was written ${times} times`;
    }
    const flows = [
      ["windows", isConcurrent ? world.logs : []],
      [
        "beside",
        plan.beside === "elsewhere" ? world.others : plan.beside === "none" ? [] : world.logs,
      ],
    ] as const;
    for (const [flow, logs] of flows) {
      for (const { partition, offset } of logs.flat()) {
        if (offset % 3 !== 0) continue;
        const times = await cache.get(["done", flow, `${partition}:${offset}`]);
        if (times !== 1) {
          world.failure ??= `${flow} has written ${partition}:${offset} ${times} times`;
        }
      }
    }
  }
  await scheduler.run(cache.close().catch(() => {}));
  world.time = now();
  return whole && !dead;
}

function windowOf(plan: Plan, arrived: (message: Logged) => string) {
  const common = {
    by: (message: Logged) => {
      if (message.fate === "poison") throw new Error("poison");
      return message.key;
    },
    time: (message: Logged) => message.time,
    scope: plan.scope,
    outOfOrderness: OUT_OF_ORDER,
    maxAhead: MAX_AHEAD,
    idle: plan.idle,
    emit: plan.emit,
    into: {
      n: count(),
      folded: fold({
        init: () => 0,
        add: (sum, message: Logged) => sum + message.offset,
        merge: (first, second) => first + second,
      }),
      ids: collect({ max: 10_000, of: arrived }),
    },
    ...(plan.accept > 0 && { late: { accept: plan.accept } }),
  };
  switch (plan.kind) {
    case "tumbling":
      return tumbling({ size: SIZE, ...common });
    case "hopping":
      return hopping({ size: SIZE, every: EVERY, ...common });
    case "session":
      return session({ gap: GAP, ...common });
    case "sliding":
      return sliding({ size: SIZE, ...common });
    case "countWindow":
      return countWindow({ size: COUNT, every: plan.every, ...common });
  }
}

/** The sink: keeps the last revision of each window, and drops what is replaced. */
function receive(world: World, result: WindowResult<string, Value>): void {
  const { table, contents } = world;
  const { id, revision, replaces } = result;
  const content = JSON.stringify(result);
  const known = contents.get(`${id} ${revision}`);
  if (known !== undefined && known !== content) {
    world.failure ??= `two contents of ${id} ${revision}: ${known} and ${content}`;
  }
  if (replaces.includes(id)) world.failure ??= `${id} replaces itself`;
  contents.set(`${id} ${revision}`, content);
  for (const each of replaces) table.delete(each);
  if ((table.get(id)?.revision ?? 0) <= revision) table.set(id, result);
}

/** How long partitions were silent at most, as far as the simulation knows: since their last message. */
class Quiet {
  readonly #sums = new Map<number, number>();
  #last: number;
  #were: readonly boolean[] = [];

  constructor(
    readonly logs: readonly Logged[][],
    readonly log: SimulatedLog,
    readonly clock: () => number,
  ) {
    this.#last = clock();
  }

  arrived(partition: number): void {
    this.#sums.set(partition, 0);
  }

  of(partition: number): number {
    this.look();
    return this.#sums.get(partition) ?? 0;
  }

  look(): void {
    const now = this.clock();
    const passed = now - this.#last;
    this.#last = now;
    const were = this.#were;
    this.#were = this.logs.map((all, partition) =>
      this.log.done[partition] === all.length && !this.log.outage
    );
    for (const [partition, was] of were.entries()) {
      const sum = this.#sums.get(partition) ?? 0;
      if (was) this.#sums.set(partition, sum + passed);
      // Two answers may lie around what was no silence.
      if (was && !this.#were[partition]) {
        this.#sums.set(partition, (this.#sums.get(partition) ?? 0) + SLACK);
      }
    }
  }
}
