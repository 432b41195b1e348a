import {
  App,
  Checkpoint,
  type CheckpointEvent,
  type CheckpointOptions,
  type ConcurrencyOptions,
  type Context,
  Dependency,
  type DependencyOptions,
  Proxy,
} from "../../mod.ts";
import { openStores } from "../../src/flow/source/feed.ts";
import { gateOf } from "../../src/flow/source/gate.ts";
import { ManualClock, settle } from "../../src/testing/mod.ts";
import { Log, type LogMessage, LogSource } from "./log_source.ts";

/** A dependency message: from `time` on, the weather is `value`. Without a value it is a sign of life. */
export interface Weather {
  readonly time: number;
  readonly value?: string;
}

/** A dependent message: what was the weather at `time`? */
export interface Question {
  readonly time: number;
}

/** Everything that a process has stored, by dependency. */
type Stores = readonly Weather[][];

/** A result that was emitted: the place of its question, the answer, and whether it is a correction. */
export interface Emitted {
  readonly place: string;
  readonly answer: string;
  readonly corrects: boolean;
}

/** How a process of the world is set up. */
export interface ProcessOptions {
  checkpoint?: Partial<CheckpointOptions<LogMessage<Question>>>;
  dependency?: DependencyOptions;
  /** Whether weathers pass a Proxy between their heartbeat and their store write. */
  behindProxy?: boolean;
  /** Whether a weather message gives no heartbeat. */
  isUnheard?: (weather: Weather) => boolean;
  /** Before a weather message's heartbeat. */
  beforeBeat?: (weather: Weather, dependency: number) => unknown;
  /** Between a weather message's heartbeat and its store write. */
  beforeStore?: (weather: Weather, dependency: number) => unknown;
  /** Before a question's pulse. */
  beforePulse?: (question: LogMessage<Question>) => unknown;
  /** Between a question's pulse and its answer. */
  beforeAnswer?: (question: LogMessage<Question>) => unknown;
  /** At each step of the commit: `"sinks"`, `"stores"`, `"record"`, `"positions"`. */
  onCommit?: (step: string) => unknown;
  replays?: "deliver" | "skip";
  /** How many messages the flows of weathers and of questions handle at the same time. */
  concurrency?: { weathers?: ConcurrencyOptions; questions?: ConcurrencyOptions };
}

/**
 * Logs joined as of event time, with a checkpoint, in processes that may crash. What a process has not made
 * durable is lost with it: its store, its results, its record, its positions.
 */
export class World {
  /** The dependencies. */
  readonly weathers: readonly Log<Weather>[];
  readonly questions: Log<Question>;
  /** The last durable answer of every question. */
  readonly answers: Map<string, string> = new Map();
  readonly clock: ManualClock = new ManualClock(1_000_000);
  /** What the processes have on disk. */
  readonly disk: { stores: Stores; record: Map<string, unknown> };

  constructor({ dependencies = 1, weatherParts = 1, questionParts = 1 } = {}) {
    this.weathers = Array.from({ length: dependencies }, () => new Log(weatherParts));
    this.questions = new Log(questionParts);
    this.disk = { stores: this.weathers.map(() => []), record: new Map() };
  }

  /** The first dependency. */
  get weather(): Log<Weather> {
    return this.weathers[0]!;
  }

  /** What the answers must be in the end. */
  get truth(): Map<string, string> {
    const all = this.weathers.map(({ partitions }) => partitions.flat());
    const truth = new Map<string, string>();
    this.questions.partitions.forEach((questions, partition) =>
      questions.forEach(({ time }, offset) =>
        truth.set(`${partition}:${offset}`, answer(all, time))
      )
    );
    return truth;
  }

  /** Appends questions for `times` to one partition. */
  ask(times: readonly number[], partition = 0): void {
    for (const time of times) this.questions.append({ time }, partition);
  }

  /** Appends a weather to one part of a dependency. */
  say(time: number, value: string, part = 0, dependency = 0): void {
    this.weathers[dependency]!.append({ time, value }, part);
  }

  start(options: ProcessOptions = {}): Process {
    return new Process(this, options);
  }
}

/** What all dependencies say about `time`. */
function answer(stores: Stores, time: number): string {
  return stores.map((store) => asOf(store, time)).join(",");
}

/** The weather at `time`: of equal times the greatest value, so that order of arrival does not matter. */
export function asOf(all: readonly Weather[], time: number): string {
  let best: Weather | undefined;
  for (const each of all) {
    if (each.value === undefined || each.time > time) continue;
    if (
      best === undefined || each.time > best.time ||
      (each.time === best.time && each.value > best.value!)
    ) best = each;
  }
  return best?.value ?? "?";
}

/** One process of a {@linkcode World}. */
export class Process {
  readonly checkpoint: Checkpoint<LogMessage<Question>>;
  readonly dependencies: readonly Dependency[];
  readonly weathers: readonly LogSource<Weather>[];
  readonly questions: LogSource<Question>;
  readonly emitted: Emitted[] = [];
  readonly events: CheckpointEvent[] = [];
  readonly downtimes: (number | undefined)[] = [];
  readonly contexts: (Context["correction"])[] = [];
  readonly streaming: Promise<void>;
  readonly #world: World;
  /** What the stream failed with, unless it was made to crash. */
  error: unknown;
  readonly #abort = new AbortController();
  readonly #forget: () => void;
  #dead = false;

