import { App, type Cache, type ErrorPolicy, type HandleOptions, Proxy } from "../../mod.ts";
import { delay } from "../../src/clock.ts";
import { type Message, Topic } from "../../src/kafka/mod.ts";
import type { Scheduler } from "../../src/testing/mod.ts";
import type { SimulatedBroker } from "../_support/simulated_broker.ts";
import { aggregateOf, buriedBy, expectedCounts, isPoison, topicsOf } from "./plan.ts";
import type { World } from "./world.ts";

/** What goes to the sinks. */
type Output = readonly [key: null, value: string];

/** The program that is simulated, in one process. */
export class Program {
  /** True when nothing that it does has an effect any more. */
  dead = false;
  /** True when it has handled every message. */
  complete = false;
  readonly topics: Topic[] = [];
  readonly #out: Topic;
  /** Beside each state: has a flow in it as long as the flow has counted an odd number. */
  readonly #odd: readonly Cache<number>[];
  /** Beside the first state: what the aggregation has given last for each key. */
  readonly #last: Cache<number>;

  constructor(
    readonly world: World,
    readonly scheduler: Scheduler,
    readonly broker: SimulatedBroker,
    readonly states: readonly Cache<number>[],
    readonly mayFail: boolean,
    readonly stop: () => void,
  ) {
    this.#out = new Topic("out", { broker });
    this.#odd = states.map((state) => state.space("odd", { maxBytes: Infinity }));
    this.#last = states[0]!.space("last", { maxBytes: Infinity });
  }

  build(): App {
    const { plan } = this.world;
    const app = new App({
      clock: this.scheduler.clock,
      commit: {
        interval: 50,
        messages: plan.random.pick([2, 5, 1_000]),
        flushTimeout: 500,
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
        const name = "first";
        app.handle(topic, handler, {
          name,
          state,
          sink: proxy,
          onError: "stop",
          ...this.#concurrency(name),
        });
      } else {
        app.handle(topic, handler, {
          name: `first ${name}`,
          state,
          sink,
          ...this.#concurrency("first"),
        });
      }
      if (plan.shape === "aggregate") {
        const total = state.aggregate((count = 0, { value }: Message) => {
          if (isPoison(plan, value)) throw new Error("poison");
          this.#failNow();
          this.#checkComplete();
          return count + 1;
        }, { by: ({ value }) => ["total", String(aggregateOf(value))] });
        app.handle(topic, total, {
          name: "total",
          state,
          sink: plan.random.pick([[this.#last], [this.#last, () => this.#step("a sink")]]),
          ...this.#concurrency("total"),
        });
      }
      if (plan.shape !== "fan-out" && plan.shape !== "two stores") continue;
      const other = (message: Message) => this.#count("second", message);
      app.handle(topic, other, { name: "second", state: second, ...this.#concurrency("second") });
    }
    if (plan.shape === "proxy") {
      const behind = async (output: Output) => {
        await this.#step("behind");
        await this.#add(["behind", output[1]]);
        await this.#fail();
        this.#checkComplete();
        return output;
      };
      app.handle(proxy, behind, { sink, onError: "stop", ...this.#concurrency("behind") });
    }
    return app;
  }

  /** How a flow handles its messages: `text` tells of a message or an output what it is. */
  #concurrency(flow: string): Pick<HandleOptions<unknown>, "concurrency"> {
    const { concurrent, max, keys } = this.world.plan;
    if (!concurrent.includes(flow)) return {};
    const by = (given: unknown) => {
      const text = Array.isArray(given) ? given[1] as string : (given as Message).value;
      return Number(text.slice(1)) % keys;
    };
    return { concurrency: { max, by: keys === 0 ? "none" : by } };
  }

  async *#count(flow: string, { value }: Message): AsyncGenerator<Output> {
    const poison = isPoison(this.world.plan, value);
    await this.#step("a handler begins");
    await this.#add([flow, value]);
    await this.#fail();
    if (flow === "first" && !poison) yield [null, value];
    await this.#step("between two writes");
    await this.#toggle(flow);
    await this.#add(["sum", flow]);
    if (poison) throw new Error("poison");
    await this.#fail();
    this.#checkComplete();
  }

  #add(key: string[]): Promise<unknown> {
    return this.#stateOf(key).update(key, (count = 0) => count + 1);
  }

  #stateOf(key: string[]): Cache<number> {
    return this.states[key.includes("second") ? this.states.length - 1 : 0]!;
  }

  #toggle(flow: string): Promise<void> {
    const odd = this.#odd[flow === "second" ? this.#odd.length - 1 : 0]!;
    return odd.transaction([flow], async (tx) => {
      if (await tx.get(flow) === undefined) tx.set(flow, 1);
      else tx.delete(flow);
    });
  }

  /** Lets others go on now and then, or time pass: as long as timers of the engine take. */
  async #step(name: string): Promise<void> {
    const { random, clock } = this.scheduler;
    if (random.chance(0.3)) await this.scheduler.turn(name);
    if (random.chance(this.world.plan.delays)) await delay(clock, random.integer(300));
  }

  /** Fails now and then, where it is a failure that may be repeated. */
  async #fail(): Promise<void> {
    try {
      this.#failNow();
    } catch (error) {
      await this.#step("an error");
      throw error;
    }
  }

  #failNow(): void {
    const { policy, failures } = this.world.plan;
    if (!this.mayFail || policy === "skip" || policy === "deadLetter") return;
    if (this.scheduler.random.chance(failures)) throw new Error("transient");
  }

  #checkComplete(): void {
    const size = this.states.reduce((sum, state) => sum + state.size, 0);
    if (size < Object.keys(expectedCounts(this.world.plan)).length) return;
    // Beside the flows: some of it may be taken back, and who reads that would depend on it.
    this.scheduler.clock.timer(() => void this.#verify(), 0);
  }

  /** Stops when everything is counted. */
  async #verify(): Promise<void> {
    const { plan, dead } = this.world;
    if (buriedBy(plan).some((value) => !dead.includes(value))) return; // another may have been faster
    for (const [name, count] of Object.entries(expectedCounts(plan))) {
      const key = name.split(",");
      if (await this.#stateOf(key).get(key).catch(() => 0) !== count) return;
    }
    this.complete = true;
    this.stop();
  }

  #policy(): ErrorPolicy {
    const { policy, shape } = this.world.plan;
    if (shape === "proxy" || policy === "stop") return "stop";
    if (policy === "retry") return { retry: { attempts: 2, minDelay: 10 }, otherwise: "stop" };
    if (policy === "skip") return "skip";
    return {
      deadLetter: ({ input }) => {
        if (!this.dead) this.world.dead.push((input as Message).value);
        this.#checkComplete();
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
