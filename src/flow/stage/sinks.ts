import { isSinkObject, isTarget } from "./sink.ts";
import { settledWithin } from "../../clock.ts";
import { openSink, type SinkPort, type SinkTarget } from "../source/feed.ts";
import type { Host } from "../source/host.ts";
import type { FlowRun } from "../run/flow_run.ts";
import { isNodeWritable, nodePort, type NodeWritable } from "./node_writable.ts";
import { queueOf } from "../proxy/proxy.ts";
import type { Receipt } from "../source/receipt.ts";
import type { Emit, Maybe } from "./stage.ts";
import type { NodeSink, SinkObject } from "../../types.ts";

/**
 * Makes a sink of a `WritableStream`, or of a `Writable` of Node, that is closed when the app ends. A bare
 * stream as a sink is released, not closed: whoever opened it closes it.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { App, closeAtEnd } from "@slipstream/slipstream";
 *
 * const { readable, writable } = new TextEncoderStream();
 * const app = new App();
 * app.handle(["a", "b"], (text) => text, { sink: closeAtEnd(writable) });
 * const [text] = await Promise.all([new Response(readable).text(), app.stream()]);
 * assertEquals(text, "ab");
 * ```
 */
export function closeAtEnd<T>(stream: WritableStream<T> | NodeSink<T>): SinkTarget<T> {
  if (stream instanceof WritableStream || isNodeWritable(stream)) return new Closing<T>(stream);
  throw new TypeError(
    `Cannot close ${
      Deno.inspect(stream, { depth: 0 })
    } when the app ends: it is neither a WritableStream ` +
      "nor a Writable of Node",
  );
}

class Closing<T> implements SinkTarget<T> {
  readonly #stream: WritableStream<T> | NodeWritable;

  constructor(stream: WritableStream<T> | NodeWritable) {
    this.#stream = stream;
  }

  [openSink](): SinkPort<T> {
    const stream = this.#stream;
    return stream instanceof WritableStream ? streamPort(stream, true) : nodePort(stream, true);
  }
}

/** A sink that is open. */
export class OpenSink {
  /** Values that are being written to it. */
  writing = 0;
  /** True when something was written that no flush has seen to its end. */
  unflushed = false;

  constructor(
    readonly name: string,
    readonly flow: string,
    readonly port: SinkPort<unknown>,
    /** True when it is opened anew for every value: then it need not be kept once it is flushed. */
    readonly brief: boolean,
  ) {}

  /** How long its `flush()` may take where a commit gives each `timeoutMs`. */
  flushLimit(timeoutMs: number): number {
    return timeoutMs + (this.port.patienceMs ?? 0);
  }

  /** Takes one value. */
  async write(value: unknown): Promise<void> {
    this.writing++;
    this.unflushed = true;
    try {
      await this.port.write(value);
    } finally {
      this.writing--;
    }
  }
}

/** The sinks that are open in one run: each is opened once, whichever flows share it. */
export class Sinks {
  /** True once a sink is open that has a `flush()`: what it was given is done only after that. */
  flushes = false;
  /** Why nothing can be flushed any more: a `flush()` has not settled in time. */
  stuck: Error | undefined;
  /** Those whose `flush()` is being waited for. */
  flushing: ReadonlySet<OpenSink> = new Set();
  readonly #opened = new Map<unknown, OpenSink>();

  constructor(readonly host: Host) {}

  /** Opens `sink` for one flow; `name` is its name in errors. */
  open(sink: unknown, flowRun: FlowRun, name: string): Emit<unknown> {
    const queue = queueOf(sink);
    if (queue !== undefined) return (value) => queue.offer(value, flowRun.whole, flowRun.receipt);
    if (typeof sink === "function") return sink as Emit<unknown>;
    const { port } = this.#open(sink, flowRun, name, false);
    const { write, correct } = port;
    if (correct === undefined) return (value) => write.call(port, value);
    const { context } = flowRun;
    return (value) =>
      context.correction === undefined
        ? write.call(port, value)
        : correct.call(port, value, context.correction);
  }

