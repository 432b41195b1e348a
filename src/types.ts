import type { Duration } from "./duration.ts";
import type { CodecError, HandlerError, SinkError } from "./errors.ts";
import type { FeedSource, SinkTarget } from "./flow/source/feed.ts";
import type { ExactPipe } from "./flow/stage/exact_pipes.ts";
import type { Merge } from "./flow/source/merge.ts";
import type { PromisedPipe } from "./flow/stage/pipe_promises.ts";
import type { StateCache } from "./flow/state/state.ts";

/**
 * What messages come from: anything iterable or async-iterable (one message an element), a
 * `ReadableStream` (one a chunk), or one of the library's own sources (Topic, Proxy, `merge(…)`). Iterators are read as
 * `for await` reads them: promises among the elements of an iterable are awaited.
 *
 * @typeParam T The messages.
 */
export type Source<T> =
  | Iterable<T | PromiseLike<T>>
  | AsyncIterable<T>
  | ReadableStream<T>
  | FeedSource<T>
  | Merge<T>;

/**
 * A sink object: each value is passed to `write`; the commit calls `flush`, which resolves when everything written
 * so far is where it belongs; `close` is called once, at the end. Calls of `flush` never overlap, while `write` goes
 * on.
 *
 * @typeParam T The values.
 */
