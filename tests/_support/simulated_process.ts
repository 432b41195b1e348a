import {
  App,
  type Cache,
  Checkpoint,
  type CheckpointEvent,
  type Context,
  deadLetter,
  Dependency,
  type ErrorPolicy,
  Proxy,
  retry,
} from "../../mod.ts";
import { delay } from "../../src/clock.ts";
import { type Message, Topic } from "../../src/kafka/mod.ts";
import type { Emitted } from "./join_world.ts";
import { PauseWatch } from "./pause_watch.ts";
import { SimulatedBroker } from "./simulated_broker.ts";
import { DeadError, type SimulatedKv } from "./simulated_disk.ts";
import type { Event, Join, JoinSetup, Width } from "./simulated_join.ts";

function concurrencyOf<M>(width: Width | undefined, timeOf: (message: M) => number) {
  if (width === undefined) return {};
  const { max, ahead, by } = width;
  return {
    concurrency: { max, ahead, by: by === "time" ? (message: M) => timeOf(message) % 3 : by },
  };
}

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
  /** The last offset that was heard of each part of a dependency. */
  readonly #heard: readonly Map<number, number>[];
  /** The questions that were begun. */
  readonly #begun = new WeakSet<Message<string, Event>>();
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
    this.#heard = join.weathers.map(() => new Map());
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
    const { pauseDependent, maxPause } = options.checkpoint;
    const alwaysPauses = pauseDependent === true && maxPause === undefined;
    const { weathers: weatherWidth, stored, questions: questionWidth } = options.concurrent;
    const taken = questionWidth?.ahead ?? 0;
    this.watch = new PauseWatch(this.checkpoint as Checkpoint, alwaysPauses, taken);
    const app = new App({
      clock: scheduler.clock,
      commit: options.commit,
      onError: this.#policy(options),
    });
    const exact = options.exactState && { state: cache };
    const timeOf = ({ value: { time } }: Message<string, Event>) => time;
    for (const [index, weather] of weathers.entries()) {
      const { name } = weather;
      if (!options.behindProxy) {
        app.handle(weather, (message) => this.#weather(message, index), {
          name,
          ...exact,
          ...concurrencyOf(weatherWidth, timeOf),
        });
        continue;
      }
      const proxy = new Proxy<Event>();
      app.handle(weather, (message) => this.#announce(message, index), {
        name,
        sink: proxy,
        ...exact,
        ...concurrencyOf(weatherWidth, timeOf),
      });
      app.handle(proxy, (event) => this.#store(event, index), {
        name: `${name} stored`,
        ...exact,
        ...concurrencyOf(stored, ({ time }: Event) => time),
      });
    }
    app.handle(questions, (message, context) => this.#answer(message, context), {
      name: "questions",
      sink: answers,
      ...exact,
      ...concurrencyOf(questionWidth, timeOf),
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
    const drainTimeout = this.#join.options.slow > 0 ? 60_000 : 1_000;
    const error = await app.stream({ signal: this.#abort.signal, drainTimeout })
      .then(() => undefined, (error) => error);
    for (const topic of this.#topics) await topic.close().catch(() => {});
    await this.#cache.close().catch(() => {});
    await this.#broker.crash();
    return this.dead ? undefined : error;
  }

  /** Says outside of all handlers that nothing earlier will come, of every part of which that is known. */
  showLife(): void {
    if (this.dead || this.#abort.signal.aborted) return;
    const { ends, coming, weathers } = this.#join;
    for (const index of weathers.keys()) {
      for (const [part, events] of coming[index]!) {
        const end = ends[index]!.get(part);
        if (end === undefined || this.#heard[index]!.get(part) !== end) continue;
        const time = Math.min(...events.map(({ time }) => time));
        if (time === Infinity) continue;
        void this.checkpoint.keepAlive(time, { dependency: `weather-${index}`, part });
      }
    }
  }

  /** A weather, up to its store write. */
  async #weather(message: Message<string, Event>, index: number): Promise<void> {
    const { value } = message;
    if (value.value === undefined) return await this.#beat(message, index);
    await this.#step("a weather");
    const early = this.#join.scheduler.random.chance(0.7);
    if (early) await this.#beat(message, index);
    await this.#store(value, index);
    if (!early) await this.#beat(message, index);
  }

  /** A weather, up to the Proxy. */
  async #announce(message: Message<string, Event>, index: number): Promise<Event | undefined> {
    await this.#step("a weather");
    await this.#beat(message, index);
    return message.value.value === undefined ? undefined : message.value;
  }

  async #store({ time, value, poison }: Event, index: number): Promise<void> {
    await this.#step("a store write");
    this.#fail(poison);
    await this.#cache.set([index, time, value!], value);
    await this.#step("a store was written");
    this.#fail();
  }

  async #beat(
    { value: { time, value }, partition, offset }: Message<string, Event>,
    index: number,
  ): Promise<void> {
    const dependency = `weather-${index}`;
    this.#heard[index]!.set(partition, offset);
    if (value === undefined) return void await this.checkpoint.keepAlive(time, { dependency });
    await this.checkpoint.heartbeat(time, { dependency });
    this.watch.beat(this.checkpoint.dependency(dependency));
  }

  async #answer(message: Message<string, Event>, { correction }: Context) {
    const { partition, offset, value } = message;
    const place = `${partition}:${offset}`;
    // A call is also run again when what it has written was taken back for another one.
    if (!this.#begun.has(message)) this.watch.begins(place);
    this.#begun.add(message);
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
    if (!this.dead && scheduler.random.chance(this.#join.options.slow)) {
      await delay(scheduler.clock, scheduler.random.integer(300));
    }
    if (this.dead) throw new DeadError("Cannot go on: the process is dead");
  }

  #fail(poison = false): void {
    if (poison) throw new Error("poison");
    const { scheduler: { random }, options: { policy, failures } } = this.#join;
    if (policy === "skip" || policy === "dead letter") return;
    if (random.chance(failures)) throw new Error("transient");
  }

  #policy({ policy }: JoinSetup): ErrorPolicy {
    if (policy === "retry") return retry({ attempts: 20, minDelay: 10, maxDelay: 20 });
    if (policy !== "dead letter") return policy;
    return deadLetter(({ origin }) => {
      const { topic, partition, offset } = origin as Message;
      if (!this.dead) this.#join.deadLetters.add(`${topic}:${partition}:${offset}`);
    });
  }
}
