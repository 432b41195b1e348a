import {
  App,
  type Cache,
  Checkpoint,
  type CheckpointEvent,
  type CheckpointOptions,
  type Context,
  deadLetter,
  Dependency,
  type DependencyOptions,
  type ErrorPolicy,
  JsonCodec,
  retry,
} from "../../mod.ts";
import { gateOf } from "../../src/flow/gate.ts";
import { type Message, Topic } from "../../src/kafka/mod.ts";
import { MemoryBroker } from "../../src/kafka/memory/mod.ts";
import type { Scheduler } from "../../src/testing/mod.ts";
import { asOf, type Emitted, type Weather } from "./join_world.ts";
import { SimulatedBroker } from "./simulated_broker.ts";
import { DeadError, Disk, openSimulated, SimulatedKv } from "./simulated_disk.ts";

/** A message of the join: a weather or a question. */
export interface Event extends Weather {
  /** The handler fails on it, always. */
  readonly poison?: boolean;
}

/** How the program of a {@linkcode Join} is made. */
export interface JoinSetup {
  readonly dependencies: number;
  readonly weatherParts: number;
  readonly questionParts: number;
  /** Whether all topics are read in one group: then a member that comes or goes moves them all. */
  readonly oneGroup: boolean;
  readonly policy: "stop" | "skip" | "retry" | "dead letter";
  /** Whether the answers are counted in exact state. */
  readonly exactState: boolean;
  /** The probability that a call of a handler fails. */
  readonly failures: number;
  readonly barrier: { intervalMs: number; messages: number };
  readonly checkpoint: Partial<CheckpointOptions<Message<string, Event>>>;
  readonly dependency: DependencyOptions;
}

/** What outlives the processes: the broker, the disk, and what was sent. */
export class Join {
  readonly broker: MemoryBroker;
  readonly disk: Disk = new Disk();
  readonly weathers: Event[][];
  readonly questions: Event[][];
  /** The places of the messages that were given up. */
  readonly deadLetters: Set<string> = new Set();
  /** The places of the messages that nobody can handle. */
  readonly poison: Set<string> = new Set();
  readonly #senders = new Map<string, Topic<string, Event>>();

  constructor(readonly scheduler: Scheduler, readonly options: JoinSetup) {
    const { dependencies, questionParts } = options;
    this.broker = new MemoryBroker({ clock: scheduler.clock });
    this.weathers = Array.from({ length: dependencies }, () => []);
    this.questions = Array.from({ length: questionParts }, () => []);
  }

  /** Makes the topics. */
  async open(): Promise<void> {
    const { weatherParts, questionParts } = this.options;
    for (const [index] of this.weathers.entries()) {
      await this.broker.ensure(`weather-${index}`, { partitions: weatherParts });
    }
    await this.broker.ensure("question", { partitions: questionParts });
    await this.broker.ensure("answer", {});
  }

  topic(name: string, broker: SimulatedBroker | MemoryBroker = this.broker): Topic<string, Event> {
    return new Topic<string, Event>(name, {
      broker,
      groupId: this.options.oneGroup ? "join" : name,
      offset: "earliest",
      codec: new JsonCodec<Event>(),
    });
  }

  /** Sends a weather. */
  async say(event: Event, index: number, partition: number): Promise<void> {
    this.weathers[index]!.push(event);
    await this.#send(`weather-${index}`, event, partition);
  }

  /** Sends a question. */
  async ask(event: Event, partition: number): Promise<void> {
    this.questions[partition]!.push(event);
    await this.#send("question", event, partition);
  }

