import type { CodecError, HandlerError, SinkError } from "./errors.ts";
import type { FeedSource, SinkTarget } from "./flow/feed.ts";
import type { ExactPipe } from "./flow/operators.ts";
import type { Merge } from "./flow/merge.ts";
import type { PromisedPipe } from "./flow/promised.ts";
import type { StateKeeper } from "./flow/state.ts";

/**
 * What messages come from: anything iterable or async-iterable (one message an element), a
 * `ReadableStream` (one a chunk), or a source of our own (Topic, Proxy, `merge(…)`). Iterators are read as
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
 * A sink with an end: each value is given to `write`; `flush` is called by the barrier and resolves when
 * everything given so far is where it belongs; `close` is called once, at the end. What is behind the sink may
 * rely on one `flush` at a time, while `write` goes on.
 *
 * @typeParam T The values.
 */
export interface SinkObject<T> {
  /** Takes one value; a promise is backpressure. */
  readonly write: (value: T) => unknown;
  /**
   * Resolves when everything given so far is where it belongs. When it rejects the barrier is tried again;
   * when it does not settle within the barrier's `flushTimeoutMs` the app stops. What is written after the
   * call need not be waited for: writing may never pause.
   */
  flush?(): void | Promise<void>;
  /** Called once at the end of `stream()`, after the last flush. */
  close?(): void | Promise<void>;
}

/**
 * A `Writable` of Node (a file, a socket, a response), as `closing()` takes it.
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
 * What results go to: a function, a `WritableStream`, a `Writable` of Node, an object with `write`, or a sink of
 * our own (Topic, Proxy, Cache).
 *
 * - What a function, or `write`, returns is awaited where it is a promise. Of what it does not return nobody
 *   knows: give a stream itself, not `(value) => stream.write(value)`.
 * - A value is written to a `Writable` of Node when that calls back for it. `Writable.toWeb(stream)` says so when
 *   the value is in its buffer, so a crash may lose what was committed: give the stream itself.
 * - A stream, of either kind, stays open unless it is wrapped in `closing()`.
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
 * A pipe that nobody can see into: a function over async iterables, or a `TransformStream`.
 *
 * @typeParam A What goes in.
 * @typeParam B What comes out.
 */
export type OpaquePipe<A, B> =
  | ((source: AsyncIterable<A>) => AsyncIterable<B> | StreamPair<A, B>)
  | StreamPair<A, B>;

/**
 * What stands between a source and a handler: `map`, `filter`, `flatMap` or `batch`, a function over async
 * iterables, or a `TransformStream`. The last two need a promise of their author, `sequential` or `untilEnd`,
 * where messages come from a source with positions.
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

/** What a handler is told beside its message. */
export interface Context<Args = unknown> {
  /** What `stream({ args })` was given. */
  readonly args: Args;
  /** Aborts when the app begins to stop; messages under way are still finished. */
  readonly stopping: AbortSignal;
  /**
   * Aborts at the hard end (a second OS signal, or `drainMs`): nothing is waited for any more; and when the call
   * takes longer than `handlerTimeoutMs`.
   */
  readonly signal: AbortSignal;
  /** 1, and one more for each repetition after an error. */
  attempt: number;
  /** Set while a message is handled again to correct an earlier result; see `Checkpoint`. */
  correction?: Correction | undefined;
}

/**
 * Why a message is handled again: an earlier result of it was made from stale data.
 *
 * Whatever a handler does must be right when it is done again. Three recipes follow; a Topic as sink adds
 * the header `slipstream-correction` (the epoch) to the results of such messages.
 *
 * Flows of the dependent are told, not those behind a Proxy: what is made of a message does not say that it
 * is made again. There `context.correction` is absent and `replays: "skip"` skips nothing; skip in front of
 * the Proxy, or send the correction along in the value.
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

/** How often, and after which waits, a failed step is repeated. */
export interface RetryOptions {
  /**
   * How often it is repeated after the first failure.
   *
   * @default {5}
   */
  attempts?: number | undefined;
  /**
   * Milliseconds before the first repetition, at most; doubled for each further one.
   *
   * @default {100}
   */
  minMs?: number | undefined;
  /**
   * Milliseconds before any repetition, at most.
   *
   * @default {10000}
   */
  maxMs?: number | undefined;
}

/** What follows after an error that is not repeated any more. */
export type LastResort = "stop" | "skip" | { readonly deadLetter: Sink<FailedStep> };

/**
 * What follows after an error: `"stop"` ends the app, `"skip"` goes on without the message or the value,
 * `deadLetter` writes the error (with the message) to a sink and goes on, `retry` repeats the step. What failed
 * for several messages (behind `batch()`) is written for each of them, one after the other.
 */
