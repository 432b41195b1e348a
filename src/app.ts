import "./deno_only.ts";
import { type Clock, systemClock } from "./clock.ts";
import { defaultsOf } from "./defaults.ts";
import type { Duration } from "./duration.ts";
import { COMMIT_RULES, type CommitOptions } from "./flow/run/commit_cycle.ts";
import {
  type Binding,
  isExactPipe,
  isStage,
  toBinding,
  type UncheckedOptions,
} from "./flow/run/binding.ts";
import type { Aggregation } from "./flow/stage/aggregation.ts";
import { errorPolicy } from "./flow/stage/error_policy.ts";
import { type Mapped, topologyOf } from "./flow/view/topology_of.ts";
import { snapshotOf } from "./flow/view/snapshot_of.ts";
import { isSource } from "./flow/source/adapters.ts";
import { type Gate, gateOf } from "./flow/source/gate.ts";
import { Merge } from "./flow/source/source.ts";
import { Run } from "./flow/run/run.ts";
import { onSignals } from "./flow/run/signals.ts";
import { isSink } from "./flow/stage/sink.ts";
import { assertPromised } from "./flow/state/state_checks.ts";
import type { TopicDefaults } from "./kafka/topic/topic_options.ts";
import { describe } from "./redact.ts";
import {
  anything,
  callback,
  clock,
  duration,
  nested,
  type Read,
  readOptions,
  type Rules,
  signal,
} from "./options.ts";
import type { AppSnapshot } from "./snapshot.ts";
import type { PartEvent, StatusEvent } from "./status.ts";
import type { Topology } from "./topology.ts";
import type { HandleOptions, OptionsOrStage, Pipe, PipeOrStage, Stage } from "./handle_options.ts";
import type { OnError } from "./flow/stage/error_policy.ts";
import type { Source } from "./flow/source/source.ts";

/** Receives each event of an app and its parts, with its time in milliseconds since 1970. */
type Listener = (event: StatusEvent | PartEvent, at: number) => void;

/** The method that adds a listener to an app. */
export const listen: unique symbol = Symbol("slipstream.listen");

/** Options of an {@linkcode App}. */
export interface AppOptions<Args = unknown> {
  /**
   * The error policy of flows that set none.
   *
   * @default {"stop"}
   */
  onError?: OnError<Args> | undefined;
  /**
   * When progress is committed: sinks are flushed, then all open caches of the process (including those of other
   * apps), then positions are committed. This also happens before partitions are given up, and at the end.
   */
  commit?: CommitOptions | undefined;
  /** Called with the events of a run. */
  onStatus?: ((event: StatusEvent) => void) | undefined;
  /**
   * Time and timers.
   *
   * @default {the machine's}
   */
  clock?: Clock | undefined;
}

/** Options of `stream`. */
export interface StreamOptions<Args = unknown> {
  /** Stops the app when it aborts, as SIGTERM does; sources are cancelled with its reason. */
  signal?: AbortSignal | undefined;
  /** Passed to handlers as `context.args`. */
  args?: Args | undefined;
  /**
   * How long stopping may take; after that, everything is ended at once.
   *
   * @default {25_000}
   */
  drainTimeout?: Duration | undefined;
}

const RULES = {
  onError: errorPolicy,
  commit: nested<CommitOptions, typeof COMMIT_RULES>(COMMIT_RULES),
  onStatus: callback,
  clock,
} as const satisfies Rules<AppOptions>;

const STREAM_RULES = { signal, args: anything, drainTimeout: duration() } as const satisfies Rules<
  StreamOptions
>;

/**
 * Binds sources to handlers and sinks, and streams. The module's functions `handle`, `stream`, … belong to
 * a default app; an app that you create is isolated from it.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { App } from "@slipstream/slipstream";
 *
 * const app = new App();
 * const seen: number[] = [];
 * app.handle([1, 2, 3], (n) => n * 2, { sink: (n) => seen.push(n) });
 * await app.stream();
 * assertEquals(seen, [2, 4, 6]);
 * ```
 *
 * @typeParam Args The type of `stream({ args })`, which handlers get as `context.args`.
 */
