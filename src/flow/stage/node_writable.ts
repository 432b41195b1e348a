import type { SinkPort } from "../source/feed.ts";

/** A `Writable` of Node, as far as it is written to: a file, a socket, a response, a compressor. */
export interface NodeWritable {
  /** True when it has failed, or was destroyed. */
  readonly destroyed: boolean;
  /** True when it was ended. */
  readonly writableEnded: boolean;
  /** Takes a chunk, and calls back when it was processed. */
  write(chunk: never, callback: (error?: Error | null) => void): unknown;
  /** Ends it. */
  end(): unknown;
  /** Listens to an event. */
  on(event: string, listener: (error: Error) => void): unknown;
  /** Listens no more. */
  removeListener(event: string, listener: (error: Error) => void): unknown;
}

const METHODS = ["write", "end", "on", "removeListener"] as const;

/** Returns whether `value` is a `Writable` of Node, or works like one. */
export function isNodeWritable(value: unknown): value is NodeWritable {
  const { writableEnded, destroyed } = (value ?? {}) as Partial<NodeWritable>;
  return typeof writableEnded === "boolean" && typeof destroyed === "boolean" &&
    METHODS.every((name) => typeof (value as Partial<NodeWritable>)[name] === "function");
}

/**
 * Writes to a `Writable` of Node: a value is there when the stream has processed it, not when it has taken it
 * into its buffer. An error that no write has met is met by `close()`.
 *
 * @param close Whether it is ended when the app ends.
 */
export function nodePort(stream: NodeWritable, close: boolean): SinkPort<unknown> {
  /** Those who wait for the stream. */
  const waiting = new Set<(error: Error) => void>();
  let failure: { readonly error: Error; met: boolean } | undefined;
  /** Once it has called back with an error, it also emits that, perhaps later. */
  let broken = false;
  const fail = (error: Error) => {
    failure ??= { error, met: waiting.size > 0 };
    for (const reject of waiting) reject(failure.error);
  };
  const closed = () => {
    for (const reject of waiting) reject(new TypeError("the stream was closed before it was done"));
  };
  stream.on("error", fail);
  stream.on("close", closed);
  /** Calls `begin`, and waits for its callback; a stream that fails or is closed may not call it. */
  const processed = async (begin: (done: (error?: Error | null) => void) => void) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    waiting.add(reject);
    try {
      begin((error) => {
        if (!error) return resolve();
        broken = true;
        reject(error);
      });
      await promise;
    } finally {
      waiting.delete(reject);
    }
  };
  return {
    async write(value) {
      if (failure !== undefined) {
        failure.met = true;
        throw failure.error;
      }
      if (stream.writableEnded) throw new TypeError("the stream has ended");
      if (stream.destroyed) throw new TypeError("the stream has been destroyed");
      await processed((done) => stream.write(value as never, done));
    },
    async close() {
      try {
        if (failure?.met === false) throw failure.error;
        if (!close || stream.destroyed || stream.writableEnded) return;
        await processed((done) => {
          stream.on("finish", () => done());
          stream.end();
        });
      } finally {
        stream.removeListener("close", closed);
        if (!broken) stream.removeListener("error", fail);
      }
    },
  };
}
