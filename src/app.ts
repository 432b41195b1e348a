import "./deno_only.ts";
import { type Clock, systemClock } from "./clock.ts";
import { defaultsOf } from "./defaults.ts";
import type { Duration } from "./duration.ts";
import { COMMIT_RULES, type CommitOptions, type CommitSettings } from "./flow/run/commit_cycle.ts";
import {
  type Binding,
  checkPolicy,
  POLICIES,
  toBinding,
  type UncheckedOptions,
} from "./flow/run/binding.ts";
import { isSource } from "./flow/source/adapters.ts";
import { type Gate, gateOf } from "./flow/source/gate.ts";
import { Merge } from "./flow/source/merge.ts";
import { Run } from "./flow/run/run.ts";
import { onSignals } from "./flow/run/signals.ts";
import { isSink } from "./flow/stage/sinks.ts";
import { assertPromised } from "./flow/state/state_checks.ts";
import type { TopicDefaults } from "./kafka/topic/options.ts";
import { describe } from "./redact.ts";
import {
  anything,
  callback,
  checkOptions,
  clock,
  duration,
  readOptions,
  type Rules,
  signal,
} from "./options.ts";
import type { StatusEvent } from "./status.ts";
import type { Between, OnError, PipedOptions, Source, Stage } from "./types.ts";

/** Options of an {@linkcode App}. */
export interface AppOptions<Args = unknown> {
  /**
   * What follows an error in a flow that sets no policy of its own.
   *
   * @default {"stop"}
   */
  onError?: OnError<Args> | undefined;
  /**
   * When progress is committed: sinks are flushed, then all open caches of the process (including those of other
   * apps), then positions are committed. This also happens before partitions are given up, and at the end.
   */
  commit?: CommitOptions | undefined;
  /** Called with what happens while the app streams. */
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
  /** What handlers get as `context.args`. */
  args?: Args | undefined;
  /**
   * How long stopping may take before everything is ended at once.
   *
   * @default {25_000}
   */
  drainTimeout?: Duration | undefined;
}

const RULES = {
  onError: anything,
  commit: anything,
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
 * @typeParam Args What `stream({ args })` gives to the handlers.
 */
export class App<Args = unknown> implements AsyncDisposable {
  readonly #options: AppOptions<Args>;
  readonly #commit: CommitSettings;
  readonly #bindings: Binding[] = [];
  readonly #exitHooks: (() => unknown)[] = [];
  #run: Run | undefined;
  #exiting = false;
  #streaming: Promise<void> | undefined;

  /**
   * Makes an app with nothing bound.
   *
   * @throws {TypeError} If an option is unknown or of a wrong shape.
   * @throws {RangeError} If a figure in `commit` is out of bounds.
   */
  constructor(options: AppOptions<Args> = {}) {
    const { commit = {}, onError } = this.#options = readOptions("App", options, RULES);
    this.#commit = readOptions("App commit", commit, COMMIT_RULES);
    if (onError !== undefined) {
      checkPolicy(
        onError,
        (value) =>
          new TypeError(`Cannot make an App: onError must be ${POLICIES}, got ${describe(value)}`),
      );
    }
  }

  // The two differ in their number of parameters, so that the compiler reports what does not fit in one of them.
  /** Binds a source to a handler: a function, a `TransformStream`, or a pipe with a promise. */
  handle<I, const O, H>(source: Source<I>, handler: H & Stage<I, O, Args>): NoInfer<H>;
  /**
   * Binds a source to a handler, optionally through a pipe, and its results to sinks. Flows of one source get each
   * message in the order in which they were bound.
   *
   * Where messages come from a source with positions (a Topic, a `replayable()`), even through a Proxy, pipe
   * functions, `TransformStream`s and stream handlers are refused: the engine cannot see which messages they hold
   * back, so those would be committed before they are handled, and a crash would lose them. Use `map`, `filter`,
   * `flatMap` or `batch`, or promise how the pipe works: {@linkcode sequential} or {@linkcode untilEnd}.
   *
   * @returns The handler.
   * @throws {TypeError} If something does not fit, or while the app streams.
   */
  handle<I, A, B, const O, H, M = I>(
    source: Source<I>,
    handler: H & Stage<M, O, Args>,
    options: PipedOptions<I, A, B, M, O, Args> & Between<I, M>,
  ): NoInfer<H>;
  handle(source: unknown, handler: unknown, options: UncheckedOptions = {}): unknown {
    if (this.#run !== undefined) {
      throw new TypeError(
        "Cannot bind a flow while the app streams: call handle() before stream()",
      );
    }
    if (isSink(options)) {
      throw new TypeError(
        `Cannot use ${describe(options)} as the options of handle(): a sink is given as { sink }`,
      );
    }
    checkOptions("handle", options, [
      "pipe",
      "sink",
      "name",
      "onError",
      "replays",
      "state",
      "handlerTimeout",
    ]);
    const names = new Set(this.#bindings.map(({ name }) => name));
    const bindings = [...this.#bindings, toBinding(source, handler, options, names)];
    assertPromised(bindings, (this.#options.onError ?? "stop") as OnError);
    this.#bindings.push(bindings.at(-1)!);
    return handler;
  }

  /**
   * Sets options that topics made from now on have, where they are not given others; called again, it adds
   * to them, and takes back what is undefined. The default app sets them for all topics; another app for those
   * that are made with it as their `app`, over the default app's.
   *
   * @throws {TypeError} If an option has no such name or the wrong shape, or contradicts another.
   */
  configure(options: TopicDefaults): void {
    defaultsOf(this).add({ ...options });
  }

  /**
   * Streams until every source has ended, `signal` aborts, or SIGINT or SIGTERM arrives; then what is in flight is
   * finished and committed, and everything is closed. A second OS signal ends it at once. Bindings stay, so it may be
   * called again.
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
    const { clock = systemClock, onError = "stop", onStatus } = this.#options;
    const run = this.#run = new Run({
      clock,
      args,
      onError: onError as OnError,
      commit: this.#commit,
      drainMs: drainTimeout,
      status: onStatus,
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
      this.#run = undefined;
      this.#streaming = undefined;
    }
  }

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
