/**
 * One simulated life of a program with a window: real classes, on a disk that fails, with processes that crash between
 * any two steps, brokers that go away, downtime, and clocks that step. All from a seed. What the sink has at the end
 * must be what {@linkcode expectedWindows} computes from the order in which messages came.
 */
import { App, merge, Proxy } from "../../mod.ts";
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
import { FETCH_WAIT, type Log, type Logged, SimulatedLog } from "./simulated_log.ts";

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
  /** The sources; each process merges them in an order of its own. */
  readonly sources: readonly string[];
  /** How many Proxies lie between the source and the window. */
  readonly proxies: number;
  /**
   * Messages pass a `map()` before the window, and several of its flow may be in flight; never where sources are merged
   * or behind a Proxy.
   */
  readonly concurrency: ConcurrencyOptions<Logged> | undefined;
  /**
   * Another flow in the same state: at the first source, or a concurrent one at another source. Where a window may not
   * stand beside a concurrent flow, since its source is merged or behind a Proxy, a Proxy is between.
   */
  readonly beside: "none" | "sequential" | "concurrent" | "elsewhere";
}

/** What has happened, as far as it is in the state. */
export type Happened =
  | { readonly type: "message"; readonly message: Logged; readonly isAhead: boolean }
  | {
    readonly type: "advance";
    readonly log: number;
    readonly watermark: number;
    /** How long the partition was silent, at most. */
    readonly silence: number;
  }
  | { readonly type: "partition"; readonly log: number }
  | { readonly type: "ended"; readonly source: string }
  | { readonly type: "boot" };

/** What outlives the processes. */
export interface World {
  readonly plan: Plan;
  readonly random: Random;
  readonly disk: Disk;
  readonly logs: Log[];
  /** What another flow may read. */
  readonly other: Log;
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
  const sources = random.pick([["log"], ["log"], ["log"], ["log", "events"]]);
  const proxies = sources.length === 1 && random.chance(0.4) ? 1 + random.integer(2) : 0;
  const isDirect = sources.length === 1 && proxies === 0;
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
    sources,
    proxies,
    concurrency: isDirect && random.chance(0.5) ? concurrencyOf(random) : undefined,
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
    logs: [],
    other: { source: "other", partition: 0, messages: [] },
    trace: [],
    table: new Map(),
    contents: new Map(),
    failure: undefined,
    time: 1_000_000,
    offset: 0,
  };
  for (const source of plan.sources) {
    for (let left = plan.partitions; left > 0; left--) grow(world, source);
  }
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

