import type { Duration } from "./duration.ts";
import type { CodecError, HandlerError, SinkError } from "./errors.ts";

/**
 * A sink object: each value is passed to `write`; the commit calls `flush`, which resolves when everything written
 * so far is stored; `close` is called once, at the end. Calls of `flush` never overlap, while `write` goes
 * on.
 *
 * @typeParam T The values.
 */
export interface SinkObject<T> {
  /** Takes one value; a promise is backpressure. */
  readonly write: (value: T) => unknown;
  /**
   * Resolves when everything written so far is stored. When it rejects, the commit is retried; when it
   * does not settle within the commit's `flushTimeout`, the app stops. It need not wait for values written after
   * the call: writing may never pause.
   */
  flush?(): void | Promise<void>;
  /** Called once at the end of `stream()`, after the last flush. */
  close?(): void | Promise<void>;
}

/**
 * A `Writable` of Node (a file, a socket, a response), as `closeAtEnd()` takes it.
 *
 * @typeParam T The values.
 */
export interface NodeSink<T> {
  /** Takes one value, and calls back when it is done with it. */
  write(value: T, callback: (error?: Error | null) => void): unknown;
  /** Ends it. */
  end(): unknown;
}

/** A readable and a writable side: a `TransformStream`, for instance. */
export interface StreamPair<A, B> {
  /** Its output. */
  readonly readable: ReadableStream<B>;
  /** Its input. */
  readonly writable: WritableStream<A>;
}

/**
 * An opaque pipe: a function over async iterables, or a `TransformStream`. The engine cannot see which messages it
 * holds.
 *
 * @typeParam A The type of its input.
 * @typeParam B The type of its output.
 */
export type OpaquePipe<A, B> =
  | ((source: AsyncIterable<A>) => AsyncIterable<B> | StreamPair<A, B>)
  | StreamPair<A, B>;

/**
 * What a handler may return: a value, a promise of one, or a generator of any number. `undefined` goes
 * nowhere; arrays, strings, Maps and `null` are values.
 */
export type Result<O> =
  | O
  | undefined
  | void
  | Promise<O | undefined | void>
  | Generator<O | undefined | void, unknown, void>
  | AsyncGenerator<O | undefined | void, unknown, void>;

/** The second argument of a handler. */
export interface Context<Args = unknown> {
  /** The `args` of `stream({ args })`. */
  readonly args: Args;
  /** Aborts when the app begins to stop; messages in flight are still finished. */
  readonly stopping: AbortSignal;
  /**
   * Aborts at the hard end (a second OS signal, or `drainTimeout`), when nothing is waited for any more; and when the
   * call takes longer than `handlerTimeout`. With such a limit, as on a Topic, each call has its own signal, which
   * does not abort once the call is over.
   */
  readonly signal: AbortSignal;
  /** 1 for the first call, and one more for each retry. */
  attempt: number;
  /** Set while a message is reprocessed to correct an earlier result; see `Checkpoint`. */
  correction?: Correction | undefined;
}

/**
 * Why a message is reprocessed: an earlier result of it was computed from stale data.
 *
 * The effects of a handler must stay right when it runs again for the same message. Three recipes follow. A Topic as sink adds
 * the header `slipstream-correction` (the epoch) to the results of such messages.
 *
 * Only flows that read the dependent itself see it, not those behind a Proxy: there `context.correction` is absent
 * and `replays: "skip"` skips nothing. Skip before the Proxy, or send the correction along in the value.
 *
 * @example Upsert by the position of the message: the new result replaces the old
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { App, MemoryCache } from "@slipstream/slipstream";
 *
 * await using results = new MemoryCache<string>();
 * const app = new App();
 * app.handle(
 *   [{ partition: 0, offset: 7, value: "swimming" }],
 *   ({ partition, offset, value }) => [[partition, offset], `${value}: 🌞`] as const,
 *   { sink: results },
 * );
 * await app.stream();
 * assertEquals(await results.get([0, 7]), "swimming: 🌞");
 * ```
 *
 * @example Count without counting twice: let the flow that counts skip reprocessed messages
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { App } from "@slipstream/slipstream";
 *
 * let count = 0;
 * const app = new App();
 * app.handle(["swimming", "lunch"], () => void count++, { replays: "skip" });
 * await app.stream();
 * assertEquals(count, 2);
 * ```
 *
 * @example Emit only changed results
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { App, MemoryCache } from "@slipstream/slipstream";
 *
 * await using emitted = new MemoryCache<string>();
 * const app = new App();
 * const seen: string[] = [];
 * app.handle([{ offset: 7, weather: "🌞" }], async ({ offset, weather }, { correction }) => {
 *   if (correction !== undefined && await emitted.get(offset) === weather) return;
 *   await emitted.set(offset, weather);
 *   return weather;
 * }, { sink: (weather) => seen.push(weather) });
 * await app.stream();
 * assertEquals(seen, ["🌞"]);
 * ```
 */
export interface Correction {
  /** Counts the corrections of its source. */
  readonly epoch: number;
  /** The position in the message's partition before which messages are reprocessed. */
  readonly until: number;
  /** The names of the dependencies whose data was stale. */
  readonly dependencies: readonly string[];
}

/** The key of messages. */
export type MessageKey<M> = M extends { readonly key: infer K } ? NonNullable<K> : never;

/** The function that a flow calls for every message. */
export type Handler<I, O, Args = unknown> = (message: I, context: Context<Args>) => Result<O>;

/** How many times a failed step is retried, and after which delays. */
export interface RetryOptions {
  /**
   * How often it is retried after the first failure.
   *
   * @default {5}
   */
  attempts?: number | undefined;
  /**
   * The longest delay before the first retry; doubled for each further one.
   *
   * @default {100}
   */
  minDelay?: Duration | undefined;
  /**
   * The longest delay before any retry.
   *
   * @default {10_000}
   */
  maxDelay?: Duration | undefined;
}

/** The errors that meet `onError`. */
export type FlowFailure = HandlerError | SinkError | CodecError;