export type ErrorPolicy =
  | LastResort
  | { readonly retry: RetryOptions; readonly otherwise?: LastResort | undefined };

/** The errors that meet `onError`. */
export type FailedStep = HandlerError | SinkError | CodecError;

/**
 * A policy, or a function that chooses one for each error. Sinks with `close()`, streams and topics that it
 * chooses stay open until the app ends: it makes them once, not for each error.
 */
export type OnError<Args = unknown> =
  | ErrorPolicy
  | ((error: FailedStep, context: Context<Args>) => ErrorPolicy | Promise<ErrorPolicy>);

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
   * What follows after an error in the handler, in the function of a `map`, `filter` or `flatMap` (both are a
   * `HandlerError`), or in a sink. One in any other pipe is a `PipeError` and stops the app.
   *
   * @default {"the app's, which is \"stop\""}
   */
  onError?: OnError<Args> | undefined;
  /**
   * Whether messages that are handled again to correct an earlier result (`context.correction`) reach this
   * flow. Nothing is skipped behind a Proxy; see {@linkcode Correction}.
   *
   * @default {"deliver"}
   */
  replays?: "deliver" | "skip" | undefined;
  /**
   * How long a call of the handler may take with its sinks, in milliseconds. A call that is not over then has
   * failed: `context.signal` aborts, a generator is closed, and nothing more of it is written; what it sends by
   * itself after that is still sent, and belongs to its message. Once it is over, it meets `onError` with a
   * `TimeoutError`. A Topic that the flow reads leaves its group at the limit, so that others go on with its
   * partitions; of several flows of a Topic the shortest limit makes it leave.
   *
   * A flow behind a Proxy has no limit unless it is given one, and then only its own calls fail by it: the Topic
   * leaves by its own limit.
   *
   * @default {"the Topic's processingTimeoutMs (5 minutes), Infinity for other sources"}
   */
  handlerTimeoutMs?: number | undefined;
  /**
   * The `Cache` that holds the state of the flow, and its positions: after a crash the flow goes on where
   * the content of the cache ends, so that nothing is counted twice or missed in it. What goes to sinks may
   * be repeated.
   *
   * - Requires a `name`; a cache of this process alone, with `maxBytes: Infinity` and no `ttlMs`; and a source
   *   that can begin at a position (a Topic that nobody else in its group reads, or a `replayable()`). Where
   *   another member reads it, which may have been killed, the start waits for a session time-out (the Topic's
   *   `onStatus` is told `"joining"`) and then fails; whoever joins later gets no partitions. A flow whose
   *   cache has nothing of what its group has committed stops with an error: `seek()`, or the Topic's `offset` by partition, says where it is to begin.
   * - `batch()`, pipe functions and `TransformStream`s are refused, also with a promise and behind Proxies; a flow that writes to a
   *   Proxy must have the policy `"stop"`.
   * - Await every write in the handler: one that lands after the call has failed, or the message is done, is
   *   refused. In handlers and sinks, `flush()` and `durable` reject: the cache goes to disk between messages.
   * - Where `onError` goes on, what a failed call of the handler or of a sink has written is taken back. When
   *   another flow has written over it meanwhile, or has read it and the flow goes on without the message, the
   *   app stops with an error instead: give such flows keys of their own, or `"stop"`. Flows are not isolated
   *   otherwise: one may read what another has written for a message that is not done. (`size` and `bytes`
   *   count what may be taken back.)
   * - Other flows cannot write to the cache, unless they read only Proxies that such flows write to, or sources
   *   that commit nothing.
   * - Code outside of flows may write to it: that is on disk with the next cut, at a moment at which no message
   *   of its flows is under way, hence at the end of the longest.
   * - A handler must not wait for a message of another flow of the same cache: before a cut no message begins.
   * - After an error of the app the cache can only be closed, and opened again: see `Cache.dropped`.
   * - Positions are stored under the names of the flow and of its source. Under another name it is a new flow:
   *   with a new group it counts everything again, into what is there.
   */
  state?: StateKeeper | undefined;
}

/**
 * What stands behind the source and its pipes: a function, a `TransformStream`, or a pipe with a promise.
 *
 * @typeParam M What it gets.
 * @typeParam O What it gives.
 */
export type Stage<M, O, Args = unknown> =
  | Handler<M, O, Args>
  | StreamPair<M, O>
  | PromisedPipe<M, O>;

/**
 * One pipe, or up to three, each of which gets what the one before gives.
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
   * Where messages come from a source with positions (a Topic, a `replayable()`), also through a Proxy, pipe
   * functions and `TransformStream`s are refused, since nobody can see what they hold back: it would be
   * committed before it is handled, and lost by a crash. Write `map`, `filter`, `flatMap` or `batch`, or promise
   * how the pipe works: `sequential(pipe)` or `untilEnd(pipe)`.
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
