import type { Clock } from "../clock.ts";
import { PipeError } from "../errors.ts";
import { Batcher } from "./batch.ts";
import type { StagePlace } from "./pipe.ts";
import type { Lane } from "./lane.ts";
import { type Emit, isPromiseLike, type Maybe, stage, type Turn } from "./turn.ts";

/** The method that makes an object a pipe of our own. */
export const makeStage: unique symbol = Symbol("slipstream.makeStage");

/**
 * A pipe of our own: it knows what each output was made of, so acknowledgements are exact.
 *
 * @typeParam A What goes in.
 * @typeParam B What comes out.
 */
export interface ExactPipe<A, B> {
  /** For the types only: always absent. */
  readonly messages?: (input: A) => B;
}

/** The inside of an {@linkcode ExactPipe}. */
export interface ExactStage<A, B> extends ExactPipe<A, B> {
  /** Makes the stage for one flow. */
  [makeStage](place: StagePlace, clock: Clock): TransformStream<Turn<A>, Turn<B>>;
  /** True when it holds messages back: then what goes in and what comes out belong to different ones. */
  readonly holds: boolean;
  /** True when it does so until others come, however long that takes. */
  readonly waits?: boolean;
}

/**
 * A pipe that passes on what `change` returns for each message. Carries acknowledgements exactly.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { App, map } from "@slipstream/slipstream";
 *
 * const app = new App();
 * const seen: number[] = [];
 * app.handle(["1", "2"], (n) => n, { pipe: map(Number), sink: (n) => seen.push(n) });
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
    throw new TypeError(`Cannot map: the change must be a function, got ${change}`);
  }
  const pipe: ExactStage<A, B> = {
    holds: false,
    [makeStage]: ({ lane }) => stage((emit) => (message) => apply(change, message, lane, emit)),
  };
  return pipe;
}

/**
 * A pipe that passes on the messages for which `test` says true. Carries acknowledgements exactly.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { App, filter } from "@slipstream/slipstream";
 *
 * const app = new App();
 * const seen: number[] = [];
 * app.handle([1, 2, 3], (n) => n, { pipe: filter((n) => n > 1), sink: (n) => seen.push(n) });
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
    throw new TypeError(`Cannot filter: the test must be a function, got ${test}`);
  }
  const pipe: ExactStage<A, A> = {
    holds: false,
    [makeStage]: ({ lane }) =>
      stage((emit) => (message) =>
        apply(test, message, lane, (passes) => passes ? emit(message) : undefined)
      ),
  };
  return pipe;
}

/**
 * A pipe that collects messages into arrays of `max`, or of what came within `ms` milliseconds after the
 * first; what is left at the end is passed on too. Carries acknowledgements exactly: the messages of a
 * batch are done when the batch is.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { App, batch } from "@slipstream/slipstream";
 *
 * const app = new App();
 * const seen: number[][] = [];
 * app.handle([1, 2, 3], (some) => void seen.push(some), { pipe: batch(2) });
 * await app.stream();
 * assertEquals(seen, [[1, 2], [3]]);
 * ```
 *
 * @param max How many messages make a batch.
 * @param ms How long the first message of a batch waits for others, at most.
 * @throws {RangeError} If `max` is not a positive integer, or `ms` is not a positive number.
 */
export function batch<A>(
  max: number,
  ms: number = Infinity,
): ExactPipe<A, A[]> {
  if (!Number.isInteger(max) || max < 1) {
    throw new RangeError(
      `Cannot batch as max must be a positive integer: current value is ${max}`,
    );
  }
  if (!(ms > 0)) {
    throw new RangeError(`Cannot batch as ms must be a positive number: current value is ${ms}`);
  }
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

/** Calls `call`, which is the user's, with a message and passes its result on. */
function apply<A, R>(
  call: (message: A) => R | Promise<R>,
  message: A,
  lane: Lane,
  emit: Emit<R>,
): Maybe {
  let result: R | Promise<R>;
  try {
    result = call(message);
  } catch (error) {
    throw new PipeError(lane.place(), error);
  }
  return isPromiseLike<R>(result) ? passOn(result, lane, emit) : emit(result as R);
}

async function passOn<R>(promise: Promise<R>, lane: Lane, emit: Emit<R>): Promise<void> {
  let result: R;
  try {
    result = await promise;
  } catch (error) {
    throw new PipeError(lane.place(), error);
  }
  lane.goOn();
  const done = emit(result);
  if (done !== undefined) await done;
}
