import {
  App,
  batch,
  CycleError,
  deadLetter,
  DrainError,
  type ErrorPolicy,
  type FailedStep,
  filter,
  map,
  merge,
  type OnError,
  Proxy,
  retry,
  SinkError,
  type Source,
} from "../../mod.ts";
import { delay } from "../../src/clock.ts";
import { gateOf } from "../../src/flow/gate.ts";
import type { Scheduler } from "../../src/testing/scheduler.ts";
import { type Failed, isPlainStop, Oracle, type Value } from "./oracle.ts";
import type { FlowSpec, GraphSpec, PipeSpec, SinkSpec, SourceSpec } from "./simulated_graph.ts";
import { SimulatedSource } from "./simulated_source.ts";

/** The only error that user code of a simulation throws. */
class PlannedError extends Error {
  override readonly name = "PlannedError";
}

/** How deep values are made of values: bounds what circles make. */
const MAX_DEPTH = 5;

/** One run of a graph on the engine, watched by an oracle. */
export class Simulation {
  readonly oracle: Oracle;

  readonly #scheduler: Scheduler;
  readonly #graph: GraphSpec;
  readonly #app: App;
  readonly #abort = new AbortController();
  readonly #sources = new Map<string, Source<Value>>();
  readonly #reasons = new Map<string, Set<string>>();
  /** What pauses, seeks and stops beside the app. */
  readonly #beside: Promise<void>[] = [];
  /** Errors of sources that nobody need hear of. */
  readonly #abandoned = new Set<unknown>();
  /** Timers that user code has set. */
  #napping = 0;
  #handedOut = 0;