/** A source gets another partition. */
function grow({ logs }: World, source: string): void {
  const partition = logs.filter((log) => log.source === source).length;
  logs.push({ source, partition, messages: [] });
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

function produce({ random, logs, other: { messages: others }, plan }: World, now: number): void {
  if (plan.beside === "elsewhere" && random.chance(0.5)) {
    const key = random.pick(["a", "b"]);
    others.push({ log: -1, offset: others.length, key, time: now, fate: "counted" });
  }
  const log = random.integer(logs.length);
  const { messages } = logs[log]!;
  let time = now - random.integer(7_000);
  if (random.chance(0.1)) time = now - 10_000 - random.integer(50_000);
  const nearest = random.pick(logs).messages.at(-1);
  if (nearest !== undefined && random.chance(0.1)) time = nearest.time - OUT_OF_ORDER;
  if (random.chance(0.05)) time = now + 2 * MAX_AHEAD + random.integer(150_000);
  const other = random.pick(logs).messages.at(-1);
  if (other !== undefined && random.chance(0.15)) time = other.time;
  const fate = random.chance(0.1)
    ? "filtered"
    : plan.policy === "skip" && random.chance(0.05)
    ? "poison"
    : plan.proxies > 0 && random.chance(0.1)
    ? "twice"
    : "counted";
  const key = random.chance(0.7) ? "a" : "b";
  messages.push({ log, offset: messages.length, key, time, fate });
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
  const sources = plan.sources.map((name) => new SimulatedLog(name, world.logs, clock, random));
  const other = new SimulatedLog("other", [world.other], clock, random);
  const isConcurrent = plan.concurrency !== undefined ||
    ["concurrent", "elsewhere"].includes(plan.beside);
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
    for (const log of world.logs.keys()) {
      const isKnown = trace.some((each) => each.type === "partition" && each.log === log);
      if (!isKnown) trace.push({ type: "partition", log });
    }
  };
  follow();
  const leave = store.beforeCut(() => store.rows.set("trace", trace.length));
  for (const source of sources.slice(1)) {
    source.onEnd = () => trace.push({ type: "ended", source: source.name });
    source.ending = last && random.chance(0.3);
  }
  const quiet = new Quiet(world.logs, sources, () => scheduler.clock.monotonic());
  let dead = false;
  const stop = new AbortController();
  const app = new App({
    clock,
    commit: { interval: random.pick([500, 3_000]), flushTimeout: 5_000 },
    onError: plan.policy === "retry" ? { retry: { attempts: 3, minDelay: 10 } } : plan.policy,
    onStatus: (event) => {
      if (event.type !== "idle_advance") return;
      const { source, partition, watermark } = event;
      const log = world.logs.findIndex((each) =>
        each.source === source && each.partition === partition
      );
      trace.push({ type: "advance", log, watermark, silence: quiet.of(log) });
    },
  });
  const arrived = (message: Logged) => {
    quiet.arrived(message.log);
    trace.push({ type: "message", message, isAhead: message.time > clock.now() + MAX_AHEAD });
    return `${message.log}:${message.offset}`;
  };
  /** The flow with the window works for each message; behind a Proxy there may be two of it, or none. */
  const works = isConcurrent && plan.proxies === 0;
  // What a flow does with a message before it is done: it takes its time, writes to the state, and fails.
  const work = async (flow: string, { log, offset, key }: Logged) => {
    if (random.chance(0.4)) await scheduler.turn(flow);
    if (!last && random.chance(0.05)) await delay(clock, random.integer(8_000));
    if (offset % 3 === 0) {
      await cache.update(["done", flow, `${log}:${offset}`], (n = 0) => n as number + 1);
    }
    // Some build on what others have written, and some are overtaken.
    if (offset % 4 === 0) await cache.update(["last", key], () => offset);
    if (offset % 3 === 1) await cache.get(["last", key]);
    if (random.chance(0.2)) await scheduler.turn(`${flow} has written`);
    if (!last && random.chance(0.15)) await delay(clock, random.integer(8_000));
    if (!last && plan.policy === "retry" && random.chance(0.1)) throw new Error("transient");
  };
  if (plan.beside !== "none") {
    const isApart = plan.beside === "concurrent" && (sources.length > 1 || plan.proxies > 0);
    const own = new Proxy<Logged>({ bound: 3 });
    if (isApart) {
      const pass = (message: Logged) => message;
      app.handle(sources[0]!, pass, { name: "apart", state: cache, sink: own, onError: "stop" });
    }
    app.handle(
      isApart ? own : plan.beside === "elsewhere" ? other : sources[0]!,
      (message) => work("beside", message),
      {
        name: "beside",
        state: cache,
        ...(plan.beside !== "sequential" && { concurrency: concurrencyOf(random) }),
      },
    );
  }
  const first = sources.length === 1
    ? sources[0]!
    : merge(...random.chance(0.5) ? sources : sources.toReversed());
  let source: typeof first | Proxy<Logged> = first;
  const proxies = Array.from({ length: plan.proxies }, () => new Proxy<Logged>({ bound: 3 }));
  for (const [index, proxy] of proxies.entries()) {
    const pass = async function* (message: Logged) {
      if (random.chance(0.2)) await scheduler.turn("before a Proxy");
      if (message.fate === "filtered" && index === 0) return;
      yield message;
      if (message.fate !== "twice" || index > 0) return;
      if (random.chance(0.5)) await delay(clock, random.integer(8_000)); // the window has it, and it is not done
      yield message;
    };
    app.handle(source, pass, { name: `pass ${index}`, state: cache, sink: proxy, onError: "stop" });
    source = proxy;
  }
  app.handle(
    source,
    map((message) => {
      if (works) return work("windows", message).then(() => message);
      return plan.proxies > 0 && random.chance(0.2) ? later(message) : message;
    }),
    filter(({ fate }) => fate !== "filtered"),
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
  const later = async (message: Logged) => {
    await (random.chance(0.1)
      ? delay(clock, random.integer(5_000))
      : scheduler.turn("behind a Proxy"));
    return message;
  };
  const streaming = app.stream({ signal: stop.signal, drainTimeout: 100_000 }).then(
    () => true,
    (error) => {
      if (last) throw error;
      return false;
    },
  );
  const crash = () => {
    dead = kv.dead = true;
    for (const source of [...sources, other]) source.dead = true;
    stop.abort();
  };
  const happen = async () => {
    for (let left = last ? 0 : 10 + random.integer(40); left > 0 && !dead; left--) {
      await delay(clock, random.integer(4_000));
      if (isConcurrent && random.chance(0.15)) {
        const log = random.pick(sources);
        const partition = random.integer(3);
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
        const away = random.pick(sources);
        away.outage = true;
        await delay(clock, random.integer(60_000));
        away.outage = false;
      } else if (what < 0.87) {
        const paused = random.pick(sources);
        app.pause(paused);
        await delay(clock, random.integer(60_000));
        app.resume(paused);
      } else if (what < 0.9) world.offset += random.integer(10_000) - 5_000;
      else if (what < 0.96 && plan.grows && world.logs.length < 3 * sources.length) {
        const { name } = random.pick(sources);
        grow(world, name);
        follow();
        for (const source of sources) source.follow();
      }
      if (sources.length > 1 && random.chance(0.02)) sources[1]!.ending = true;
      if (random.chance(0.02)) return stop.abort();
    }
    if (!last) return crash();
    const read = () =>
      world.logs.every((log) => isDone(log, sources)) &&
      (plan.beside !== "elsewhere" || isDone(world.other, [other]));
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
      ["windows", works ? world.logs : []],
      [
        "beside",
        plan.beside === "elsewhere"
          ? [world.other]
          : plan.beside === "none"
          ? []
          : world.logs.filter(({ source }) => source === sources[0]!.name),
      ],
    ] as const;
    for (const [flow, logs] of flows) {
      for (const { log, offset } of logs.flatMap(({ messages }) => messages)) {
        if (offset % 3 !== 0) continue;
        const times = await cache.get(["done", flow, `${log}:${offset}`]);
        if (times !== 1) world.failure ??= `${flow} has written ${log}:${offset} ${times} times`;
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

function isDone({ source, partition }: Log, sources: readonly SimulatedLog[]): boolean {
  return sources.find(({ name }) => name === source)!.isDone(partition);
}

/** How long partitions were silent at most, as far as the simulation knows: since their last message. */
class Quiet {
  readonly #sums = new Map<number, number>();
  #last: number;
  #were: readonly boolean[] = [];

  constructor(
    readonly logs: readonly Log[],
    readonly sources: readonly SimulatedLog[],
    readonly clock: () => number,
  ) {
    this.#last = clock();
  }

  arrived(log: number): void {
    // One that was in flight when its partition was taken away is behind what the partition has given since it is back.
    this.#sums.set(log, this.#were[log] ? SLACK : 0);
  }

  of(log: number): number {
    this.look();
    return this.#sums.get(log) ?? 0;
  }

  look(): void {
    const now = this.clock();
    const passed = now - this.#last;
    this.#last = now;
    const were = this.#were;
    this.#were = this.logs.map((log) => {
      const { outage } = this.sources.find(({ name }) => name === log.source)!;
      return !outage && isDone(log, this.sources);
    });
    for (const [log, was] of were.entries()) {
      const sum = this.#sums.get(log) ?? 0;
      if (was) this.#sums.set(log, sum + passed);
      // Two answers may lie around what was no silence.
      if (was && !this.#were[log]) this.#sums.set(log, (this.#sums.get(log) ?? 0) + SLACK);
    }
  }
}
