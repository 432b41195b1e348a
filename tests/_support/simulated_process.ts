import {
  App,
  type Cache,
  Checkpoint,
  type CheckpointEvent,
  type Context,
  deadLetter,
  Dependency,
  type ErrorPolicy,
  retry,
} from "../../mod.ts";
import { type Message, Topic } from "../../src/kafka/mod.ts";
import type { Emitted } from "./join_world.ts";
import { PauseWatch } from "./pause_watch.ts";
import { SimulatedBroker } from "./simulated_broker.ts";
import { DeadError, type SimulatedKv } from "./simulated_disk.ts";
import type { Event, Join, JoinSetup } from "./simulated_join.ts";

/**
 * One process: it stores the weathers, answers questions by what is stored, and keeps its checkpoint, all in
 * one cache on disk.
 */
export class JoinProcess {
  readonly checkpoint: Checkpoint<Message<string, Event>>;
  readonly emitted: Emitted[] = [];
  readonly events: CheckpointEvent[] = [];
  /** The positions before which all was handled when the process began, by partition. */
  readonly applied: ReadonlyMap<number, number> = new Map();
  /** Resolves when the process is gone: to what it failed with. */
  readonly gone: Promise<unknown>;
  dead = false;
  readonly watch: PauseWatch;
  readonly #join: Join;
  readonly #kv: SimulatedKv;
  readonly #cache: Cache;
  readonly #broker: SimulatedBroker;
  readonly #topics: readonly Topic<string, Event>[];
  readonly #abort = new AbortController();

  constructor(join: Join, kv: SimulatedKv, cache: Cache) {
    this.#join = join;
    this.#kv = kv;
    this.#cache = cache;
    const { scheduler, options } = join;
    const broker = this.#broker = new SimulatedBroker(join.broker, scheduler);
    const weathers = join.weathers.map((_, index) => join.topic(`weather-${index}`, broker));
    const questions = join.topic("question", broker);
    const answers = new Topic("answer", { broker });
    this.#topics = [...weathers, questions, answers as unknown as Topic<string, Event>];
    const dependencies = weathers.map((weather) =>
      new Dependency(weather.name, weather, { downtimeThreshold: 15, ...options.dependency })
    );
    this.checkpoint = new Checkpoint("questions", {
      dependent: questions,
      dependencies,
      correct: true,
      cache,
      onStatus: (event) => {
        this.events.push(event);
        this.watch.told(event);
      },
      recoveryCallback: () => this.watch.recovered(),
      ...options.checkpoint,
    });
    const { pauseDependent, maxPauseMs } = options.checkpoint;
    const alwaysPauses = pauseDependent === true && maxPauseMs === undefined;
    this.watch = new PauseWatch(this.checkpoint as Checkpoint, alwaysPauses);
    const app = new App({
      clock: scheduler.clock,
      barrier: options.barrier,
      onError: this.#policy(options),
    });
    const exact = options.exactState && { state: cache };
    for (const [index, weather] of weathers.entries()) {
      app.handle(weather, ({ value }) => this.#store(value, index), {
        name: weather.name,
        ...exact,
      });
    }
    app.handle(questions, (message, context) => this.#answer(message, context), {
      name: "questions",
      sink: answers,
      ...exact,
    });
    this.gone = this.#live(app);
  }

  /** Ends the process as `kill -9` does: what is not durable is lost, and its group notices. */
  kill(): void {
    this.dead = this.#kv.dead = true;
    void this.#broker.crash();
    this.#abort.abort();
  }

  /** Ends the process as SIGTERM does. */
  stop(): void {
    this.#abort.abort();
  }

  /** Loses the groups for a moment. */
  loseGroups(): void {
    this.#broker.loseGroup().catch(() => {}); // it has crashed meanwhile
  }

  async #live(app: App): Promise<unknown> {
    const record = await this.#cache.get("__questions_").catch(() => undefined) as
      | {
        partitions: { partition: number; applied: number }[];
        dependencies: { name: string; down: boolean; target: number }[];
      }
      | undefined;
    this.watch.begin(record?.dependencies ?? []);
    for (const { partition, applied } of record?.partitions ?? []) {
      (this.applied as Map<number, number>).set(partition, applied);
    }
    const error = await app.stream({ signal: this.#abort.signal, drainMs: 1000 })
      .then(() => undefined, (error) => error);
    for (const topic of this.#topics) await topic.close().catch(() => {});
    await this.#cache.close().catch(() => {});
    await this.#broker.crash();
    return this.dead ? undefined : error;
  }

  async #store({ time, value, poison }: Event, index: number): Promise<void> {
    const dependency = `weather-${index}`;
    if (value === undefined) {
      await this.checkpoint.keepAlive(time, { dependency });
      return;
    }
    await this.#step("a weather");
    const early = this.#join.scheduler.random.chance(0.7);
    if (early) await this.#beat(time, dependency);
    await this.#step("a store write");
    this.#fail(poison);
    await this.#cache.set([index, time, value], value);
    await this.#step("a store was written");
    this.#fail();
    if (!early) await this.#beat(time, dependency);
  }

  async #beat(time: number, dependency: string): Promise<void> {
    await this.checkpoint.heartbeat(time, { dependency });
    this.watch.beat(this.checkpoint.dependency(dependency));
  }

  async #answer({ partition, offset, value }: Message<string, Event>, context: Context) {
    const { correction, attempt } = context;
    const place = `${partition}:${offset}`;
    if (attempt === 1) this.watch.begins(place);
    await this.#step("a pulse");
    this.watch.pulses(value.time);
    const downtime = await this.checkpoint.checkPulse(value.time, { [partition]: offset });
    const waits = this.#join.options.checkpoint.mode === "wait";
    if (waits && downtime === undefined) this.watch.waited(place, value.time);
    await this.#step("an answer");
    this.#fail(value.poison);
    const parts: string[] = [];
    for (const index of this.#join.weathers.keys()) parts.push(await this.#asOf(index, value.time));
    await this.#step("a sink");
    const count = ["count", place];
    if (correction === undefined && this.#join.options.exactState) {
      await this.#cache.update(count, (n = 0) => n as number + 1);
    }
    await this.#step("a counted sink");
    this.#fail();
    const answer = parts.join(",");
    this.emitted.push({ place, answer, corrects: correction !== undefined });
    return [place, answer] as const;
  }

  async #asOf(index: number, time: number): Promise<string> {
    const range = { prefix: [index], from: [index, time + 1], reverse: true, limit: 1 };
    for await (const value of this.#cache.values(range)) return value as string;
    return "?";
  }

  async #step(name: string): Promise<void> {
    const { scheduler } = this.#join;
    if (!this.dead && scheduler.random.chance(0.5)) await scheduler.turn(name);
    if (this.dead) throw new DeadError("Cannot go on: the process is dead");
  }

  #fail(poison = false): void {
    if (poison) throw new Error("poison");
    const { scheduler: { random }, options: { policy, failures } } = this.#join;
    if (policy === "skip" || policy === "dead letter") return;
    if (random.chance(failures)) throw new Error("transient");
  }

  #policy({ policy }: JoinSetup): ErrorPolicy {
    if (policy === "retry") return retry({ attempts: 20, minMs: 10, maxMs: 20 });
    if (policy !== "dead letter") return policy;
    return deadLetter(({ input }) => {
      const { topic, partition, offset } = input as Message;
      if (!this.dead) this.#join.deadLetters.add(`${topic}:${partition}:${offset}`);
    });
  }
}
