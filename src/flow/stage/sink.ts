import type { SinkObject } from "../../types.ts";
import { openSink, type SinkTarget } from "../source/feed.ts";

/**
 * Where results go: a function, a `WritableStream`, a `Writable` of Node, an object with `write`, or one of the
 * library's own sinks (Topic, Proxy, Cache).
 *
 * - A promise that a function, or `write`, returns is awaited. A promise that it does not return cannot be: give a
 *   stream itself, not `(value) => stream.write(value)`.
 * - A value is written to a `Writable` of Node once the stream calls back for it. `Writable.toWeb(stream)` resolves
 *   when the value is in its buffer, so a crash may lose committed values: give the stream itself.
 * - A method needs its object: `(value) => list.push(value)`, not `list.push`.
 * - A stream, of either kind, stays open unless it is wrapped in `closeAtEnd()`.
 *
 * @typeParam T The values.
 */
export type Sink<T> =
  | ((value: T) => unknown)
  | WritableStream<T>
  | SinkObject<T>
  | SinkTarget<T>;

/** Returns whether `value` can be written to at all. */
export function isSink(value: unknown): boolean {
  return isSinkFunction(value) || value instanceof WritableStream || isTarget(value) ||
    isSinkObject(value);
}

export function isTarget(value: unknown): value is SinkTarget<unknown> {
  return typeof (value as Partial<SinkTarget<unknown>> | null | undefined)?.[openSink] ===
    "function";
}

export function isSinkObject(value: unknown): value is SinkObject<unknown> {
  return typeof (value as Partial<SinkObject<unknown>> | null | undefined)?.write === "function";
}

/** A generator function would never run, and a class of ours is not a sink until it is constructed. */
function isSinkFunction(value: unknown): value is (value: unknown) => unknown {
  if (typeof value !== "function" || isTarget(value.prototype)) return false;
  return !/Generator/.test((value as { [Symbol.toStringTag]?: string })[Symbol.toStringTag] ?? "");
}
