import {
  App,
  CycleError,
  DrainError,
  merge,
  Proxy,
  type Source,
  type StatusEvent,
} from "../../mod.ts";
import { delay } from "../../src/clock.ts";
import { gateOf } from "../../src/flow/source/gate.ts";
import type { Random } from "../../src/testing/random.ts";
import type { Scheduler } from "../../src/testing/scheduler.ts";
import { Oracle } from "./oracle.ts";
import { PlannedError, SimulatedFlows, type World } from "./simulated_flows.ts";
import type { FlowSpec, GraphSpec, SourceSpec } from "./simulated_graph.ts";
import { SimulatedSource } from "./simulated_source.ts";
import { keyOf, type Value } from "./values.ts";

function concurrencyOf({ max, ahead, keys }: NonNullable<FlowSpec["concurrency"]>) {
  return { max, ahead, by: keys === 0 ? "none" : (value: Value) => keyOf(value, keys) };
}

/** One run of a graph on the engine, watched by an oracle. */
export class Simulation implements World {
  readonly oracle: Oracle;
  readonly random: Random;
  readonly graph: GraphSpec;

  readonly #scheduler: Scheduler;
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
    this.graph = graph;
    this.random = random;
    this.oracle = new Oracle(graph);
    this.#app = new App({
      clock: scheduler.clock,
      onStatus: (event) => this.#tell(event),
      commit: {
        interval: random.pick([5, 1000]),
        messages: random.pick([1, 3, Infinity]),
      },
    });
    for (const spec of graph.sources) this.#sources.set(spec.name, this.#makeSource(spec));
    for (const { name, bound } of graph.proxies) {
      this.#sources.set(name, new Proxy<Value>({ bound }));
    }
    for (const flow of graph.flows) this.#bind(flow);
  }

  /** Runs the app to its end; what was broken is in the oracle. */
  async run(): Promise<void> {
    const { ending, pauses, seeks } = this.graph;
    const { random } = this;
    const drainTimeout = ending === "hard" ? random.pick([0, 3, 10]) : 25_000;
    if (pauses) this.#meanwhile(8, () => this.pause(random.pick([...this.#sources.keys()])));
    if (seeks) this.#meanwhile(4, () => this.seek());
    if (ending !== "natural") this.#meanwhile(1, () => this.#abort.abort());

    const check = () => {
      this.oracle.check();
      if (this.oracle.broken.length > 0) throw new Error(this.oracle.broken.join("; "));
    };
    const stream = this.#app.stream({ signal: this.#abort.signal, drainTimeout }).then(
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

  /** Writes down what the app tells, for whoever reads the trace. */
  #tell(event: StatusEvent): void {
    const { trace } = this.oracle;
    if (event.type === "flow_ended") trace.push(`${event.flow} has ended`);
    if (event.type === "source_ended") trace.push(`${event.source} has ended`);
    if (event.type === "error") trace.push(`the app fails: ${event.error}`);
    if (event.type === "stopping") trace.push("the app stops");
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
      if (each instanceof DrainError && this.graph.ending === "hard") continue;
      if (this.#abandoned.has(cause)) continue;
      if (cause instanceof CycleError && this.graph.tight) fatal.add(cause);
      else if (
        !fatal.has(cause) && !(this.graph.ending === "hard" && cause instanceof PlannedError)
      ) {
        broken.push(`the app ends with an error of nobody: ${each}`);
      }
    }
    if (fatal.size > 0 && errors.length === 0) broken.push("the app ends well after an error");
    if (this.graph.ending === "hard") return;
    for (const cause of fatal) {
      if (!errors.some((each) => (each as Error).cause === cause)) {
        broken.push(`the error ${cause} is forgotten`);
      }
    }
  }

  #checkAllRead(): void {
    const count = this.graph.sources.reduce((sum, source) => sum + source.count, 0);
    for (const source of this.#sources.values()) {
      if (source instanceof SimulatedSource && !source.finished) {
        this.oracle.broken.push(`${source.name} is not read to its end`);
      }
    }
    if (this.#handedOut < count) this.oracle.broken.push("a source is not read to its end");
  }

  /** Waits for nothing, for a turn, or for time. */
  nap(): Promise<void> | undefined {
    const { random } = this;
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

  source(name: string): Source<Value> {
    return this.#sources.get(name)!;
  }

  /** Does something at random moments, up to `most` times. */
  #meanwhile(most: number, act: () => void): void {
    const { random } = this;
    const acting = async () => {
      for (let left = 1 + random.integer(most); left > 0; left--) {
        for (let turns = random.integer(20); turns > 0; turns--) {
          await this.#scheduler.turn("the operator");
          if (random.chance(0.2)) await this.nap();
        }
        act();
      }
    };
    this.#beside.push(acting());
  }

  pause(name: string): void {
    const { random } = this;
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
      await this.nap();
      reasons.delete(reason);
      this.oracle.paused(what, reasons.size);
      if (partition === undefined) this.#app.resume(source, reason);
      else gateOf(source).resume(reason, partition);
    };
    this.#beside.push(resuming());
  }

  seek(): void {
    const { random } = this;
    const open = [...this.#sources.values()].filter((source) =>
      source instanceof SimulatedSource && source.open && !source.finished
    ) as SimulatedSource<Value>[];
    if (open.length === 0 || this.oracle.over) return;
    const source = random.pick(open);
    const position = random.integer(source.position + 1);
    this.oracle.seeks(source.name, position);
    gateOf(source).seek(position);
  }

  #makeSource(spec: SourceSpec): Source<Value> {
    const { name, kind, count, failsAt } = spec;
    const message = (position: number) => {
      if (position === failsAt) {
        const error = new PlannedError(`${name} fails`);
        // A read that is in flight when the app stops is abandoned, and its failure with it.
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
        const nap = () => this.nap();
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
            await this.nap();
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
          arrival: () => this.nap(),
          failure: (position) => {
            if (position !== failsAt) return undefined;
            const error = new PlannedError(`${name} fails`);
            this.oracle.stops(undefined, error);
            return error;
          },
          onCommit: (ackedTo) => this.oracle.commits(name, ackedTo, source.epoch),
        });
        return source;
      }
    }
  }

  #bind(flow: FlowSpec): void {
    const sources = flow.reads.map((name) => this.#sources.get(name)!);
    const source = sources.length === 1 ? sources[0]! : merge(...sources);
    const handle = this.#app.handle.bind(this.#app) as (...args: unknown[]) => unknown;
    const user = new SimulatedFlows(this);
    handle(source, ...flow.pipes.map((pipe) => user.pipe(flow, pipe)), user.handler(flow), {
      name: flow.name,
      sink: flow.sinks.map((sink, index) => user.sink(flow, sink, index)),
      onError: user.policy(flow),
      ...(flow.concurrency && { concurrency: concurrencyOf(flow.concurrency) }),
    });
  }
}