  /**
   * Opens `sink` for one value, made from the message of `receipt`. A function that chooses where dead letters
   * go may make a sink for each: one without `close()` is forgotten when it has been flushed.
   */
  openOnce(
    sink: unknown,
    flowRun: FlowRun,
    name: string,
    receipt: Receipt | undefined,
  ): Emit<unknown> {
    const queue = queueOf(sink);
    if (queue !== undefined) return (value) => queue.offer(value, flowRun.whole, receipt);
    const isOther = isTarget(sink) || !isSinkObject(sink) || sink instanceof WritableStream ||
      isNodeWritable(sink);
    if (isOther || sink.close !== undefined) return this.open(sink, flowRun, name);
    const opened = this.#open(sink, flowRun, name, true);
    return (value) => opened.write(value);
  }

  #open(sink: unknown, flowRun: FlowRun, name: string, brief: boolean): OpenSink {
    const known = this.#opened.get(sink);
    if (known !== undefined) return known;
    const opened = new OpenSink(name, flowRun.flow, this.#port(sink), brief);
    if (opened.port.flush !== undefined) this.flushes = true;
    if (!brief || opened.port.flush !== undefined) this.#opened.set(sink, opened);
    return opened;
  }

  #port(sink: unknown): SinkPort<unknown> {
    if (isTarget(sink)) return sink[openSink](this.host);
    if (sink instanceof WritableStream) return streamPort(sink, false);
    if (isNodeWritable(sink)) return nodePort(sink, false);
    const { write, flush, close } = sink as SinkObject<unknown>;
    return {
      write: isDenoWriter(sink)
        ? (value) => writeFully(sink, value)
        : (value) => write.call(sink, value) as Maybe,
      ...(flush !== undefined && { flush: async () => await flush.call(sink) }),
      ...(close !== undefined && { close: () => close.call(sink) }),
    };
  }

  /**
   * Resolves when everything written so far is where it belongs. All sinks are waited for, also when one
   * fails, so no `flush()` is called beside an earlier call of it.
   *
   * @throws What a sink threw, or {@linkcode Sinks.stuck} when one has not settled after `timeoutMs` and its
   * own patience.
   */
  async flush(timeoutMs: number): Promise<void> {
    const { clock, signal } = this.host;
    signal.throwIfAborted();
    if (this.stuck !== undefined) throw this.stuck;
    if (!this.flushes) return;
    const waiting = new Set([...this.#opened.values()].filter(({ port }) => port.flush));
    this.flushing = waiting;
    const flushed = Promise.allSettled([...waiting].map(async (opened) => {
      opened.unflushed = opened.writing > 0;
      try {
        await opened.port.flush!();
      } finally {
        waiting.delete(opened);
      }
    }));
    // Limits in ascending order: at each, all sinks with that limit are done, or one is late.
    const limits = [...waiting].map((opened) => opened.flushLimit(timeoutMs)).sort((a, b) => a - b);
    const began = clock.monotonic();
    for (const ms of limits) {
      await settledWithin(clock, began + ms - clock.monotonic(), flushed, signal);
      signal.throwIfAborted();
      const late = waiting.values().find((opened) => opened.flushLimit(timeoutMs) === ms);
      if (late === undefined) continue;
      const which = `${late.name} of flow "${late.flow}"`;
      throw this.stuck = new Error(`flush() of ${which} has not settled after ${ms} ms`);
    }
    for (const result of await flushed) if (result.status === "rejected") throw result.reason;
    for (const [sink, { brief, unflushed }] of this.#opened) {
      if (brief && !unflushed) this.#opened.delete(sink);
    }
  }

  /** Closes what was opened; a sink that cannot be closed fails the run, and the others are closed. */
  async close(): Promise<void> {
    const opened = [...this.#opened.values()];
    this.#opened.clear();
    await Promise.all(opened.map(async ({ port }) => {
      try {
        await port.close?.();
      } catch (error) {
        this.host.fail(error);
      }
    }));
  }
}

/** A writer of Deno, an open file for instance: it may take a part of the bytes that it is given. */
interface DenoWriter {
  readonly writable: WritableStream<Uint8Array>;
  write(bytes: Uint8Array): Promise<number>;
}

function isDenoWriter(sink: unknown): sink is DenoWriter {
  return (sink as Partial<DenoWriter>).writable instanceof WritableStream;
}

async function writeFully(sink: DenoWriter, value: unknown): Promise<void> {
  let rest = value as Uint8Array;
  do {
    const taken = await sink.write(rest);
    if (typeof taken !== "number") return;
    if (taken === 0 && rest.length > 0) throw new TypeError("write() took none of the bytes");
    rest = rest.subarray(taken);
  } while (rest.length > 0);
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
