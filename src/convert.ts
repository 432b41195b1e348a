import { systemClock } from "./clock.ts";
import { FlowError } from "./errors.ts";
import { type Binding, toBinding } from "./flow/run/binding.ts";
import { Inflow, Outflow, type Running } from "./flow/run/stream_adapters.ts";
import { Run } from "./flow/run/run.ts";
import type { Context, Result } from "./types.ts";
import type { Sink } from "./flow/stage/sink.ts";
import type { Source } from "./flow/source/source.ts";

/**
 * Reads any source as a `ReadableStream`, one message a chunk, for use with `pipeThrough` and `pipeTo`.
 *
 * - Normal end: the stream closes.
 * - Error of the source: the stream fails with it.
 * - Cancel: the source is closed with the reason: a stream by `cancel(reason)`, an iterator by `return(reason)`.
 * - Nothing is read ahead: the source is asked when the stream is. A message is done, and acknowledged, when the next
 *   one is asked for. So a reader that reads ahead (a queue, a pool) causes messages of a Topic to be committed
 *   before it has handled them.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { merge, toReadable } from "@slipstream/slipstream";
 *
 * const letters = await Array.fromAsync(toReadable(merge(["a"], ["b"])));
 * assertEquals(letters, ["a", "b"]);
 * ```
 *
 * @throws {TypeError} If `source` is not a source.
 */
export function toReadable<T>(source: Source<T>): ReadableStream<T> {
  const outflow = new Outflow<T>();
  // In a list, so that no message is taken for a result that goes nowhere, or for several.
  const flow = new Alone(source, (message: T) => [message], async ([message]: [T]) => {
    await outflow.write(message);
    await outflow.asked();
  });
  return outflow.readable(flow);
}

/**
 * Makes a `TransformStream` of a handler: each result is a chunk.
 *
 * - Normal end: messages in flight come out, then the readable side closes.
 * - Error of the handler: both sides fail with it.
 * - Cancel of the readable side, or abort of the writable one: the other side fails with the reason, and the
 *   handler is not called any more.
 * - A write resolves when its results have been read; nothing is read ahead.
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
 *
 * @throws {TypeError} If `handler` is not a handler.
 */
export function toTransform<I, O>(
  handler: (message: I, context: Context) => Result<O>,
): TransformStream<I, O> {
  const inflow = new Inflow<I>();
  const outflow = new Outflow<O>();
  const flow = new Alone(inflow, handler, (value: O) => outflow.write(value));
  return {
    readable: outflow.readable(flow, (reason) => inflow.fail(reason)),
    writable: inflow.writable(flow, (reason) => outflow.fail(reason)),
  };
}

/**
 * Makes a `WritableStream` of one or several sinks: each chunk goes to all of them, in their order.
 *
 * - Close: resolves when everything is flushed and everything that the sinks opened is closed.
 * - Error of a sink: the stream fails with it.
 * - Abort: nothing more is written; everything that the sinks opened is closed.
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
 *
 * @throws {TypeError} If a sink is not a valid sink.
 */
export function toWritable<T>(sink: Sink<T> | readonly Sink<T>[]): WritableStream<T> {
  const inflow = new Inflow<T>();
  // Yielded, since a chunk is not a handler's result: a promise in it is not awaited.
  const same = function* (chunk: T) {
    yield chunk;
  };
  return inflow.writable(new Alone(inflow, same, sink));
}

/** One flow that runs by itself, outside of any app and without the signals of the process. */
class Alone implements Running {
  readonly ended: Promise<void>;
  readonly #settle = Promise.withResolvers<void>();
  readonly #binding: Binding;
  readonly #run: Run;
  #started = false;

  constructor(source: unknown, handler: unknown, sink: unknown) {
    this.#binding = toBinding(source, [], handler, { sink, name: "a stream" });
    this.#run = new Run({
      clock: systemClock,
      args: undefined,
      onError: "stop",
      commit: {},
      drainMs: Infinity,
      status: () => undefined,
      exit: () => Promise.resolve(),
    });
    this.ended = this.#settle.promise;
    this.ended.catch(() => {}); // met by the streams, whoever holds them
  }

  start(): void {
    if (this.#started) return;
    this.#started = true;
    const { resolve, reject } = this.#settle;
    this.#run.run([this.#binding]).then(resolve, (error) => {
      reject(error instanceof FlowError ? withOthers(error.cause, error.others) : error);
    });
  }

  stop(reason?: unknown): void {
    this.#run.stop(reason);
  }
}

/** Adds the other errors of a run to what the first one was caused by, where it can have them. */
function withOthers(cause: unknown, others: unknown[]): unknown {
  if (others.length === 0) return cause;
  if (cause instanceof Error && Object.isExtensible(cause)) return Object.assign(cause, { others });
  return new AggregateError([cause, ...others], "Cannot continue after several errors");
}
