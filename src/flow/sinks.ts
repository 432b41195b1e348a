import { type Host, openSink, type SinkPort, type SinkTarget } from "./feed.ts";
import type { Lane } from "./lane.ts";
import { queueOf } from "./proxy.ts";
import type { Recovery } from "./policy.ts";
import { type Emit, isPromiseLike, type Maybe } from "./turn.ts";
import type { SinkObject } from "../types.ts";

/**
 * Makes a sink of a `WritableStream` that is closed when the app ends. A bare stream as a sink is only
 * released, since whoever opens closes.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { App, closing } from "@slipstream/slipstream";
 *
 * const { readable, writable } = new TextEncoderStream();
 * const app = new App();
 * app.handle(["a", "b"], (text) => text, { sink: closing(writable) });
 * const [text] = await Promise.all([new Response(readable).text(), app.stream()]);
 * assertEquals(text, "ab");
 * ```
 */
export function closing<T>(stream: WritableStream<T>): SinkTarget<T> {
  return new Closing(stream);
}

class Closing<T> implements SinkTarget<T> {
  readonly #stream: WritableStream<T>;

  constructor(stream: WritableStream<T>) {
    this.#stream = stream;
  }

  [openSink](): SinkPort<T> {
    return streamPort(this.#stream, true);
  }
}

/** Says whether `value` can be written to at all. */
export function isSink(value: unknown): boolean {
  return typeof value === "function" || value instanceof WritableStream ||
    queueOf(value) !== undefined || isTarget(value) || isSinkObject(value);
}

/** The name of a sink in errors: the function's, or its place in the list. */
export function sinkName(sink: unknown, index: number): string {
  const name = typeof sink === "function" ? sink.name : sink?.constructor?.name ?? "";
  return name === "" || name === "Object" ? `sink ${index + 1}` : `sink ${index + 1} (${name})`;
}

function isTarget(value: unknown): value is SinkTarget<unknown> {
  return typeof (value as Partial<SinkTarget<unknown>> | null | undefined)?.[openSink] ===
    "function";
}

function isSinkObject(value: unknown): value is SinkObject<unknown> {
  return typeof (value as Partial<SinkObject<unknown>> | null | undefined)?.write === "function";
}

/** The sinks that are open in one run: each is opened once, whichever flows share it. */
export class Sinks {
  readonly #ports = new Map<unknown, SinkPort<unknown>>();

  constructor(readonly host: Host) {}

  /** Opens `sink` for one flow. */
  open(sink: unknown, lane: Lane): Emit<unknown> {
    const queue = queueOf(sink);
    if (queue !== undefined) return (value) => queue.offer(value, lane);
    if (typeof sink === "function") return sink as Emit<unknown>;
    let port = this.#ports.get(sink);
    if (port === undefined) this.#ports.set(sink, port = this.#port(sink));
    const { write, correct } = port;
    if (correct === undefined) return (value) => write.call(port, value);
    const { context } = lane;
    return (value) =>
      context.correction === undefined
        ? write.call(port, value)
        : correct.call(port, value, context.correction);
  }

  #port(sink: unknown): SinkPort<unknown> {
    if (isTarget(sink)) return sink[openSink](this.host);
    if (sink instanceof WritableStream) return streamPort(sink, false);
    const { write, flush, close } = sink as SinkObject<unknown>;
    return {
      write: (value) => write.call(sink, value) as Maybe,
      ...(flush !== undefined && { flush: async () => await flush.call(sink) }),
      close: () => close?.call(sink),
    };
  }

  /** True when a sink keeps what it was given until it is flushed. */
  get flushes(): boolean {
    return [...this.#ports.values()].some((port) => port.flush !== undefined);
  }

  /** Resolves when everything written so far is where it belongs. */
  async flush(): Promise<void> {
    await Promise.all([...this.#ports.values()].map((port) => port.flush?.()));
  }

  /** Closes what was opened; a sink that cannot be closed fails the run, and the others are closed. */
  async close(): Promise<void> {
    const ports = [...this.#ports.values()];
    this.#ports.clear();
    await Promise.all(ports.map(async (port) => {
      try {
        await port.close?.();
      } catch (error) {
        this.host.fail(error);
      }
    }));
  }
}

function streamPort<T>(stream: WritableStream<T>, close: boolean): SinkPort<T> {
  const writer = stream.getWriter();
  writer.closed.catch(() => {}); // an error of the stream is met by the next write
  return {
    write: (value) =>
      (writer.desiredSize ?? 0) > 0
        ? writer.write(value)
        : writer.ready.then(() => writer.write(value)),
    async close() {
      try {
        // An errored stream refuses to be closed; what it failed with is in `closed`.
        if (close) await Promise.all([writer.closed, writer.close()]);
      } finally {
        writer.releaseLock();
      }
    },
  };
}

/** Makes the end of a flow: every value goes to all sinks, one after the other, in their order. */
export function toSinks(sinks: readonly unknown[], lane: Lane, opened: Sinks, recovery: Recovery) {
  const emits = sinks.map((sink, index) => {
    const name = sinkName(sink, index);
    try {
      return one(opened.open(sink, lane), name, lane, recovery);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new TypeError(`Cannot open ${name} of flow "${lane.flow}": ${reason}`, { cause });
    }
  });
  if (emits.length === 0) return () => {};
  if (emits.length === 1) return emits[0]!;
  return (value: unknown): Maybe => {
    for (let index = 0; index < emits.length; index++) {
      const done = emits[index]!(value);
      if (done !== undefined) return theRest(done, emits, index + 1, value, lane);
    }
  };
}

async function theRest(
  first: Promise<void>,
  emits: readonly Emit<unknown>[],
  next: number,
  value: unknown,
  lane: Lane,
): Promise<void> {
  try {
    await first;
    for (let index = next; index < emits.length; index++) {
      lane.goOn();
      const done = emits[index]!(value);
      if (done !== undefined) await done;
    }
  } catch (error) {
    throw lane.sinkError(error);
  }
}

/** One sink of a flow: notes what it was given, wraps what it throws, and applies the policy. */
function one(sink: Emit<unknown>, name: string, lane: Lane, recovery: Recovery): Emit<unknown> {
  const write: Emit<unknown> = (value) => {
    lane.output = value;
    lane.sink = name;
    let done: unknown;
    try {
      done = sink(value);
    } catch (error) {
      throw lane.sinkError(error);
    }
    if (!isPromiseLike<void>(done)) return;
    return done instanceof Promise ? done : Promise.resolve(done);
  };
  if (recovery.stops) return write;
  return (value) => recovery.guard(() => write(value), (error) => lane.sinkError(error));
}
