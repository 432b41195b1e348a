import { type Duration, toMs } from "../../duration.ts";
import { describe } from "../../redact.ts";
import type { Clock } from "../../clock.ts";
import { Batcher } from "./batch.ts";
import { flatMapStage } from "./flat_map.ts";
import type { StagePlace } from "./opaque_pipe.ts";
import { type Emit, type FlowStage, isPromiseLike, type Maybe, stage } from "./stage.ts";

/** The method that makes an object a pipe of our own. */
export const makeStage: unique symbol = Symbol("slipstream.makeStage");

/**
 * A pipe that knows which messages each output was made from, so acknowledgements are exact.
 *
 * @typeParam A The type of its input.
 * @typeParam B The type of its output.
 */
export interface ExactPipe<A, B> {
  /** For the types only: always absent. */
  readonly messages?: (input: A) => B;
  /**
   * Makes it a pipe.
   *
   * @internal
   */
  readonly [makeStage]: unknown;
}

/** The inside of an {@linkcode ExactPipe}. */
export interface ExactStage<A, B> extends ExactPipe<A, B> {
  /** Makes the stage for one flow. */
  [makeStage](place: StagePlace, clock: Clock): FlowStage<A, B>;
  /** True when it holds messages back: then what goes in and what comes out belong to different ones. */
  readonly holds: boolean;
  /** True when it does so until others come, however long that takes. */
  readonly waits?: boolean;
  /** True when it takes one message after the other. */
  readonly single?: boolean;
  /** Its name, when it takes messages into a state of its own and its outputs belong to none of them: a window. */
  readonly ticks?: string;
  /** Why a stage with ticks cannot follow corrections; undefined when it can. */
  readonly uncorrectable?: string | undefined;
  /** True when what it has passed on may come again after an error. */
  readonly repeats?: boolean;
  /** What it is called in a topology. */
  readonly name?: string;
}

/**
 * A pipe that passes on the result of `change` for each message. It acknowledges exactly. An error in `change` meets
 * the flow's `onError`, like one in the handler.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { App, map } from "@slipstream/slipstream";
 *
 * const app = new App();
 * const seen: number[] = [];
 * app.handle(["1", "2"], map(Number), (n) => n, { sink: (n) => seen.push(n) });
 * await app.stream();
 * assertEquals(seen, [1, 2]);
 * ```
 *
 * @throws {TypeError} If `change` is not a function.
 */
export function map<A, B>(
  change: (message: A) => B | Promise<B>,
): ExactPipe<A, B> {
  if (typeof change !== "function") {
    throw new TypeError(`Cannot map: the mapper must be a function, got ${describe(change)}`);
  }
  const pipe: ExactStage<A, B> = {
    name: called("map", change),
    holds: false,
    [makeStage]: (place) => stage((emit) => calling(change, place, (result) => emit(result))),
  };
  return pipe;
}

/**
 * A pipe that passes on the messages for which `test` returns true. It acknowledges exactly. An error in `test` meets
 * the flow's `onError`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { App, filter } from "@slipstream/slipstream";
 *
 * const app = new App();
 * const seen: number[] = [];
 * app.handle([1, 2, 3], filter((n) => n > 1), (n) => n, { sink: (n) => seen.push(n) });
 * await app.stream();
 * assertEquals(seen, [2, 3]);
 * ```
 *
 * @throws {TypeError} If `test` is not a function.
 */
export function filter<A>(
  test: (message: A) => boolean | Promise<boolean>,
): ExactPipe<A, A> {
  if (typeof test !== "function") {
    throw new TypeError(`Cannot filter: the predicate must be a function, got ${test}`);
  }
  const pipe: ExactStage<A, A> = {
    name: called("filter", test),
    holds: false,
    [makeStage]: (place) =>
      stage((emit) =>
        calling(test, place, (passes, message) => passes ? emit(message) : undefined)
      ),
  };
  return pipe;
}

