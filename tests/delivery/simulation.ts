/**
 * One simulated life of a program with exact state: crashes between any two steps of a flush and of the
 * barrier, disks and sinks that fail, groups that are lost. All from a seed; see `deno task simulate`.
 */
import { assertEquals } from "@std/assert";
import { App, type Cache, type ErrorPolicy, Proxy } from "../../mod.ts";
import type { Clock } from "../../src/clock.ts";
import { type Message, Topic } from "../../src/kafka/mod.ts";
import { MemoryBroker } from "../../src/kafka/memory/mod.ts";
import { Random, Scheduler } from "../../src/testing/mod.ts";
import { SimulatedBroker } from "../_support/simulated_broker.ts";
import { Disk, openSimulated, SimulatedKv } from "../_support/simulated_disk.ts";

const POLICIES = ["stop", "skip", "retry", "deadLetter"] as const;
const SHAPES = ["one", "fan-out", "two stores", "proxy", "two sources"] as const;
const MESSAGES = 13;

/** What goes to the sinks. */
type Output = readonly [key: null, value: string];

/** A program, as its seed has made it. */
interface Plan {
  readonly random: Random;
  readonly policy: typeof POLICIES[number];
  readonly shape: typeof SHAPES[number];
  readonly partitions: number;
  /** The probability of a crash at a step. */
  readonly crashes: number;
  /** The probability of a failure at a call of handler or sink. */
  readonly failures: number;
}

/** What outlives the processes. */
interface World {
  readonly plan: Plan;
  /** The disks of the stores; the second is for the second flow of a fan-out. */
  readonly disks: readonly Disk[];
  readonly broker: MemoryBroker;
  /** The values that are in the file and in the table of the function sink. */
  readonly file: string[];
  readonly table: string[];
  readonly dead: string[];
  /** Where the broker takes its time from: the process that lives. */
  clock: Clock;
}

/** Runs the simulation of `seed`; throws when something was lost, counted twice, or made up. */
export async function simulateDelivery({ seed }: Scheduler): Promise<void> {
  const random = new Random(seed);
  const plan: Plan = {
    random,
    policy: random.pick(POLICIES),
    shape: random.pick(SHAPES),
    partitions: 1 + random.integer(3),
    crashes: random.pick([0.005, 0.02, 0.05]),
    failures: random.pick([0, 0.02, 0.1]),
  };
  const clock: Clock = {
    now: () => world.clock.now(),
    timer: (callback, ms) => world.clock.timer(callback, ms),
    macrotask: (callback) => world.clock.macrotask(callback),
    random: () => world.clock.random(),
  };
  const world: World = {
    plan,
    disks: plan.shape === "two stores" ? [new Disk(), new Disk()] : [new Disk()],
    broker: new MemoryBroker({ clock, partitions: plan.partitions }),
    file: [],
    table: [],
    dead: [],
    clock: new Scheduler(random.integer(2 ** 32)).clock,
  };
  for (const topic of topicsOf(plan)) await fill(world.broker, topic, plan.partitions);
  await world.broker.ensure("out", {});
  for (let lives = 0; !await live(world, lives); lives++) {
    if (lives > 200) throw new Error("the program does not come to an end");
  }
  await check(world);
}

function topicsOf({ shape }: Plan): string[] {
  return shape === "two sources" ? ["a", "b"] : ["a"];
}

async function fill(broker: MemoryBroker, name: string, partitions: number): Promise<void> {
  await using topic = new Topic(name, { broker });
  for (let n = 0; n < MESSAGES; n++) {
    await topic.send({ value: `${name}${n}`, partition: n % partitions });
  }
}

/** Messages that always fail, where the policy goes on without them. */
function isPoison({ policy, shape }: Plan, value: string): boolean {
  if (shape === "proxy") return false; // only "stop" is exact there
  return (policy === "skip" || policy === "deadLetter") && /^[ab][15]$/.test(value);
}