  constructor(scheduler: Scheduler, graph: GraphSpec) {
    const { random } = scheduler;
    this.#scheduler = scheduler;
    this.#graph = graph;
    this.oracle = new Oracle(graph);
    this.#app = new App({
      clock: scheduler.clock,
      onStatus: (event) => this.oracle.tells(event),
      barrier: {
        intervalMs: random.pick([5, 1000]),
        messages: random.pick([1, 3, Infinity]),
      },
    });
    for (const spec of graph.sources) this.#sources.set(spec.name, this.#source(spec));
    for (const { name, bound } of graph.proxies) {
      this.#sources.set(name, new Proxy<Value>({ bound }));
    }
    for (const flow of graph.flows) this.#bind(flow);
  }

  /** Runs the app to its end; what was broken is in the oracle. */
  async run(): Promise<void> {
    const { ending, pauses, seeks } = this.#graph;
    const { random } = this.#scheduler;
    const drainMs = ending === "hard" ? random.pick([0, 3, 10]) : 25_000;
    if (pauses) this.#meanwhile(8, () => this.#pause(random.pick([...this.#sources.keys()])));
    if (seeks) this.#meanwhile(4, () => this.#seek());
    if (ending !== "natural") this.#meanwhile(1, () => this.#abort.abort());

    const check = () => {
      this.oracle.check();
      if (this.oracle.broken.length > 0) throw new Error(this.oracle.broken.join("; "));
    };
    const stream = this.#app.stream({ signal: this.#abort.signal, drainMs }).then(
      () => undefined,
      (error) => ({ error }),
    ).finally(() => this.oracle.over = true);
    const ended = await this.#scheduler.run(stream, { onStep: check });
    this.#checkTimers();
    await this.#scheduler.run(Promise.all(this.#beside), { onStep: check });
    await this.#scheduler.drain({ onStep: check });
    this.#checkError(ended?.error);
    if (ending !== "hard") this.oracle.checkEnd();
    if (ending === "natural" && this.oracle.fatal.size === 0) this.#checkAllRead();
    check();
  }

  get #stopping(): boolean {
    return this.#abort.signal.aborted || this.oracle.fatal.size > 0;
  }

  #checkTimers(): void {
    const timers = this.#scheduler.timers - this.#napping;
    if (timers !== 0) this.oracle.broken.push(`${timers} timers are left at the end`);
  }

  /** Checks that the app rejected with the errors that its user code threw, and only if it did. */
  #checkError(error: unknown): void {
    const { broken, fatal } = this.oracle;
    const others = (error as { others?: unknown[] } | undefined)?.others ?? [];
    const errors = error === undefined ? [] : [error, ...others];
    for (const each of errors) {
      const { cause } = each as Error;
      if (each instanceof DrainError && this.#graph.ending === "hard") continue;
      if (this.#abandoned.has(cause)) continue;
      if (cause instanceof CycleError && this.#graph.tight) fatal.add(cause);
      else if (
        !fatal.has(cause) && !(this.#graph.ending === "hard" && cause instanceof PlannedError)
      ) {
        broken.push(`the app ends with an error of nobody: ${each}`);
      }
    }
    if (fatal.size > 0 && errors.length === 0) broken.push("the app ends well after an error");
    if (this.#graph.ending === "hard") return;
    for (const cause of fatal) {
      if (!errors.some((each) => (each as Error).cause === cause)) {
        broken.push(`the error ${cause} is forgotten`);
      }
    }
  }

  #checkAllRead(): void {
    const count = this.#graph.sources.reduce((sum, source) => sum + source.count, 0);
    for (const source of this.#sources.values()) {
      if (source instanceof SimulatedSource && !source.finished) {
        this.oracle.broken.push(`${source.name} is not read to its end`);
      }
    }
    if (this.#handedOut < count) this.oracle.broken.push("a source is not read to its end");
  }

  /** Waits for nothing, for a turn, or for time. */
  #nap(): Promise<void> | undefined {
    const { random } = this.#scheduler;
    switch (random.integer(4)) {
      case 0:
        return undefined;
      case 1:
        return Promise.resolve();
      case 2: {
        this.#napping++;
        const woken = () => void this.#napping--;
        return delay(this.#scheduler.clock, random.integer(30)).finally(woken);
      }
      default:
        return this.#scheduler.turn("user code");
    }
  }

  /** Does something at random moments, up to `most` times. */
  #meanwhile(most: number, act: () => void): void {
    const { random } = this.#scheduler;
    const acting = async () => {
      for (let left = 1 + random.integer(most); left > 0; left--) {
        for (let turns = random.integer(20); turns > 0; turns--) {
          await this.#scheduler.turn("the operator");
          if (random.chance(0.2)) await this.#nap();
        }
        act();
      }
    };
    this.#beside.push(acting());
  }

  #pause(name: string): void {
    const { random } = this.#scheduler;
    const source = this.#sources.get(name)!;
    const reason = random.pick(["a", "b"]);
    const partition = random.pick([undefined, undefined, 0, 1]);
    const what = partition === undefined ? name : `${name}/${partition}`;
    const reasons = this.#reasons.getOrInsertComputed(what, () => new Set());
    if (reasons.has(reason)) return;
    reasons.add(reason);
    this.oracle.paused(what, reasons.size);
    if (partition === undefined) this.#app.pause(source, reason);
    else gateOf(source).pause(reason, partition);
    const resuming = async () => {
      await this.#scheduler.turn("resume");
      await this.#nap();
      reasons.delete(reason);
      this.oracle.paused(what, reasons.size);
      if (partition === undefined) this.#app.resume(source, reason);
      else gateOf(source).resume(reason, partition);
    };
    this.#beside.push(resuming());
  }

  #seek(): void {
    const { random } = this.#scheduler;
    const open = [...this.#sources.values()].filter((source) =>
      source instanceof SimulatedSource && source.open && !source.finished
    ) as SimulatedSource<Value>[];
    if (open.length === 0 || this.oracle.over) return;
    const source = random.pick(open);
    const position = random.integer(source.position + 1);
    this.oracle.seeks(source.name, position);
    gateOf(source).seek(position);
  }

  #fails(rate = this.#graph.failureRate): PlannedError | undefined {
    return rate > 0 && this.#scheduler.random.chance(rate)
      ? new PlannedError("planned")
      : undefined;
  }

  #source(spec: SourceSpec): Source<Value> {
    const { name, kind, count, failsAt } = spec;
    const message = (position: number) => {
      if (position === failsAt) {
        const error = new PlannedError(`${name} fails`);
        // A read that is under way when the app stops is abandoned, and its failure with it.
        if (this.#stopping) this.#abandoned.add(error);
        else this.oracle.stops(undefined, error);
        throw error;
      }
      this.#handedOut++;
      return this.oracle.handsOut(name, position);
    };
    switch (kind) {
      case "array":
        this.#handedOut += count;
        return Array.from({ length: count }, (_, n) => this.oracle.handsOut(name, n));
      case "generator":
        return (function* () {
          for (let n = 0; n < count; n++) yield message(n);
        })();
      case "async generator": {
        const nap = () => this.#nap();
        return (async function* () {
          for (let n = 0; n < count; n++) {
            await nap();
            yield message(n);
          }
        })();
      }
      case "stream": {
        let n = 0;
        return new ReadableStream<Value>({
          pull: async (controller) => {
            await this.#nap();
            if (n === count) controller.close();
            else controller.enqueue(message(n++));
          },
        }, { highWaterMark: 0 });
      }
      case "simulated": {
        const source: SimulatedSource<Value> = new SimulatedSource<Value>({
          name,
          count,
          message: (handed) => {
            this.#handedOut++;
            return this.oracle.handsOut(name, handed.serial, handed);
          },
          arrival: () => this.#nap(),
          failure: (position) => {
            if (position !== failsAt) return undefined;
            const error = new PlannedError(`${name} fails`);
            this.oracle.stops(undefined, error);
            return error;
          },
          onCommit: (watermark) => this.oracle.commits(name, watermark, source.epoch),
        });
        return source;
      }
    }
  }

  #bind(flow: FlowSpec): void {
    const sources = flow.reads.map((name) => this.#sources.get(name)!);
    const source = sources.length === 1 ? sources[0]! : merge(...sources);
    const handle = this.#app.handle.bind(this.#app) as (...args: unknown[]) => unknown;
    handle(source, this.#handler(flow), {
      name: flow.name,
      pipe: flow.pipes.map((pipe) => this.#pipe(flow, pipe)),
      sink: flow.sinks.map((sink, index) => this.#sink(flow, sink, index)),
      onError: this.#policy(flow),
    });
  }

  #pipe({ name: flow }: FlowSpec, pipe: PipeSpec): unknown {
    const { oracle } = this;
    const { random } = this.#scheduler;
    const enter = (value: Value) => {
      oracle.enters(flow, value);
      const error = this.#fails(this.#graph.failureRate / 4);
      if (error === undefined) return;
      oracle.stops(flow, error);
      throw error;
    };
    const nap = () => this.#nap();
    switch (pipe.kind) {
      case "map":
        return map((value: Value) => {
          enter(value);
          const mapped = oracle.mapped(value, "map");
          return this.#nap()?.then(() => mapped) ?? mapped;
        });
      case "filter":
        return filter((value: Value) => {
          enter(value);
          const passes = random.chance(0.8);
          if (!passes) oracle.filtered(flow, value);
          return passes;
        });
      case "batch":
        return batch<Value>(pipe.max, pipe.ms);
      case "generator":
        return async function* (values: AsyncIterable<Value>) {
          for await (const value of values) {
            enter(value);
            await nap();
            yield oracle.mapped(value, "generator");
          }
        };
      case "transform stream":
        return () =>
          new TransformStream<Value, Value>({
            async transform(value, controller) {
              enter(value);
              await nap();
              controller.enqueue(oracle.mapped(value, "stream"));
            },
          });
    }
  }

  /** A handler that gives up to two values, or fails, before or after a value. */
  #handler(spec: FlowSpec): unknown {
    const { oracle } = this;
    const { name, policy } = spec;
    const { random } = this.#scheduler;
    const begin = (input: Value | Value[]) => {
      const values = [input].flat();
      const fate = oracle.begins(name, values);
      const depth = Math.max(...values.map((value) => value.depth));
      const count = depth >= MAX_DEPTH ? 0 : random.pick([0, 1, 1, 1, depth < 2 ? 2 : 1]);
      const error = fate.calls === 1 ? this.#fails() : this.#fails(0.5);
      if (this.#graph.pauses && random.chance(0.05)) this.#pause(random.pick(spec.reads));
      if (this.#graph.seeks && random.chance(0.04)) this.#seek();
      let over = false;
      return {
        count,
        failsAfter: error === undefined ? undefined : random.integer(count + 1),
        give: (index: number) => oracle.gives(name, fate, index),
        fail: () => {
          over = true;
          oracle.fails(name, fate, error, policy.form === "static" || fate.failures > 0);
          throw error;
        },
        end: () => {
          over = true;
          oracle.ends(name, fate);
        },
        close: () => {
          if (!over) oracle.closed(name, fate);
        },
      };
    };
    const nap = () => this.#nap();
    switch (spec.handler) {
      case "plain":
        return (input: Value | Value[]) => {
          const call = begin(input);
          if (call.failsAfter !== undefined) call.fail();
          const result = call.count > 0 ? call.give(0) : undefined;
          call.end();
          return result;
        };
      case "async":
        return async (input: Value | Value[]) => {
          const call = begin(input);
          await nap();
          if (call.failsAfter !== undefined) call.fail();
          await nap();
          const result = call.count > 0 ? call.give(0) : undefined;
          call.end();
          return result;
        };
      case "generator":
        return function* (input: Value | Value[]) {
          const call = begin(input);
          try {
            for (let n = 0; n < call.count; n++) {
              if (call.failsAfter === n) call.fail();
              const value = call.give(n);
              yield value;
              oracle.resumed(name, value);
            }
            if (call.failsAfter === call.count) call.fail();
            call.end();
          } finally {
            call.close();
          }
        };
      case "async generator":
        return async function* (input: Value | Value[]) {
          const call = begin(input);
          try {
            for (let n = 0; n < call.count; n++) {
              await nap();
              if (call.failsAfter === n) call.fail();
              const value = call.give(n);
              yield value;
              oracle.resumed(name, value);
            }
            await nap();
            if (call.failsAfter === call.count) call.fail();
            call.end();
          } finally {
            call.close();
          }
        };
    }
  }

  #sink({ name, policy }: FlowSpec, { kind, proxy }: SinkSpec, index: number): unknown {
    const { oracle } = this;
    const failures = new Map<Value, number>();
    const take = (value: Value, flushes = false) => {
      const failed = failures.get(value) ?? 0;
      const error = failed === 0 ? this.#fails() : this.#fails(0.5);
      if (error === undefined) return oracle.written(value, index, flushes);
      failures.set(value, failed + 1);
      oracle.refuses(value, index, error, policy.form === "static" || failed > 0);
      throw error;
    };
    switch (kind) {
      case "proxy":
        return this.#sources.get(proxy!);
      case "function":
        return (value: Value) => {
          oracle.writes(value, index);
          take(value);
        };
      case "async function":
        return async (value: Value) => {
          oracle.writes(value, index);
          await this.#nap();
          take(value);
        };
      case "stream":
        return new WritableStream<Value>({
          write: async (value) => {
            oracle.writes(value, index);
            await this.#nap();
            oracle.written(value, index, false); // an error would be the end of the stream
          },
        });
      case "object": {
        let given: Value[] = [];
        return {
          write: async (value: Value) => {
            oracle.writes(value, index);
            await this.#nap();
            take(value, true);
            given.push(value);
          },
          flush: async () => {
            const flushing = given;
            given = [];
            await this.#nap();
            oracle.flushed(flushing);
          },
          close: () => {
            if (given.length > 0 && this.#graph.ending !== "hard") {
              oracle.broken.push(`sink ${index} of ${name} is closed before its last flush`);
            }
          },
        };
      }
    }
  }

  #policy({ name, policy }: FlowSpec): OnError {
    const { attempts, otherwise, form } = policy;
    const { oracle } = this;
    if (isPlainStop(policy)) return "stop";
    const bury = async (error: FailedStep) => {
      await this.#nap();
      oracle.buried(name, stepOf(error), error);
    };
    const last = otherwise === "deadLetter" ? deadLetter(bury) : otherwise;
    const whole: ErrorPolicy = attempts === 0
      ? last
      : retry({ attempts, minMs: 1, maxMs: 20 }, last);
    if (form === "static") return whole;
    return async (error) => {
      await this.#nap();
      oracle.chosen(name, stepOf(error), error.cause);
      return whole;
    };
  }
}

/** The message, or the first of a batch, that was not handled; or the value that was not sunk. */
function stepOf(error: FailedStep): Failed {
  if (error instanceof SinkError) return { at: "sink", value: error.output as Value };
  return { at: "handler", value: [error.input as Value | Value[]].flat()[0]! };
}
