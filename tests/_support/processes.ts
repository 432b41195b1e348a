import { assertEquals } from "@std/assert";
import {
  App,
  Cache,
  Checkpoint,
  type CheckpointOptions,
  type ConcurrencyOptions,
  Dependency,
  JsonCodec,
  type MemoryCache,
} from "../../mod.ts";
import { gateOf } from "../../src/flow/source/gate.ts";
import type { Broker } from "../../src/kafka/client/broker.ts";
import { Topic } from "../../src/kafka/topic/topic.ts";
import type { PartitionEntry, PartitionRow } from "../../src/checkpoint/partition_handoff.ts";
import { unique } from "./kafka.ts";
import { QUICK, type TopicFixture } from "./topic_fixture.ts";

/** What is sent: the weather at a time, or a question for it. */
export interface Event {
  readonly time: number;
  readonly value?: string;
}

/** How one process is started. */
export interface ProcessOptions {
  /** The group in which it reads the weather. */
  readonly weatherGroup?: string;
  /** How long it may take to give its partitions up. */
  readonly rebalanceTimeout?: number;
  /** Where it keeps its part of the checkpoint. */
  readonly cache?: MemoryCache;
  /** The store of the partitions: another view of the shared one, or none. */
  readonly partitions?: CheckpointOptions["partitions"] | "none";
  /** Dies when it is stopped, without a commit. */
  readonly mortal?: boolean;
  /** The time of questions at which its handler never returns. */
  readonly stuckAt?: number;
  /** How many messages its flows handle at the same time. */
  readonly concurrency?: ConcurrencyOptions | undefined;
  /** Awaited in its handlers, before and after each pulse and heartbeat. */
  readonly nap?: (() => unknown) | undefined;
}

const CHECKPOINT = "question";

/** Waits until `condition` holds; fails when it does not within a minute. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = performance.now() + 60_000; !await condition();) {
    if (performance.now() > end) throw new Error(`Never: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** A broker, a store that all processes open, and the last result of every question. */
export class Processes implements AsyncDisposable {
  readonly broker: Broker;
  readonly name: string = unique("question");
  readonly rows: Cache;
  /** The last result of each question, by its place. */
  readonly answers = new Map<string, { by: string; value: string }>();
  /** Everything that was handled: by whom, where, and what came out. */
  readonly log: string[] = [];
  readonly #kv: Deno.Kv;
  readonly #running = new Set<Process>();
  readonly #sender: { weather: Topic<string, Event>; question: Topic<string, Event> };
  readonly #weather: Event[] = [];
  readonly #questions = new Map<string, number>();

  /** Opens everything, with two partitions of questions. */
  static async open(fixture: TopicFixture, weatherPartitions = 1): Promise<Processes> {
    const kv = await Deno.openKv(":memory:");
    const processes = new Processes(fixture.open(), kv, await Cache.open(kv));
    const { broker, name } = processes;
    await broker.ensure(name, { partitions: 2 });
    await broker.ensure(`${name}-weather`, { partitions: weatherPartitions });
    return processes;
  }

