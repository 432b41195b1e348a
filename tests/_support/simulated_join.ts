import { type CheckpointOptions, type DependencyOptions, JsonCodec } from "../../mod.ts";
import { type Message, Topic } from "../../src/kafka/mod.ts";
import { MemoryBroker } from "../../src/kafka/memory/mod.ts";
import type { Scheduler } from "../../src/testing/mod.ts";
import { asOf, type Weather } from "./join_world.ts";
import type { SimulatedBroker } from "./simulated_broker.ts";
import { Disk, openSimulated, SimulatedKv } from "./simulated_disk.ts";
import { JoinProcess } from "./simulated_process.ts";

/** A message of the join: a weather or a question. */
export interface Event extends Weather {
  /** The handler fails on it, always. */
  readonly poison?: boolean;
}

/** How a flow handles several messages at the same time. */
export interface Width {
  readonly max: number;
  readonly ahead: number;
  /** Which keep their order: none, those of a partition, or those of the same time in a cycle of 3. */
  readonly by: "none" | "partition" | "time";
}

/** How the program of a {@linkcode Join} is made. */
export interface JoinSetup {
  readonly dependencies: number;
  readonly weatherParts: number;
  readonly questionParts: number;
  /** Whether all topics are read in one group: then a member that comes or goes moves them all. */
  readonly oneGroup: boolean;
  readonly policy: "stop" | "skip" | "retry" | "dead letter";
  /** Whether weathers pass a Proxy between their heartbeat and their store write. */
  readonly behindProxy: boolean;
  /** The probability that a step gives a sign of life outside of all handlers. */
  readonly outside: number;
  /** The probability that a step of a handler takes long. */
  readonly slow: number;
  /** The flows that handle several messages at the same time. */
  readonly concurrent: {
    readonly weathers?: Width | undefined;
    /** The flows behind Proxies. */
    readonly stored?: Width | undefined;
    readonly questions?: Width | undefined;
  };
  /** Whether the answers are counted in exact state. */
  readonly exactState: boolean;
  /** The probability that a call of a handler fails. */
  readonly failures: number;
  readonly commit: { interval: number; messages: number };
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
  /** The last offset of each part of a dependency. */
  readonly ends: readonly Map<number, number>[];
  /** The weathers that are still to be sent, by dependency and part. */
  readonly coming: readonly Map<number, Event[]>[];
  readonly #senders = new Map<string, Topic<string, Event>>();

  constructor(readonly scheduler: Scheduler, readonly options: JoinSetup) {
    const { dependencies, questionParts } = options;
    this.broker = new MemoryBroker({ clock: scheduler.clock });
    this.weathers = Array.from({ length: dependencies }, () => []);
    this.questions = Array.from({ length: questionParts }, () => []);
    this.ends = this.weathers.map(() => new Map());
    this.coming = this.weathers.map(() => new Map());
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
    this.ends[index]!.set(partition, await this.#send(`weather-${index}`, event, partition));
    const coming = this.coming[index]!;
    coming.set(partition, coming.get(partition)?.filter((each) => each !== event) ?? []);
  }

  /** Sends a question. */
  async ask(event: Event, partition: number): Promise<void> {
    this.questions[partition]!.push(event);
    await this.#send("question", event, partition);
  }

  async #send(name: string, value: Event, partition: number): Promise<number> {
    const sender = this.#senders.getOrInsertComputed(name, () => this.topic(name));
    const { offset } = await sender.send({ value, partition });
    if (value.poison) this.poison.add(`${name}:${partition}:${offset}`);
    return offset;
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
