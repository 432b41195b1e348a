import type { OpaquePipe } from "../types.ts";
import type { PipePromise } from "./debts.ts";
import { isStreamPair, type OpaqueStageOptions } from "./pipe.ts";

/**
 * A pipe with a promise of its author; made by {@linkcode sequential} and {@linkcode untilEnd}.
 *
 * @typeParam A What goes in.
 * @typeParam B What comes out.
 */
export class PromisedPipe<A, B> {
  /** For the types only: always absent. */
  declare readonly messages?: (input: A) => B;

  /** Notes what `pipe` promises. */
  constructor(
    /** What is promised. */
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
 * Promises that a pipe works on one message after the other: when it asks for the next message, it holds
 * nothing of earlier ones, and everything made from them has come out. Then those are acknowledged, also
 * those without an output, once their outputs are in their sinks. What a `TransformStream` was given is with it until
 * its `write` resolves: one that keeps a queue, or several one after the other, cannot promise that.
 *
 * Behind a source with positions (a Topic) no pipe that cannot be seen into is taken without a promise, since
 * what it holds back could be acknowledged, and would be lost by a crash. Promise it only where it is true.
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
 * app.handle([1, 1, 2], (n: number) => void seen.push(n), { pipe: sequential(changes) });
 * await app.stream();
 * assertEquals(seen, [1, 2]);
 * ```
 *
 * @throws {TypeError} If `pipe` is no function and no `TransformStream`.
 */
export function sequential<A, B>(pipe: OpaquePipe<A, B>): PromisedPipe<A, B> {
  return new PromisedPipe("sequential", pipe);
}

/**
 * Has the messages that a pipe was given acknowledged when it ends without an error, and none before: for
 * pipes that hold messages back as long as they like. After a crash all of them come again. On a Topic the
 * pipe ends when the app stops.
 *
 * What fails behind it has no `origin`, and a Topic keeps no dead letter of it, unless it is one of the messages
 * itself: nobody can tell what an output was made from.
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
 * app.handle([3, 1, 2], (n: number) => void seen.push(n), { pipe: untilEnd(sorted) });
 * await app.stream();
 * assertEquals(seen, [1, 2, 3]);
 * ```
 *
 * @throws {TypeError} If `pipe` is no function and no `TransformStream`.
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
