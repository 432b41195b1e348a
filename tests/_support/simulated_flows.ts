import {
  batch,
  deadLetter,
  type ErrorPolicy,
  filter,
  type FlowFailure,
  map,
  type OnError,
  retry,
  sequential,
  SinkError,
  untilEnd,
} from "../../mod.ts";
import type { Random } from "../../src/testing/random.ts";
import type { Failed } from "./ledger.ts";
import type { Oracle } from "./oracle.ts";
import {
  type FlowSpec,
  type GraphSpec,
  isPlainStop,
  type PipeSpec,
  type SinkSpec,
} from "./simulated_graph.ts";
import { mappedValue, type Value } from "./values.ts";

/** The only error that user code of a simulation throws. */
export class PlannedError extends Error {
  override readonly name = "PlannedError";
}

/** How deep values are made of values: bounds what circles make. */
const MAX_DEPTH = 5;

/** What user code can see and do in a simulation. */
export interface World {
  readonly graph: GraphSpec;
  readonly oracle: Oracle;
  readonly random: Random;
  /** A source or a Proxy by its name. */
  source(name: string): unknown;
  /** Waits for nothing, for a turn, or for time. */
  nap(): Promise<void> | undefined;
  /** Pauses a source or one partition of it, for a while. */
  pause(name: string): void;
  /** Moves one of the sources. */
  seek(): void;
}

/** The user code of the flows of a simulation: it does at random what user code may do, and says so. */
export class SimulatedFlows {
  constructor(readonly world: World) {}

  #fails(rate = this.world.graph.failureRate): PlannedError | undefined {
    return rate > 0 && this.world.random.chance(rate) ? new PlannedError("planned") : undefined;
  }

  pipe({ name: flow, policy }: FlowSpec, pipe: PipeSpec): unknown {
    const { oracle } = this.world;
    const { random } = this.world;
    const enter = (value: Value) => {
      oracle.enters(flow, value);
      const error = this.#fails(this.world.graph.failureRate / 4);
      if (error === undefined) return;
      oracle.stops(flow, error);
      throw error;
    };
    const failures = new Map<Value, number>();
    /** Enters a pipe whose errors meet the policy of the flow. */
    const enterExact = (value: Value) => {
      oracle.enters(flow, value);
      const failed = failures.get(value) ?? 0;
      const error = failed === 0 ? this.#fails(this.world.graph.failureRate / 2) : this.#fails(0.5);
      if (error === undefined) return oracle.passes(flow, value);
      failures.set(value, failed + 1);
      oracle.failsInPipe(flow, value, failed + 1, error, policy.form === "static" || failed > 0);
      throw error;
    };
    const nap = () => this.world.nap();
    switch (pipe.kind) {
      case "map":
        return map((value: Value) => {
          enterExact(value);
          const mapped = mappedValue(value, "map");
          return this.world.nap()?.then(() => mapped) ?? mapped;
        });
      case "filter":
        return filter((value: Value) => {
          enterExact(value);
          const passes = random.chance(0.8);
          if (!passes) oracle.filtered(flow, value);
          return passes;
        });
      case "batch":
        return batch<Value>(pipe.max, pipe.ms);
      case "generator":
        return sequential(async function* (values: AsyncIterable<Value>) {
          for await (const value of values) {
            enter(value);
            await nap();
            yield mappedValue(value, "generator");
          }
        });
      case "collecting generator":
        return untilEnd(async function* (values: AsyncIterable<Value>) {
          const collected: Value[] = [];
          for await (const value of values) {
            enter(value);
            collected.push(mappedValue(value, "collected"));
          }
          yield* collected;
        });
      case "transform stream":
        return sequential(() =>
          new TransformStream<Value, Value>({
            async transform(value, controller) {
              enter(value);
              await nap();
              controller.enqueue(mappedValue(value, "stream"));
            },
          })
        );
    }
  }

  /** A handler that gives up to two values, or fails, before or after a value. */
  handler(spec: FlowSpec): unknown {
    const { oracle } = this.world;
    const { name, policy } = spec;
    const { random } = this.world;
    const begin = (input: Value | Value[]) => {
      const values = [input].flat();
      const fate = oracle.begins(name, values);
      const depth = Math.max(...values.map((value) => value.depth));
      const count = depth >= MAX_DEPTH ? 0 : random.pick([0, 1, 1, 1, depth < 2 ? 2 : 1]);
      const error = fate.calls === 1 ? this.#fails() : this.#fails(0.5);
      if (this.world.graph.pauses && random.chance(0.05)) this.world.pause(random.pick(spec.reads));
      if (this.world.graph.seeks && random.chance(0.04)) this.world.seek();
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
    const nap = () => this.world.nap();
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

  sink({ name, policy }: FlowSpec, { kind, proxy }: SinkSpec, index: number): unknown {
    const { oracle } = this.world;
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
        return this.world.source(proxy!);
      case "function":
        return (value: Value) => {
          oracle.writes(value, index);
          take(value);
        };
      case "async function":
        return async (value: Value) => {
          oracle.writes(value, index);
          await this.world.nap();
          take(value);
        };
      case "stream":
        return new WritableStream<Value>({
          write: async (value) => {
            oracle.writes(value, index);
            await this.world.nap();
            oracle.written(value, index, false); // an error would be the end of the stream
          },
        });
      case "object": {
        let given: Value[] = [];
        return {
          write: async (value: Value) => {
            oracle.writes(value, index);
            await this.world.nap();
            take(value, true);
            given.push(value);
          },
          flush: async () => {
            const flushing = given;
            given = [];
            await this.world.nap();
            oracle.flushed(flushing);
          },
          close: () => {
            if (given.length > 0 && this.world.graph.ending !== "hard") {
              oracle.broken.push(`sink ${index} of ${name} is closed before its last flush`);
            }
          },
        };
      }
    }
  }

  policy({ name, policy }: FlowSpec): OnError {
    const { attempts, otherwise, form } = policy;
    const { oracle } = this.world;
    if (isPlainStop(policy)) return "stop";
    const letters = new WeakMap<object, Set<unknown>>();
    const bury = async (error: FlowFailure) => {
      const origins = letters.getOrInsertComputed(error.cause as object, () => new Set());
      if (origins.size === 0) await this.world.nap(); // the step is settled with the last of its letters
      if (origins.has(error.origin)) oracle.broken.push(`${name} buries a message twice`);
      if (origins.size === 0) oracle.buried(name, stepOf(error), error);
      origins.add(error.origin);
    };
    const last = otherwise === "deadLetter" ? deadLetter(bury) : otherwise;
    const whole: ErrorPolicy = attempts === 0
      ? last
      : retry({ attempts, minDelay: 1, maxDelay: 20 }, last);
    if (form === "static") return whole;
    return async (error) => {
      await this.world.nap();
      oracle.chosen(name, stepOf(error), error.cause);
      return whole;
    };
  }
}

/** The message, or the first of a batch, that was not handled; or the value that was not sunk. */
function stepOf(error: FlowFailure): Failed {
  if (error instanceof SinkError) return { at: "sink", value: error.output as Value };
  return { at: "handler", value: [error.input as Value | Value[]].flat()[0]! };
}