export interface SinkObject<T> {
  /** Takes one value; a promise is backpressure. */
  readonly write: (value: T) => unknown;
  /**
   * Resolves when everything written so far is where it belongs. When it rejects, the commit is retried; when it
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

/**
 * What results go to: a function, a `WritableStream`, a `Writable` of Node, an object with `write`, or one of the
 * library's own sinks (Topic, Proxy, Cache).
 *
 * - What a function, or `write`, returns is awaited where it is a promise. Of what it does not return nobody
 *   knows: give a stream itself, not `(value) => stream.write(value)`.
 * - A value is written to a `Writable` of Node when that calls back for it. `Writable.toWeb(stream)` says so when
 *   the value is in its buffer, so a crash may lose what was committed: give the stream itself.
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

/** A readable and a writable side: a `TransformStream`, for instance. */
export interface StreamPair<A, B> {
  /** What comes out. */
  readonly readable: ReadableStream<B>;
  /** What goes in. */
  readonly writable: WritableStream<A>;
}

/**
 * An opaque pipe: a function over async iterables, or a `TransformStream`. The engine cannot see which messages it
 * holds.
 *
 * @typeParam A What goes in.
 * @typeParam B What comes out.
 */
export type OpaquePipe<A, B> =
  | ((source: AsyncIterable<A>) => AsyncIterable<B> | StreamPair<A, B>)
  | StreamPair<A, B>;

/**
 * What stands between a source and a handler: `map`, `filter`, `flatMap` or `batch`, a function over async
 * iterables, or a `TransformStream`. Behind a source with positions, the last two need a promise from their author:
 * `sequential` or `untilEnd`.
 *
 * @typeParam A What goes in.
 * @typeParam B What comes out.
 */
export type Pipe<A, B> = OpaquePipe<A, B> | ExactPipe<A, B> | PromisedPipe<A, B>;

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

/** What a handler gets beside its message. */
export interface Context<Args = unknown> {
  /** What `stream({ args })` was given. */
  readonly args: Args;
  /** Aborts when the app begins to stop; messages in flight are still finished. */
  readonly stopping: AbortSignal;
  /**
   * Aborts at the hard end (a second OS signal, or `drainTimeout`): nothing is waited for any more; and when the call
   * takes longer than `handlerTimeout`. Where there is such a limit, as at a Topic, it is a signal of the call,
   * and does not abort once the call is over.
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
 * Whatever a handler does must still be right when it is done again. Three recipes follow. A Topic as sink adds
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
 * @example Count without counting twice: let the flow that counts skip what is handled again
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
 * @example Emit only what has changed
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
  /** The position in the message's partition before which messages are handled again. */
  readonly until: number;
  /** The names of the dependencies whose data was stale. */
  readonly dependencies: readonly string[];
}

/** The function that a flow calls for every message. */
export type Handler<I, O, Args = unknown> = (message: I, context: Context<Args>) => Result<O>;

/** How often, and after which delays, a failed step is retried. */
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

/** What follows an error once there are no retries left. */
export type ExhaustedPolicy = "stop" | "skip" | { readonly deadLetter: Sink<FlowFailure> };

/**
 * What follows an error: `"stop"` ends the app, `"skip"` continues without the message or the value, `deadLetter`
 * writes the error (with the message) to a sink and continues, `retry` repeats the step. An error about several
 * messages (behind `batch()`) is written once for each of them.
 */
export type ErrorPolicy =
  | ExhaustedPolicy
  | { readonly retry: RetryOptions; readonly otherwise?: ExhaustedPolicy | undefined };

/** The errors that meet `onError`. */
export type FlowFailure = HandlerError | SinkError | CodecError;

/**
 * A policy, or a function that chooses one for each error. Sinks with `close()`, streams and topics that it
 * chooses stay open until the app ends: it makes them once, not for each error.
 */
export type OnError<Args = unknown> =
  | ErrorPolicy
  | ((error: FlowFailure, context: Context<Args>) => ErrorPolicy | Promise<ErrorPolicy>);

/** Options of `handle`, but the pipe. */
export interface HandleOptions<O, Args = unknown> {
  /** Where results go: one sink, or several, which get each value in their order. */
  sink?: Sink<O> | readonly [Sink<O>, ...Sink<O>[]] | readonly Sink<O>[] | undefined;
  /**
   * The name of the flow, for errors and status events; unique in its app.
   *
   * @default {"the handler's name, or flow N"}
   */
  name?: string | undefined;
  /**
   * What follows an error in the handler, in the function of a `map`, `filter` or `flatMap` (both are a
   * `HandlerError`), or in a sink. An error in any other pipe is a `PipeError` and stops the app.
   *
   * @default {"the app's, which is \"stop\""}
   */
  onError?: OnError<Args> | undefined;
  /**
   * Whether messages reprocessed to correct an earlier result (`context.correction`) reach this flow. Nothing is
   * skipped behind a Proxy; see {@linkcode Correction}.
   *
   * @default {"deliver"}
   */
  replays?: "deliver" | "skip" | undefined;
  /**
   * How long a call of the handler may take with its sinks. A call that exceeds the limit fails:
   * `context.signal` aborts, a generator is closed, and none of its further results are written. A value that it
   * sends by itself after that is still sent, and belongs to the same message. Once the call is over, `onError` gets
   * a `TimeoutError`. A Topic that the flow reads leaves its group at the limit, so that other members take over its
   * partitions; with several flows on a Topic, the shortest limit counts.
   *
   * A flow behind a Proxy has no limit unless it is given one. That limit applies only to its own calls: the Topic
   * leaves by its own limit.
   *
   * @default {"the Topic's processingTimeout (5 minutes), Infinity for other sources"}
   */
  handlerTimeout?: Duration | undefined;
  /**
   * The `Cache` that holds the state of the flow, and its positions: after a crash the flow resumes where the content
   * of the cache ends, so that nothing is counted twice or missed in it. Writes to sinks may be repeated.
   *
   * - Requires a `name`; a cache of this process alone, with `maxBytes: Infinity` and no `ttl`; and a source
   *   that can begin at a position (a Topic that nobody else in its group reads, or a `replayable()`). Where
   *   another member reads it, which may have been killed, the start waits for a session time-out (the Topic's
   *   `onStatus` is told `"joining"`) and then fails; whoever joins later gets no partitions. A flow whose
   *   cache has nothing of what its group has committed stops with an error: `seek()`, or the Topic's `offset`
   *   by partition, says where it is to begin.
   * - `batch()`, pipe functions and `TransformStream`s are refused, also with a promise and behind Proxies; a
   *   flow that writes to a Proxy must have the policy `"stop"`.
   * - Await every write in the handler: one that lands after the call has failed, or the message is done, is
   *   refused. In handlers and sinks, `flush()` and `durable` reject: the cache goes to disk between messages.
   * - Where `onError` continues, the writes of a failed call of the handler or of a sink are undone. If another flow
   *   has overwritten them meanwhile, or has read them and the flow continues without the message, the app stops with
   *   an error instead: give such flows keys of their own, or `"stop"`. Otherwise flows are not isolated: one may
   *   read what another has written for a message that is not done. (`size` and `bytes` include writes that may still
   *   be undone.)
   * - Other flows cannot write to the cache, unless they read only Proxies that such flows write to, or sources
   *   that commit nothing.
   * - Code outside of flows may write to it. Its writes are on disk with the next cut, which is taken when no message
   *   of its flows is in flight, so it waits for the longest one.
   * - A handler must not wait for a message of another flow of the same cache: while a cut is due, no message begins.
   * - After an error of the app, the cache can only be closed and opened again: see `Cache.dropped`.
   * - Positions are stored under the names of the flow and of its source. Under another name it is a new flow: with a
   *   new group it counts everything again, on top of the existing content.
   */
  state?: StateCache | undefined;
}

/**
 * What stands behind the source and its pipes: a function, a `TransformStream`, or a pipe with a promise.
 *
 * @typeParam M The type of its input.
 * @typeParam O The type of its output.
 */
export type Stage<M, O, Args = unknown> =
  | Handler<M, O, Args>
  | StreamPair<M, O>
  | PromisedPipe<M, O>;

/**
 * One pipe, or up to three, each of which reads the output of the one before.
 *
 * @typeParam I What the source gives.
 * @typeParam A What the first of several gives.
 * @typeParam B What the second of three gives.
 * @typeParam M What the handler gets.
 */
export type Pipes<I, A, B, M> =
  | Pipe<I, M>
  | readonly [Pipe<I, A>, Pipe<A, M>]
  | readonly [Pipe<I, A>, Pipe<A, B>, Pipe<B, M>];

/** Options of `handle`. */
export interface PipedOptions<I, A, B, M, O, Args = unknown> extends HandleOptions<O, Args> {
  /**
   * Turns the messages of the source into those of the handler. In a list of several, the handler's
   * parameter may need a type.
   *
   * Where messages come from a source with positions (a Topic, a `replayable()`), even through a Proxy, pipe
   * functions and `TransformStream`s are refused: the engine cannot see which messages they hold back, so those would
   * be committed before they are handled, and a crash would lose them. Use `map`, `filter`, `flatMap` or `batch`, or
   * promise how the pipe works: `sequential(pipe)` or `untilEnd(pipe)`.
   */
  pipe?: Pipes<I, A, B, M> | undefined;
}

/** A handler that does not take what the source gives needs a pipe between them. */
export type Between<I, M> = [I] extends [M] ? unknown : PipeBetween<I, M>;

/**
 * What is missing where a handler does not take what its source gives.
 *
 * @typeParam I What the source gives.
 * @typeParam M What the handler takes.
 */
export interface PipeBetween<I, M> {
  /** For the types only: always absent. */
  readonly messages?: (input: I) => M;
  /** Turns the messages of the source into those of the handler. */
  readonly pipe: unknown;
}
