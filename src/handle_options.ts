import type { Duration } from "./duration.ts";
import type { ConcurrencyOptions } from "./flow/concurrency/options.ts";
import type { Aggregation } from "./flow/stage/aggregation.ts";
import type { ExactPipe } from "./flow/stage/exact_pipes.ts";
import type { OnError } from "./flow/stage/error_policy.ts";
import type { PromisedPipe } from "./flow/stage/pipe_promises.ts";
import type { Sink } from "./flow/stage/sink.ts";
import type { StateCache } from "./flow/state/state.ts";
import type { Handler, OpaquePipe, StreamPair } from "./types.ts";

/**
 * A step between a source and a handler: `map`, `filter`, `flatMap` or `batch`, a function over async
 * iterables, or a `TransformStream`. Behind a source with positions, the last two need a promise from their author:
 * `sequential` or `untilEnd`.
 *
 * @typeParam A The type of its input.
 * @typeParam B The type of its output.
 */
export type Pipe<A, B> = OpaquePipe<A, B> | ExactPipe<A, B> | PromisedPipe<A, B>;

/** Options of `handle`. */
export interface HandleOptions<O, Args = unknown, I = unknown> {
  /** Where results go: one sink, or several, which get each value in their order. */
  sink?: Sink<O> | readonly [Sink<O>, ...Sink<O>[]] | readonly Sink<O>[] | undefined;
  /**
   * The name of the flow, for errors and status events; unique in its app.
   *
   * @default {"the handler's name, or flow N"}
   */
  name?: string | undefined;
  /**
   * The policy for errors in the handler, in the function of a `map`, `filter` or `flatMap` (both are a
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
   * `context.signal` aborts, a generator is closed, and none of its further results are written. A value that user
   * code sends after that is still sent, and belongs to the same message. Once the call is over, `onError` gets
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
   *   `onStatus` gets `"joining"`) and then fails; members that join later get no partitions. A flow whose cache
   *   has none of the messages that its group has committed stops with an error: set where to begin by the Topic's
   *   `offset` by partition (other flows with state get only what is new to them; once all have a position, it has no
   *   effect), or by `seek()`, which moves all.
   * - `batch()`, pipe functions and `TransformStream`s are refused, also with a promise and behind Proxies; a
   *   flow that writes to a Proxy must have the policy `"stop"`, and return or yield what is for it: what
   *   `proxy.send()` sends has no position.
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
   *   of its flows is in flight, so it waits for the longest one; with `concurrency` it waits for none.
   * - A handler must not wait for a message of another flow of the same cache: while a cut is due, no message begins.
   * - After an error of the app, the cache can only be closed and opened again: see `Cache.dropped`.
   * - Positions are stored under the names of the flow and of its source. Under another name it is a new flow: with a
   *   new group it counts everything again, on top of the existing content.
   */
  state?: StateCache | undefined;
  /**
   * Handles several messages at the same time; those of one key are still handled one after the other, in order, to
   * the end of their sinks. Without this option a flow handles one message after the other.
   *
   * - A message that waits for a retry delays later ones of its key, and no others.
   * - Positions are committed up to the first message that is not done. If the process is killed, messages behind it
   *   that are done are handled again, unless the flow has a `state`, which remembers them.
   * - With `state`, where `onError` continues: a call that meets an entry written by a call that may still fail, for
   *   another message, is undone and runs again. That is no attempt, and side effects may be repeated. So write
   *   entries that many messages share at the end of the handler.
   * - A `WritableStream`, a Topic, a Cache and an object with `write()` get one value at a time; a function as a sink
   *   is called concurrently. Either way the results of one key arrive in order.
   * - A window takes messages in by the order of their partition; the pipes before it and the handler of its results
   *   are called concurrently.
   * - `batch()`, `exactPipe()`, pipe functions, `TransformStream`s and stream handlers are refused.
   *
   * See `docs/concurrency.md` for what a handler may assume.
   */
  concurrency?: ConcurrencyOptions<NoInfer<I>> | undefined;
}

/**
 * A handler, behind the source and its pipes: a function, `aggregate()`, a `TransformStream`, or a pipe with a promise.
 *
 * @typeParam M The type of its input.
 * @typeParam O The type of its output.
 */
export type Stage<M, O, Args = unknown> =
  | Handler<M, O, Args>
  | Aggregation<M, O>
  | StreamPair<M, O>
  | PromisedPipe<M, O>;

/** A pipe function where a handler may stand too. Its two signatures keep it from typing a lambda, so the handler does. */
export interface PipeFunction<A, B> {
  (source: AsyncIterable<A>): AsyncIterable<B> | StreamPair<A, B>;
  <_>(source: AsyncIterable<A>): AsyncIterable<B> | StreamPair<A, B>;
}

/**
 * A pipe, or the handler: the next argument, options or a handler, decides which.
 *
 * @typeParam M The type of its input.
 * @typeParam O The type of the output of a handler.
 * @typeParam N The type of the output of a pipe.
 */
export type PipeOrStage<M, O, N, Args = unknown> =
  | Stage<M, O, Args>
  | StreamPair<M, N>
  | ExactPipe<M, N>
  | PromisedPipe<M, N>
  | PipeFunction<M, N>;

/**
 * The options of `handle`, or the handler, where a pipe or a handler stands before it.
 *
 * @typeParam O What the sinks get, if it is the options.
 * @typeParam N What goes into the handler, if it is the handler.
 * @typeParam P What comes out of it then.
 * @typeParam I The messages of the source.
 */
export type OptionsOrStage<O, N, P, Args = unknown, I = unknown> =
  | HandleOptions<O, Args, I>
  | Stage<N, P, Args>
  | undefined;
