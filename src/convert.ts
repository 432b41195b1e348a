import { systemClock } from "./clock.ts";
import { FlowError } from "./errors.ts";
import { toBinding } from "./flow/binding.ts";
import { Inflow, Outflow } from "./flow/ends.ts";
import { Run } from "./flow/run.ts";
import type { Context, Result, Sink, Source } from "./types.ts";

/**
 * Reads any source as a `ReadableStream`, one message a chunk, for use with `pipeThrough` and `pipeTo`.
 *
 * - Normal end: the stream closes.
 * - Error of the source: the stream fails with it.
 * - Cancel: the source is closed.
 * - Nothing is read ahead: the source is asked when the stream is.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { merge, toReadable } from "@slipstream/slipstream";
 *
 * const letters = await Array.fromAsync(toReadable(merge(["a"], ["b"])));
 * assertEquals(letters, ["a", "b"]);
 * ```
 */
export function toReadable<T>(source: Source<T>): ReadableStream<T> {
  return new Outflow<T>((write) => new Alone(source, (message: T) => message, write)).readable;
}

/**
 * Makes a `TransformStream` of a handler: each result is a chunk.
 *
 * - Normal end: what is under way comes out, then the readable side closes.
 * - Error of the handler: both sides fail with it.
 * - Cancel of the readable side, or abort of the writable one: the handler is not called any more.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { toReadable, toTransform } from "@slipstream/slipstream";
 *
 * const twice = toTransform(function* (n: number) {
 *   yield n;
 *   yield n;
 * });
 * assertEquals(await Array.fromAsync(toReadable([1, 2]).pipeThrough(twice)), [1, 1, 2, 2]);
 * ```
 */
export function toTransform<I, O>(
  handler: (message: I, context: Context) => Result<O>,
): TransformStream<I, O> {
  const inflow = new Inflow<I>();
  const outflow = new Outflow<O>((write) => new Alone(inflow, handler, write));
  return { readable: outflow.readable, writable: inflow.writable(outflow.start()) };
}

/**
 * Makes a `WritableStream` of one or several sinks: each chunk goes to all of them, in their order.
 *
 * - Close: resolves when everything is flushed and what the sinks opened is closed.
 * - Error of a sink: the stream fails with it.
 * - Abort: nothing more is written.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { toReadable, toWritable } from "@slipstream/slipstream";
 *
 * const seen: number[] = [];
 * await toReadable([1, 2]).pipeTo(toWritable((n: number) => void seen.push(n)));
 * assertEquals(seen, [1, 2]);
 * ```
 */
export function toWritable<T>(sink: Sink<T> | readonly Sink<T>[]): WritableStream<T> {
  const inflow = new Inflow<T>();
  return inflow.writable(new Alone(inflow, (message: T) => message, sink));
}

/** One flow that runs by itself, outside of any app and without the signals of the process. */
class Alone {
  /** Resolves at the end of the flow, or rejects with what was thrown in it. */
  readonly ended: Promise<void>;
  readonly #run: Run;

  constructor(source: unknown, handler: unknown, sink: unknown) {
    this.#run = new Run({
      clock: systemClock,
      args: undefined,
      onError: "stop",
      barrier: {},
      drainMs: Infinity,
      status: undefined,
      exit: () => Promise.resolve(),
    });
    const binding = toBinding(source, handler, { sink }, "a stream");
    this.ended = this.#run.run([binding]).catch((error) => {
      throw error instanceof FlowError ? error.cause : error;
    });
    this.ended.catch(() => {}); // met by the streams, whoever holds them
  }

  /** Takes no more messages. */
  stop(): void {
    this.#run.stop();
  }
}