  constructor(world: World, options: ProcessOptions) {
    this.#world = world;
    const { behindProxy, isUnheard, beforeBeat, beforeStore, beforePulse, beforeAnswer } = options;
    const { onCommit, replays } = options;
    const { weathers, questions } = options.concurrency ?? {};
    const { disk } = world;
    const at = async (step: string) => {
      await onCommit?.(step);
      if (this.#dead) await new Promise(() => {}); // a dead process does nothing any more
    };
    const stores = disk.stores.map((store) => [...store]);
    const flush = async () => {
      const content = stores.map((store) => [...store]);
      await at("stores");
      // A flush that was overtaken by a later one has nothing to add.
      disk.stores = content.map((store, index) =>
        store.length > disk.stores[index]!.length ? store : disk.stores[index]!
      );
    };
    const flushed = { flush };
    openStores.add(flushed);
    this.#forget = () => openStores.delete(flushed);
    this.weathers = world.weathers.map((log) =>
      new LogSource(log, { onCommit: () => at("positions") })
    );
    this.questions = new LogSource(world.questions, {
      onCommit: () => at("positions"),
    });
    this.dependencies = this.weathers.map((weather, index) =>
      new Dependency(index === 0 ? "weather" : `weather ${index}`, weather, {
        downtimeThreshold: 15,
        ...options.dependency,
      })
    );
    this.checkpoint = new Checkpoint("questions", {
      dependent: this.questions,
      dependencies: this.dependencies,
      correct: true,
      cache: {
        get: (key) => Promise.resolve(disk.record.get(key)),
        set: async (key, value) => {
          const copy = structuredClone(value);
          await at("record");
          disk.record.set(key, copy);
        },
      },
      onStatus: (event) => this.events.push(event),
      ...options.checkpoint,
    });
    const app = new App({ clock: world.clock });
    this.weathers.forEach((source, index) => {
      const { name: dependency } = this.dependencies[index]!;
      const proxy = behindProxy ? new Proxy<Weather>() : undefined;
      const store = async (weather: Weather) => {
        await beforeStore?.(weather, index);
        stores[index]!.push(weather);
      };
      app.handle(source, async ({ value: weather }) => {
        await beforeBeat?.(weather, index);
        if (weather.value === undefined) {
          return void await this.checkpoint.keepAlive(weather.time, { dependency });
        }
        if (!isUnheard?.(weather)) {
          await this.checkpoint.heartbeat(weather.time, { dependency });
        }
        return proxy === undefined ? void await store(weather) : weather;
      }, { name: dependency, concurrency: weathers, ...(proxy && { sink: proxy }) });
      if (proxy !== undefined) app.handle(proxy, store);
    });
    const buffer: (readonly [string, string])[] = [];
    app.handle(this.questions, async (message, context) => {
      const { partition, offset, value: { time } } = message;
      await beforePulse?.(message);
      this.downtimes.push(
        await this.checkpoint.checkPulse(time, { [partition]: offset }),
      );
      await beforeAnswer?.(message);
      const result = answer(stores, time);
      const place = `${partition}:${offset}`;
      this.contexts.push(context.correction);
      this.emitted.push({ place, answer: result, corrects: context.correction !== undefined });
      return [place, result] as const;
    }, {
      name: "questions",
      concurrency: questions,
      ...(replays && { replays }),
      sink: {
        write: (result: readonly [string, string]) => void buffer.push(result),
        flush: async () => {
          const taken = [...buffer];
          await at("sinks");
          for (const [place, answer] of taken) world.answers.set(place, answer);
          buffer.splice(0, taken.length);
        },
      },
    });
    this.streaming = app.stream({ signal: this.#abort.signal, drainTimeout: 0 });
    this.streaming.catch((error) => {
      if (!this.#dead) this.error = error;
    });
  }

  /** The answers that were emitted, in their order, corrections marked. */
  get log(): string[] {
    return this.emitted.map(({ place, answer, corrects }) =>
      `${place} ${answer}${corrects ? " again" : ""}`
    );
  }

  /** Whether the questions are paused. */
  get isPaused(): boolean {
    return gateOf(this.questions).closed;
  }

  /** Runs until nothing more happens without time passing. */
  async rest(): Promise<void> {
    for (let turn = 0; turn < 30; turn++) await settle();
  }

  /** Ends the process as `kill -9` does: what is not durable is lost. */
  kill(): void {
    this.#dead = true;
    for (const source of [...this.weathers, this.questions]) source.dead = true;
    this.#forget();
    this.#abort.abort();
  }

  /** Kills the process and waits until nothing of it is left. */
  async crash(): Promise<void> {
    this.kill();
    await this.rest();
    await this.#world.clock.tick(0);
    await this.streaming.catch(() => {});
  }

  /** The first dependency. */
  get dependency(): Dependency {
    return this.dependencies[0]!;
  }

  /** The source of the first dependency. */
  get weather(): LogSource<Weather> {
    return this.weathers[0]!;
  }

  /** Runs a commit, then ends the process as `crash()` does. */
  async close(): Promise<void> {
    await this.rest();
    await this.#world.clock.tick(1000);
    await this.rest();
    await this.crash();
  }
}