/** One process, from its start to its crash (false), its stop by an error (false), or its end (true). */
async function live(world: World, lives: number): Promise<boolean> {
  const { plan } = world;
  const scheduler = new Scheduler(plan.random.integer(2 ** 32));
  world.clock = scheduler.clock;
  const mayCrash = lives < 6;
  const kvs = world.disks.map((disk) =>
    new SimulatedKv(disk, scheduler, mayCrash ? plan.failures / 4 : 0)
  );
  const connection = new SimulatedBroker(world.broker, scheduler);
  const states = await openAll(kvs, scheduler).catch(() => undefined);
  if (states === undefined) return false;

  const stop = new AbortController();
  const program = new Program(world, scheduler, connection, states, mayCrash, () => stop.abort());
  const app = program.build();
  let crashed = false;
  const streaming = app.stream({ signal: stop.signal, drainMs: 100_000 });
  const ended = streaming.then(() => true, () => false);
  const onStep = () => {
    if (crashed || !mayCrash) return;
    const [crash, loss] = [plan.random.chance(plan.crashes), plan.random.chance(plan.crashes)];
    if (crash) {
      crashed = true;
      for (const kv of kvs) kv.dead = true;
      connection.crash();
      program.dead = true;
      stop.abort();
    } else if (loss) {
      connection.loseGroup().catch(() => {}); // it crashed meanwhile
    }
  };
  const whole = await scheduler.run(ended, { onStep });
  program.dead = true;
  for (const topic of program.topics) await scheduler.run(topic.close().catch(() => {}));
  for (const state of states) await scheduler.run(state.close().catch(() => {}));
  await connection.crash(); // the process is gone
  return whole && !crashed && program.complete;
}

async function openAll(kvs: SimulatedKv[], scheduler: Scheduler): Promise<Cache<number>[]> {
  const states: Cache<number>[] = [];
  for (const kv of kvs) {
    states.push(await scheduler.run(openSimulated<number>(kv, scheduler.clock)));
  }
  return states;
}

/** The program that is simulated, in one process. */
class Program {
  /** True when nothing that it does has an effect any more. */
  dead = false;
  /** True when it has handled every message. */
  complete = false;
  readonly topics: Topic[] = [];
  readonly #out: Topic;

  constructor(
    readonly world: World,
    readonly scheduler: Scheduler,
    readonly broker: SimulatedBroker,
    readonly states: readonly Cache<number>[],
    readonly mayFail: boolean,
    readonly stop: () => void,
  ) {
    this.#out = new Topic("out", { broker });
  }

  build(): App {
    const { plan } = this.world;
    const app = new App({
      clock: this.scheduler.clock,
      barrier: {
        intervalMs: 50,
        messages: plan.random.pick([2, 5, 1_000]),
        flushTimeoutMs: 500,
      },
      onError: this.#policy(),
      onStatus: ({ type }) => void (type === "started" && this.#checkComplete()),
    });
    const state = this.states[0]!, second = this.states.at(-1)!;
    const sink = [this.#out, this.#file(), (output: Output) => this.#store(output)] as const;
    const proxy = new Proxy<Output>({ bound: 1 + plan.random.integer(4) });
    for (const name of topicsOf(plan)) {
      const topic = new Topic(name, { broker: this.broker, groupId: "g", offset: "earliest" });
      this.topics.push(topic);
      const handler = (message: Message) => this.#count("first", message);
      if (plan.shape === "proxy") {
        app.handle(topic, handler, { name: "first", state, sink: proxy, onError: "stop" });
      } else app.handle(topic, handler, { name: `first ${name}`, state, sink });
      if (plan.shape !== "fan-out" && plan.shape !== "two stores") continue;
      const other = (message: Message) => this.#count("second", message);
      app.handle(topic, other, { name: "second", state: second });
    }
    if (plan.shape === "proxy") {
      const behind = async (output: Output) => {
        await this.#step("behind");
        await this.#add(["behind", output[1]]);
        await this.#fail();
        this.#checkComplete();
        return output;
      };
      app.handle(proxy, behind, { sink, onError: "stop" });
    }
    return app;
  }

  async *#count(flow: string, { value }: Message): AsyncGenerator<Output> {
    const poison = isPoison(this.world.plan, value);
    await this.#step("a handler begins");
    await this.#add([flow, value]);
    await this.#fail();
    if (flow === "first" && !poison) yield [null, value];
    await this.#step("between two writes");
    await this.#add(["sum", flow]);
    if (poison) throw new Error("poison");
    await this.#fail();
    this.#checkComplete();
  }

  #add(key: string[]): Promise<unknown> {
    const state = this.states[key.includes("second") ? this.states.length - 1 : 0]!;
    return state.update(key, (count = 0) => count + 1);
  }