export class App<Args = unknown> implements AsyncDisposable {
  readonly #options: Read<AppOptions<Args>, typeof RULES>;
  readonly #bindings: Binding[] = [];
  readonly #exitHooks: (() => unknown)[] = [];
  readonly #listeners = new Set<Listener>();
  #run: Run | undefined;
  /** How it was when the last run ended. */
  #last: AppSnapshot | undefined;
  #exiting = false;
  #streaming: Promise<void> | undefined;

  /**
   * Makes an app with nothing bound.
   *
   * @throws {TypeError} If an option is unknown or of a wrong shape.
   * @throws {RangeError} If a figure in `commit` is out of bounds.
   */
  constructor(options: AppOptions<Args> = {}) {
    this.#options = readOptions("App", options, RULES);
  }

  // They differ in their number of parameters, so that the compiler reports what does not fit in one of them.
  /** Binds a source to a handler: a function, `aggregate()`, a `TransformStream`, or a pipe with a promise. */
  handle<I, const O, H>(
    source: Source<I>,
    handler: (H & Stage<I, O, Args>) | Aggregation<I, O>,
  ): NoInfer<H>;
  /**
   * Binds a source to a handler, through up to six pipes, each of which reads the output of the one before, and its
   * results to sinks: `handle(source, ...pipes, handler, options?)`. Flows of one source get each message in the order
   * in which they were bound.
   *
   * A pipe is `map`, `filter`, `flatMap` or `batch`, a function over async iterables, or a `TransformStream`. Where
   * messages come from a source with positions (a Topic, a `replayable()`), even through a Proxy, pipe functions,
   * `TransformStream`s and stream handlers are refused: the engine cannot see which messages they hold back, so those
   * would be committed before they are handled, and a crash would lose them. Use `map`, `filter`, `flatMap` or
   * `batch`, or promise how the pipe works: {@linkcode sequential} or {@linkcode untilEnd}.
   *
   * @returns The handler.
   * @throws {TypeError} If an argument does not fit, or while the app streams.
   */
  handle<I, N, const O, const P>(
    source: Source<I>,
    pipeOrHandler: PipeOrStage<I, O, N, Args>,
    options: OptionsOrStage<O, N, P, Args, I>,
  ): unknown;
  /** The same with a pipe before that. */
  handle<I, M1, N, const O, const P>(
    source: Source<I>,
    pipe1: Pipe<I, M1>,
    pipeOrHandler: PipeOrStage<M1, O, N, Args>,
    options: OptionsOrStage<O, N, P, Args, I>,
  ): unknown;
  /** The same with two pipes before that. */
  handle<I, M1, M2, N, const O, const P>(
    source: Source<I>,
    pipe1: Pipe<I, M1>,
    pipe2: Pipe<M1, M2>,
    pipeOrHandler: PipeOrStage<M2, O, N, Args>,
    options: OptionsOrStage<O, N, P, Args, I>,
  ): unknown;
  /** The same with three pipes before that. */
  handle<I, M1, M2, M3, N, const O, const P>(
    source: Source<I>,
    pipe1: Pipe<I, M1>,
    pipe2: Pipe<M1, M2>,
    pipe3: Pipe<M2, M3>,
    pipeOrHandler: PipeOrStage<M3, O, N, Args>,
    options: OptionsOrStage<O, N, P, Args, I>,
  ): unknown;
  /** The same with four pipes before that. */
  handle<I, M1, M2, M3, M4, N, const O, const P>(
    source: Source<I>,
    pipe1: Pipe<I, M1>,
    pipe2: Pipe<M1, M2>,
    pipe3: Pipe<M2, M3>,
    pipe4: Pipe<M3, M4>,
    pipeOrHandler: PipeOrStage<M4, O, N, Args>,
    options: OptionsOrStage<O, N, P, Args, I>,
  ): unknown;
  /** The same with five pipes before that. */
  handle<I, M1, M2, M3, M4, M5, N, const O, const P>(
    source: Source<I>,
    pipe1: Pipe<I, M1>,
    pipe2: Pipe<M1, M2>,
    pipe3: Pipe<M2, M3>,
    pipe4: Pipe<M3, M4>,
    pipe5: Pipe<M4, M5>,
    pipeOrHandler: PipeOrStage<M5, O, N, Args>,
    options: OptionsOrStage<O, N, P, Args, I>,
  ): unknown;
  /** The same with six pipes, the handler and options. */
  handle<I, M1, M2, M3, M4, M5, M6, const O>(
    source: Source<I>,
    pipe1: Pipe<I, M1>,
    pipe2: Pipe<M1, M2>,
    pipe3: Pipe<M2, M3>,
    pipe4: Pipe<M3, M4>,
    pipe5: Pipe<M4, M5>,
    pipe6: Pipe<M5, M6>,
    handler: Stage<M6, O, Args>,
    options: HandleOptions<O, Args, I> | undefined,
  ): unknown;
  handle(source: unknown, ...rest: unknown[]): unknown {
    if (this.#run !== undefined) {
      throw new TypeError(
        "Cannot bind a flow while the app streams: call handle() before stream()",
      );
    }
    const { pipes, handler, options } = readArguments(rest);
    const names = new Set(this.#bindings.map(({ name }) => name));
    const bindings = [...this.#bindings, toBinding(source, pipes, handler, options, names)];
    assertPromised(bindings, (this.#options.onError ?? "stop") as OnError);
    this.#bindings.push(bindings.at(-1)!);
    return handler;
  }

  /**
   * Sets defaults for topics that are created from now on. A later call adds to them; a value of undefined removes
   * one. The default app sets them for all topics; another app sets them for the topics that have it as their
   * `app`, over those of the default app.
   *
   * @throws {TypeError} If an option has no such name or the wrong shape, or contradicts another.
   */
  configure(options: TopicDefaults): void {
    defaultsOf(this).add({ ...options });
  }

  /**
   * Streams until every source has ended, `signal` aborts, or SIGINT or SIGTERM arrives; then messages in
   * flight are finished, progress is committed, and everything is closed. A second OS signal ends it at once. Bindings
   * stay, so it may be called again.
   *
   * @throws {TypeError} If the app streams already, or an option is unknown or of a wrong shape.
   * @throws {RangeError} If `drainTimeout` is negative or NaN.
   * @throws The first error of a source, a handler or a sink; further ones are in its `others`.
   * @throws {DrainError} If it was ended at once.
   */
  async stream(options: StreamOptions<Args> = {}): Promise<void> {
    const { signal, args, drainTimeout = 25_000 } = readOptions("stream", options, STREAM_RULES);
    if (this.#run !== undefined) {
      throw new TypeError("Cannot stream twice at once: await the first stream()");
    }
    const { clock = systemClock, onError = "stop", commit = {} } = this.#options;
    const run = this.#run = new Run({
      clock,
      args,
      onError: onError as OnError,
      commit,
      drainMs: drainTimeout,
      status: () => this.#teller(),
      tell: () => this.#listeners.size === 0 ? undefined : this.#tellListeners,
      exit: () => this.#exit(),
    });
    const stop = () => run.stop(signal?.reason);
    signal?.addEventListener("abort", stop, { once: true });
    if (signal?.aborted) stop();
    // A run that stops for another reason, be it a listener of the user's for this very signal, has had none yet.
    let signalled = false;
    const removeSignals = onSignals((name) => {
      if (signalled) return run.end(`a second signal arrived (${name})`);
      signalled = true;
      run.stop();
    });
    this.#streaming = run.run(this.#bindings);
    try {
      await this.#streaming;
    } finally {
      removeSignals();
      signal?.removeEventListener("abort", stop);
      this.#last = this.#lastSnapshot();
      this.#run = undefined;
      this.#streaming = undefined;
    }
  }

  /** Returns what is bound, as plain data: sources, pipes, flows, sinks, stores and checkpoints, and their relations. */
  topology(): Topology {
    return this.#map().topology;
  }

  /**
   * Returns how everything is at this moment, as plain data: flows, sources and partitions, checkpoints, stores and
   * commits. It is read where it is kept, so it costs nothing while nobody calls this. After the end of a run it tells
   * how that ended.
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { App } from "@slipstream/slipstream";
   *
   * const app = new App();
   * app.handle([1, 2, 3], (n) => n * 2, { name: "double" });
   * await app.stream();
   * const { state, flows: [flow] } = app.snapshot();
   * assertEquals([state, flow?.flow, flow?.messages], ["ended", "double", 3]);
   * ```
   */
  snapshot(): AppSnapshot {
    const { clock = systemClock } = this.#options;
    const run = this.#run;
    const last = this.#last;
    if (run === undefined && last?.flows.length === this.#bindings.length) {
      return { ...last, at: clock.now() };
    }
    return snapshotOf(this.#bindings, this.#map(), run?.view, clock);
  }

  /**
   * Calls `listener` with each event of the app and its parts, and the time; returns a function that removes it.
   *
   * @internal
   */
  [listen](listener: Listener): () => void {
    this.#listeners.add(listener);
    this.#run?.listened();
    return () => void this.#listeners.delete(listener);
  }

  /** How the run has ended; what a connector throws when it is looked at must not hide that. */
  #lastSnapshot(): AppSnapshot | undefined {
    try {
      return this.snapshot();
    } catch {
      return undefined;
    }
  }

  #map(): Mapped {
    return topologyOf(this.#bindings, (this.#options.onError ?? "stop") as OnError);
  }

  #teller(): ((event: StatusEvent) => void) | undefined {
    const { onStatus } = this.#options;
    if (this.#listeners.size === 0) return onStatus;
    return (event) => {
      this.#tellListeners(event);
      onStatus?.(event);
    };
  }

  readonly #tellListeners = (event: StatusEvent | PartEvent): void => {
    const { clock = systemClock } = this.#options;
    for (const listener of this.#listeners) listener(event, clock.now());
  };

  /**
   * Pauses a source before its next message; it resumes when no reason is left. Of a merge, all sources are paused.
   *
   * @throws {TypeError} If it is not a source, or is a string, which cannot be paused.
   */
  pause(source: Source<unknown>, reason = "paused"): void {
    for (const gate of gatesOf("pause", source)) gate.pause(reason);
  }

  /**
   * Removes a reason of {@linkcode App.pause}.
   *
   * @throws {TypeError} If it is not a source, or is a string, which cannot be paused.
   */
  resume(source: Source<unknown>, reason = "paused"): void {
    for (const gate of gatesOf("resume", source)) gate.resume(reason);
  }

  /**
   * Calls `hook` at the end of every `stream()`, after the last commit and before anything is closed; the
   * hook added last is called first.
   */
  onExit(hook: () => unknown): void {
    this.#exitHooks.push(hook);
  }

  /**
   * Stops the app and waits for its end; does nothing when it does not stream. A handler that awaits it waits for
   * itself, so a handler should only call it. An exit hook need not call it.
   */
  async close(): Promise<void> {
    this.#run?.stop();
    if (this.#exiting) return;
    await this.#streaming?.catch(() => {}); // thrown by stream()
  }

  /** Calls {@linkcode App.close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #exit(): Promise<void> {
    const errors: unknown[] = [];
    this.#exiting = true;
    for (const hook of this.#exitHooks.toReversed()) {
      try {
        await hook();
      } catch (error) {
        errors.push(error);
      }
    }
    this.#exiting = false;
    if (errors.length === 1) throw errors[0];
    if (errors.length > 1) throw new AggregateError(errors, "Cannot run all exit hooks");
  }
}

/** Tells pipes, handler and options apart: what comes last and is neither a pipe nor a handler is the options. */
function readArguments(
  rest: readonly unknown[],
): { pipes: readonly unknown[]; handler: unknown; options: UncheckedOptions } {
  const last = rest.at(-1);
  const hasOptions = rest.length > 1 && !isStage(last) && !isExactPipe(last);
  if (hasOptions && isSink(last)) {
    throw new TypeError(
      `Cannot use ${describe(last)} as the options of handle(): a sink is given as { sink }`,
    );
  }
  const options = (hasOptions && last !== undefined ? last : {}) as UncheckedOptions;
  if (Object.hasOwn(Object(options), "pipe")) {
    throw new TypeError(
      'Cannot bind a flow: handle() has no option "pipe", since pipes stand between source and handler: ' +
        "handle(source, pipe, handler, options)",
    );
  }
  const stages = hasOptions ? rest.slice(0, -1) : rest;
  return { pipes: stages.slice(0, -1), handler: stages.at(-1), options };
}

function gatesOf(what: string, source: unknown): Gate[] {
  const sources = source instanceof Merge ? source.sources : [source];
  for (const each of sources) {
    if (typeof each === "string" || !isSource(each)) {
      throw new TypeError(
        `Cannot ${what} ${describe(each)}: it is not a source that can be paused`,
      );
    }
  }
  return sources.map(gateOf);
}