  async #send(name: string, value: Event, partition: number): Promise<void> {
    const sender = this.#senders.getOrInsertComputed(name, () => this.topic(name));
    const { offset } = await sender.send({ value, partition });
    if (value.poison) this.poison.add(`${name}:${partition}:${offset}`);
  }

  /** Takes the partitions of all members back in peace, and gives them out again. */
  async rebalance(): Promise<void> {
    const { weatherParts, questionParts } = this.options;
    await Promise.all([
      this.broker.grow("question", questionParts),
      ...this.weathers.map((_, index) => this.broker.grow(`weather-${index}`, weatherParts)),
    ]);
  }

  /** What the answers must be in the end. */
  get truth(): Map<string, string> {
    const truth = new Map<string, string>();
    const known = this.weathers.map((all) => all.filter(({ poison }) => !poison));
    this.questions.forEach((questions, partition) =>
      questions.forEach(({ time, poison }, offset) => {
        if (poison) return;
        truth.set(`${partition}:${offset}`, known.map((all) => asOf(all, time)).join(","));
      })
    );
    return truth;
  }

  /** The last answer to every question, as readers of the topic of answers have it. */
  async answers(): Promise<Map<string, string>> {
    const answers = new Map<string, string>();
    await using topic = new Topic("answer", {
      broker: this.broker,
      groupId: "check",
      offset: "earliest",
    });
    const { high } = (await topic.offsets()).get(0)!;
    if (high === 0) return answers;
    for await (const { key, value, offset } of topic) {
      answers.set(key!, value);
      if (offset === high - 1) break;
    }
    return answers;
  }

  /** How often each question was counted, as it is on disk. */
  async counts(): Promise<Map<string, number>> {
    const kv = new SimulatedKv(this.disk, this.scheduler, 0);
    const state = await openSimulated<number>(kv, this.scheduler.clock);
    const counts = new Map<string, number>();
    for await (const [key, count] of state.entries({ prefix: ["count"] })) {
      counts.set((key as string[])[1]!, count);
    }
    await state.close();
    return counts;
  }

  /** Starts a process. */
  async start(): Promise<JoinProcess> {
    const kv = new SimulatedKv(this.disk, this.scheduler, 0);
    return new JoinProcess(this, kv, await openSimulated(kv, this.scheduler.clock));
  }
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
      onStatus: (event) => this.events.push(event),
      ...options.checkpoint,
    });
    const app = new App({
      clock: scheduler.clock,
      barrier: options.barrier,
      onError: this.#policy(options),
    });
    for (const [index, weather] of weathers.entries()) {
      app.handle(weather, ({ value }) => this.#store(value, index), { name: weather.name });
    }
    app.handle(questions, (message, context) => this.#answer(message, context), {
      name: "questions",
      sink: answers,
      ...(options.exactState && { state: cache }),
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

  /** The reasons for which the dependent is paused. */
  get paused(): string[] {
    return gateOf(this.checkpoint.dependent).reasons;
  }

  async #live(app: App): Promise<unknown> {
    const record = await this.#cache.get("__questions_").catch(() => undefined) as
      | { partitions: { partition: number; applied: number }[] }
      | undefined;
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
    if (early) await this.checkpoint.heartbeat(time, { dependency });
    await this.#step("a store write");
    this.#fail(poison);
    await this.#cache.set([index, time, value], value);
    await this.#step("a store was written");
    this.#fail();
    if (!early) await this.checkpoint.heartbeat(time, { dependency });
  }

  async #answer({ partition, offset, value }: Message<string, Event>, { correction }: Context) {
    await this.checkpoint.checkPulse(value.time, { [partition]: offset });
    await this.#step("an answer");
    this.#fail(value.poison);
    const parts: string[] = [];
    for (const index of this.#join.weathers.keys()) parts.push(await this.#asOf(index, value.time));
    await this.#step("a sink");
    const count = ["count", `${partition}:${offset}`];
    if (correction === undefined && this.#join.options.exactState) {
      await this.#cache.update(count, (n = 0) => n as number + 1);
    }
    await this.#step("a counted sink");
    this.#fail();
    const result = [`${partition}:${offset}`, parts.join(",")] as const;
    const [place, answer] = result;
    this.emitted.push({ place, answer, corrects: correction !== undefined });
    return result;
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