  private constructor(broker: Broker, kv: Deno.Kv, rows: Cache) {
    this.broker = broker;
    this.#kv = kv;
    this.rows = rows;
    this.#sender = {
      weather: this.topic(`${this.name}-weather`),
      question: this.topic(this.name),
    };
  }

  /** Makes a topic of events. */
  topic(name: string, groupId = name, rebalanceTimeout = 6_000): Topic<string, Event> {
    const codec = new JsonCodec<Event>();
    const { broker } = this;
    return new Topic(name, { broker, groupId, codec, ...QUICK, rebalanceTimeout });
  }

  /** Opens the shared store once more, as another process does. */
  openRows(): Promise<Cache> {
    return Cache.open(this.#kv);
  }

  /** Starts a process. */
  async start(id: string, options: ProcessOptions = {}): Promise<Process> {
    const process = new Process(this, id, await this.openRows(), options);
    this.#running.add(process);
    return process;
  }

  /** The weather at a time becomes known. */
  async say(time: number, value: string, partition = 0): Promise<void> {
    this.#weather.push({ time, value });
    await this.#sender.weather.send({ value: { time, value }, partition });
  }

  /** Asks for the weather up to a time. */
  async ask(time: number, partition: number): Promise<void> {
    const { offset } = await this.#sender.question.send({ value: { time }, partition });
    this.#questions.set(`${partition}:${offset}`, time);
  }

  /** What the row of a partition says: an entry for each process that was not followed yet. */
  async entries(partition: number): Promise<PartitionEntry[]> {
    const row = await this.rows.get(`__${CHECKPOINT}_${partition}`) as PartitionRow | undefined;
    return Object.values(row?.entries ?? {});
  }

  /** Waits until what is kept of a partition ends at `cursor`. */
  async kept(partition: number, cursor: number): Promise<void> {
    await until(async () =>
      (await this.entries(partition)).some((e) => e.record?.cursor === cursor)
    );
  }

  /** Returns whether the last results are those that the whole weather gives. */
  get right(): boolean {
    return [...this.truth].every(([place, value]) => this.answers.get(place)?.value === value);
  }

  /** The right results, by place. */
  get truth(): Map<string, string> {
    const questions = [...this.#questions];
    return new Map(questions.map(([place, time]) => [place, join(this.#weather, time)]));
  }

  /** Asserts that the last results are right. */
  assertRight(): void {
    assertEquals(new Map([...this.answers].map(([at, { value }]) => [at, value])), this.truth);
  }

  /** Asserts that no question was handled twice without being marked as handled again. */
  assertMarked(): void {
    const first = this.log.filter((line) => !line.endsWith("again"));
    const places = first.map((line) => line.split(" ")[1]);
    assertEquals(new Set(places).size, places.length);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const process of this.#running) await process.stop().catch(() => {});
    await this.#sender.weather.close();
    await this.#sender.question.close();
    await this.rows.close();
    this.#kv.close();
    await this.broker.close();
  }
}

/** One process: it reads all of the weather, and its share of the questions. */
export class Process {
  readonly id: string;
  readonly weather: Topic<string, Event>;
  readonly questions: Topic<string, Event>;
  readonly dependency: Dependency;
  readonly checkpoint: Checkpoint;
  /** The weather that it has stored. */
  readonly stored: Event[] = [];
  /** Resolves, or rejects, when it has ended. */
  readonly streaming: Promise<void>;
  /** How many commits it has had. */
  commits = 0;
  readonly #stop = new AbortController();

  constructor(world: Processes, id: string, rows: Cache, options: ProcessOptions) {
    const { weatherGroup = `${world.name}-${id}`, rebalanceTimeout, stuckAt, mortal } = options;
    const { partitions = rows, cache, concurrency, nap } = options;
    this.id = id;
    this.weather = world.topic(`${world.name}-weather`, weatherGroup);
    this.questions = world.topic(world.name, world.name, rebalanceTimeout);
    this.dependency = new Dependency("weather", this.weather, { downtimeThreshold: 1000 });
    const checkpoint = this.checkpoint = new Checkpoint(CHECKPOINT, {
      dependent: this.questions,
      dependencies: [this.dependency],
      correct: true,
      cache,
      ...(partitions !== "none" && { partitions }),
    }) as Checkpoint;
    const app = new App({
      commit: { interval: 20 },
      onStatus: ({ type }) => void (type === "commit" && this.commits++),
    });
    app.handle(this.weather, async ({ value }) => {
      await nap?.();
      await checkpoint.heartbeat(value.time);
      await nap?.();
      this.stored.push(value);
    }, { concurrency });
    app.handle(this.questions, async ({ value: { time }, partition, offset }, { correction }) => {
      if (time === stuckAt) await new Promise(() => {});
      await nap?.();
      await checkpoint.checkPulse(time);
      await nap?.();
      const value = join(this.stored, time);
      const again = correction === undefined ? "" : " again";
      world.log.push(`${id} ${partition}:${offset} ${value}${again}`);
      return { place: `${partition}:${offset}`, value };
    }, {
      concurrency,
      sink: ({ place, value }) => void world.answers.set(place, { by: id, value }),
    });
    this.streaming = app.stream({ signal: this.#stop.signal, drainTimeout: mortal ? 1 : 20_000 })
      .finally(async () => {
        await this.weather.close();
        await this.questions.close();
        await rows.close();
      });
    this.streaming.catch(() => {}); // whoever awaits it is told
  }

  /** The partitions of the questions that it reads. */
  get reads(): number[] {
    return [...gateOf(this.questions).parts ?? []].map(({ partition }) => partition);
  }

  /** Ends it, in good order unless it is mortal. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.streaming;
  }

  /** Does something that a commit follows, and waits for that. */
  async commitAfter(work: () => Promise<void>): Promise<void> {
    const { commits } = this;
    await work();
    await until(() => this.commits > commits);
  }
}

function join(weather: readonly Event[], time: number): string {
  const known = weather.filter((each) => each.time <= time);
  return known.toSorted((a, b) => a.time - b.time).map(({ value }) => value).join("+");
}