/**
 * A pipe that passes on, one by one, the elements that `toElements` returns for a message: an array, an iterable, a
 * generator or an async one, or a promise of these. Promises among the elements are awaited. Carries acknowledgements
 * exactly: a message is done when all of its elements are.
 *
 * An error in `toElements` or in its iteration meets the flow's `onError`. Elements passed on before it stay passed
 * on; a retry calls `toElements` again and passes on all elements.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { App, flatMap } from "@slipstream/slipstream";
 *
 * const app = new App();
 * const seen: string[] = [];
 * app.handle(["one fish", "two fish"], flatMap((line) => line.split(" ")), (word) => void seen.push(word));
 * await app.stream();
 * assertEquals(seen, ["one", "fish", "two", "fish"]);
 * ```
 *
 * @throws {TypeError} If `toElements` is not a function.
 */
export function flatMap<A, B>(
  toElements: (
    message: A,
  ) =>
    | Iterable<B | PromiseLike<B>>
    | AsyncIterable<B>
    | PromiseLike<Iterable<B | PromiseLike<B>> | AsyncIterable<B>>,
): ExactPipe<A, B> {
  if (typeof toElements !== "function") {
    throw new TypeError(
      `Cannot flatMap: the mapper must be a function, got ${toElements}`,
    );
  }
  const pipe: ExactStage<A, B> = {
    name: called("flatMap", toElements),
    holds: false,
    repeats: true,
    [makeStage]: (place) => flatMapStage(toElements, place),
  };
  return pipe;
}

/**
 * A pipe that collects messages into arrays of `max`, or of those that came within `time` after the first; the
 * rest is passed on at the end. It acknowledges exactly: the messages of a batch are done when the batch is.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { App, batch } from "@slipstream/slipstream";
 *
 * const app = new App();
 * const seen: number[][] = [];
 * app.handle([1, 2, 3], batch(2), (some) => void seen.push(some));
 * await app.stream();
 * assertEquals(seen, [[1, 2], [3]]);
 * ```
 *
 * @param max How many messages make a batch.
 * @param time How long the first message of a batch waits for others, at most.
 * @throws {RangeError} If `max` is not a positive integer, or `time` is not positive.
 * @throws {TypeError} If `time` is not a duration.
 */
export function batch<A>(
  max: number,
  time: Duration = Infinity,
): ExactPipe<A, A[]> {
  if (!Number.isInteger(max) || max < 1) {
    throw new RangeError(
      `Cannot batch as max must be a positive integer: current value is ${max}`,
    );
  }
  const ms = toMs(time, "time of batch()", { positive: true });
  const pipe: ExactStage<A, A[]> = {
    holds: true,
    waits: ms === Infinity && max > 1,
    [makeStage](place, clock) {
      const batcher = new Batcher<A>(max, ms, place, clock);
      return stage((emit) => batcher.into(emit), () => batcher.flush());
    },
  };
  return pipe;
}

/** Calls `call`, which is the user's, with every message, and `pass` with what it returned. */
function calling<A, R>(
  call: (message: A) => R | Promise<R>,
  { flowRun, input, recovery }: StagePlace,
  pass: (result: R, message: A) => Maybe,
): Emit<A> {
  if (recovery.stops) {
    return (message) => {
      let result: R | Promise<R>;
      try {
        result = call(message);
      } catch (error) {
        throw flowRun.callError(error, message, input);
      }
      return isPromiseLike<R>(result) ? later(result, message) : pass(result as R, message);
    };
  }
  return (message) => {
    let called: { result: R } | undefined; // stays undefined where the policy goes on without it
    const step = (): Maybe => {
      const result = call(message);
      if (isPromiseLike<R>(result)) {
        return (async () => void (called = { result: await result }))();
      }
      called = { result: result as R };
    };
    const passOn = () => called && pass(called.result, message);
    const done = recovery.guard(step, (error) => flowRun.callError(error, message, input));
    if (done === undefined) return passOn();
    return done.then(() => {
      flowRun.goOn();
      return passOn();
    });
  };

  async function later(promise: Promise<R>, message: A): Promise<void> {
    let result: R;
    try {
      result = await promise;
    } catch (error) {
      throw flowRun.callError(error, message, input);
    }
    flowRun.goOn();
    const done = pass(result, message);
    if (done !== undefined) await done;
  }
}

/** The name of a pipe that calls a function of the user's. */
function called(pipe: string, { name }: { readonly name: string }): string {
  return name === "" ? pipe : `${pipe}(${name})`;
}
