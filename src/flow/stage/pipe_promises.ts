import type { OpaquePipe } from "../../types.ts";
import type { PipePromise } from "./unacknowledged.ts";
import { isStreamPair, type OpaqueStageOptions } from "./opaque_pipe.ts";

/**
 * A pipe with a promise from its author; made by {@linkcode sequential} and {@linkcode untilEnd}.
 *
 * @typeParam A The type of its input.
 * @typeParam B The type of its output.
 */
export class PromisedPipe<A, B> {
  /** For the types only: always absent. */
  declare readonly messages?: (input: A) => B;

  /** Notes what `pipe` promises. */
  constructor(
    /** The promise. */
    readonly promise: PipePromise,
    /** The pipe itself. */
    readonly pipe: OpaquePipe<A, B>,
  ) {
    if (typeof pipe !== "function" && !isStreamPair(pipe)) {
      throw new TypeError(
        `Cannot promise that a pipe is ${promise}: it must be a function over async iterables or a ` +
          `TransformStream, got ${Deno.inspect(pipe)}`,
      );
    }
  }
}

/**
 * Promises that a pipe works on one message at a time: when it asks for the next message, it holds nothing of earlier
 * ones, and everything made from them has come out. The earlier ones, including those without an output, are then
 * acknowledged once their outputs are in their sinks. A `TransformStream` holds a chunk until its `write` resolves:
 * one with a queue, or several in a row, cannot promise this.
 *
 * Behind a source with positions (a Topic), an opaque pipe is refused without a promise: messages that it holds back
 * could be acknowledged, and a crash would lose them. Promise this only where it is true.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { App, sequential } from "@slipstream/slipstream";
 *
 * async function* changes(source: AsyncIterable<number>) {
 *   let last: number | undefined;
 *   for await (const n of source) {
 *     if (n !== last) yield n;
 *     last = n;
 *   }
 * }
 *
 * const app = new App();
 * const seen: number[] = [];
 * app.handle([1, 1, 2], sequential(changes), (n: number) => void seen.push(n));
 * await app.stream();
 * assertEquals(seen, [1, 2]);
 * ```
 *
 * @throws {TypeError} If `pipe` is neither a function nor a `TransformStream`.
 */
export function sequential<A, B>(pipe: OpaquePipe<A, B>): PromisedPipe<A, B> {
  return new PromisedPipe("sequential", pipe);
}

/**
 * Acknowledges the messages of a pipe only when it ends without an error: for pipes that hold messages back for
 * any time. After a crash, all of them are delivered again. On a Topic, the pipe ends when the app stops.
 *
 * It is unknown which messages an output was made from. So an error behind the pipe has no `origin`, and a Topic
 * refuses it as a dead letter, unless the output is one of the messages itself.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { App, untilEnd } from "@slipstream/slipstream";
 *
 * async function* sorted(source: AsyncIterable<number>) {
 *   yield* (await Array.fromAsync(source)).toSorted();
 * }
 *
 * const app = new App();
 * const seen: number[] = [];
 * app.handle([3, 1, 2], untilEnd(sorted), (n: number) => void seen.push(n));
 * await app.stream();
 * assertEquals(seen, [1, 2, 3]);
 * ```
 *
 * @throws {TypeError} If `pipe` is neither a function nor a `TransformStream`.
 */
export function untilEnd<A, B>(pipe: OpaquePipe<A, B>): PromisedPipe<A, B> {
  return new PromisedPipe("untilEnd", pipe);
}

/** Returns a pipe that nobody can see into, and what its author promises; undefined for any other. */
export function toOpaque(pipe: unknown): OpaqueStageOptions | undefined {
  if (pipe instanceof PromisedPipe) return pipe;
  if (typeof pipe !== "function" && !isStreamPair(pipe)) return undefined;
  return { pipe: pipe as OpaquePipe<unknown, unknown>, promise: undefined };
}