  async #step(name: string): Promise<void> {
    if (this.scheduler.random.chance(0.3)) await this.scheduler.turn(name);
  }

  /** Fails now and then, where it is a failure that may be repeated. */
  async #fail(): Promise<void> {
    const { policy, failures } = this.world.plan;
    if (!this.mayFail || policy === "skip" || policy === "deadLetter") return;
    if (!this.scheduler.random.chance(failures)) return;
    await this.#step("an error");
    throw new Error("transient");
  }

  #checkComplete(): void {
    const size = this.states.reduce((sum, state) => sum + state.size, 0);
    if (size < Object.keys(expectedState(this.world.plan)).length) return;
    this.complete = true;
    this.stop();
  }

  #policy(): ErrorPolicy {
    const { policy, shape } = this.world.plan;
    if (shape === "proxy" || policy === "stop") return "stop";
    if (policy === "retry") return { retry: { attempts: 2, minMs: 10 }, otherwise: "stop" };
    if (policy === "skip") return "skip";
    return {
      deadLetter: ({ input }) => {
        if (!this.dead) this.world.dead.push((input as Message).value);
      },
    };
  }

  /** A sink that buffers, as a file does. */
  #file() {
    let buffered: string[] = [];
    return {
      write: ([_, text]: Output) => void buffered.push(text),
      flush: async () => {
        const texts = [...buffered];
        await this.scheduler.turn("a file is written");
        if (this.dead) throw new Error("dead");
        if (this.mayFail && this.scheduler.random.chance(this.world.plan.failures / 4)) {
          throw new Error("the file is locked");
        }
        this.world.file.push(...texts);
        buffered = buffered.slice(texts.length);
        await this.scheduler.turn("a file is synced");
      },
    };
  }

  /** A sink that is a function, slow at times. */
  async #store([_, text]: Output): Promise<void> {
    await this.#step("a slow sink");
    await this.#fail();
    if (!this.dead) this.world.table.push(text);
  }
}

/** The values of all messages. */
function valuesOf(plan: Plan): string[] {
  return topicsOf(plan).flatMap((topic) =>
    Array.from({ length: MESSAGES }, (_, n) => `${topic}${n}`)
  );
}

/** The state at the end: every message counted once by every flow. */
function expectedState(plan: Plan): Record<string, number> {
  const good = valuesOf(plan).filter((value) => !isPoison(plan, value));
  const both = plan.shape === "fan-out" || plan.shape === "two stores";
  const flows = both ? ["first", "second"] : ["first"];
  const expected: Record<string, number> = {};
  for (const flow of flows) {
    for (const value of good) expected[`${flow},${value}`] = 1;
    expected[`sum,${flow}`] = good.length;
  }
  if (plan.shape === "proxy") { for (const value of good) expected[`behind,${value}`] = 1; }
  return expected;
}

/** Nothing lost, nothing foreign, the state exact. */
async function check(world: World): Promise<void> {
  const { plan } = world;
  const scheduler = new Scheduler(0);
  world.clock = scheduler.clock;
  const kvs = world.disks.map((disk) => new SimulatedKv(disk, scheduler, 0));
  const found: Record<string, number> = {};
  for (const state of await openAll(kvs, scheduler)) {
    for (const [key, count] of await Array.fromAsync(state.entries())) found[String(key)] = count;
    await scheduler.run(state.close());
  }

  const expected = expectedState(plan);
  assertEquals(found, expected, `the state, with ${JSON.stringify(plan)}`);

  const good = valuesOf(plan).filter((value) => !isPoison(plan, value));
  const out: string[] = [];
  await using topic = new Topic("out", {
    broker: world.broker,
    groupId: "check",
    offset: "earliest",
  });
  const high = (await topic.offsets()).get(0)!.high;
  const reading = (async () => {
    if (high === 0) return;
    for await (const { value, offset } of topic) {
      out.push(value);
      if (offset === high - 1) break;
    }
  })();
  await scheduler.run(reading);
  for (const [name, seen] of Object.entries({ out, file: world.file, table: world.table })) {
    assertEquals(
      [...new Set(seen)].sort(),
      [...good].sort(),
      `${name}, with ${JSON.stringify(plan)}`,
    );
  }
  if (plan.policy === "deadLetter" && plan.shape !== "proxy") {
    const poison = valuesOf(plan).filter((value) => isPoison(plan, value));
    assertEquals([...new Set(world.dead)].sort(), poison.sort(), "dead letters");
  }
}
