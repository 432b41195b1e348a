import "./deno_only.ts";
import { type Clock, isClock, systemClock } from "./clock.ts";
import { defaultsOf } from "./defaults.ts";
import type { BarrierOptions } from "./flow/barrier.ts";
import { type Binding, checkPolicy, toBinding, type UncheckedOptions } from "./flow/binding.ts";
import { isSource } from "./flow/feeds.ts";
import { type Gate, gateOf } from "./flow/gate.ts";
import { Merge } from "./flow/merge.ts";
import { Run } from "./flow/run.ts";
import { onSignals } from "./flow/signals.ts";
import { assertPromised } from "./flow/tracking.ts";
import type { TopicDefaults } from "./kafka/options.ts";
import { describe } from "./mask.ts";
import { checkOptions } from "./options.ts";
import type { StatusEvent } from "./status.ts";
import type { Between, OnError, PipedOptions, Source, Stage } from "./types.ts";

/** Options of an {@linkcode App}. */
export interface AppOptions<Args = unknown> {
  /**
   * What follows after an error in a flow that does not say so itself.
   *
   * @default {"stop"}
   */
  onError?: OnError<Args> | undefined;
  /**
   * When what is done is made durable: sinks are flushed, then all open caches of the process (also those of
   * other apps), then positions are committed. Also before partitions are given up, and at the end.
   */
  barrier?: BarrierOptions | undefined;
  /** Told what happens while the app streams. */
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
   * How long stopping may take, in milliseconds, before everything is ended at once.
   *
   * @default {25000}
   */
  drainMs?: number | undefined;
}

/**
 * Binds sources to handlers and sinks, and streams. The module's functions `handle`, `stream`, … belong to
 * a default app; an app of one's own is isolated from it.
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
  readonly #bindings: Binding[] = [];
  readonly #exitHooks: (() => unknown)[] = [];
  #run: Run | undefined;
  #exiting = false;
  #streaming: Promise<void> | undefined;

  /**
   * Makes an app with nothing bound.
   *
   * @throws {TypeError} If an option is unknown or of a wrong shape.
   * @throws {RangeError} If a figure of the barrier is not a positive number.
   */
  constructor(options: AppOptions<Args> = {}) {
    checkOptions("App", options, ["onError", "barrier", "onStatus", "clock"]);
    const { barrier = {}, onError, onStatus, clock } = options;
    checkOptions("App barrier", barrier, ["intervalMs", "messages", "flushTimeoutMs"]);
    for (const [name, value] of Object.entries(barrier)) {
      if (value === undefined || (typeof value === "number" && value > 0)) continue;
      throw new RangeError(
        `Cannot make an App as barrier.${name} must be a positive number: current value is ${value}`,
      );
    }
    if (onError !== undefined) {
      checkPolicy(onError, () => new TypeError("Cannot make an App: onError is not a policy"));
    }
    if (onStatus !== undefined && typeof onStatus !== "function") {
      throw new TypeError(`Cannot make an App: onStatus must be a function, got ${onStatus}`);
    }
    if (clock !== undefined && !isClock(clock)) {
      throw new TypeError(
        "Cannot make an App: clock must be a Clock, with now(), monotonic(), timer(), macrotask() and " +
          "random()",
      );
    }
    this.#options = options;
  }

  // The two differ in their number of parameters, so that the compiler says what does not fit one of them.
  /** Binds a source to a handler: a function, a `TransformStream`, or a pipe with a promise. */
  handle<I, const O, H>(source: Source<I>, handler: H & Stage<I, O, Args>): NoInfer<H>;
  /**
   * Binds a source to a handler, perhaps through a pipe, and what it gives to sinks. Flows of one source get
   * each message in the order in which they were bound.
   *
   * Where messages come from a source with positions (a Topic, a `replayable()`), also through a Proxy, pipe
   * functions, `TransformStream`s and stream handlers are refused, since nobody can see what they hold back: it
   * would be committed before it is handled, and lost by a crash. Write `map`, `filter`, `flatMap` or `batch`,
   * or promise how the pipe works: {@linkcode sequential} or {@linkcode untilEnd}.
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
    checkOptions("handle", options, [
      "pipe",
      "sink",
      "name",
      "onError",
      "replays",
      "state",
      "handlerTimeoutMs",
    ]);
    const names = new Set(this.#bindings.map(({ name }) => name));
    const bindings = [...this.#bindings, toBinding(source, handler, options, names)];
    assertPromised(bindings, (this.#options.onError ?? "stop") as OnError);
    this.#bindings.push(bindings.at(-1)!);
    return handler;
  }

  /**
   * Sets options that topics made from now on have, where they are not given others; called again, it adds
   * to them, and takes back what is undefined. The default app sets them for all topics; another app for those that are made with it as
   * their `app`, over the default app's.
   *
   * @throws {TypeError} If an option has no such name or the wrong shape, or contradicts another.
   */
  configure(options: TopicDefaults): void {
    defaultsOf(this).add({ ...options });
  }

  /**
   * Streams until every source has ended, `signal` aborts, or SIGINT or SIGTERM arrives; then what is under
   * way is finished, committed and closed. A second OS signal ends it at once. Bindings stay, so it may be
   * called again.
   *
   * @throws {TypeError} If the app streams already, or an option is unknown or of a wrong shape.
   * @throws {RangeError} If `drainMs` is not a number from 0.
   * @throws The first error of a source, a handler or a sink; further ones are in its `others`.
   * @throws {DrainError} If it was ended at once.
   */
  async stream(options: StreamOptions<Args> = {}): Promise<void> {
    checkOptions("stream", options, ["signal", "args", "drainMs"]);
    const { signal, args, drainMs = 25_000 } = options;
    if (!(typeof drainMs === "number" && drainMs >= 0)) {
      throw new RangeError(
        `Cannot stream as drainMs must be a number from 0: current value is ${drainMs}`,
      );
    }
    if (signal !== undefined && !(signal instanceof AbortSignal)) {
      throw new TypeError("Cannot stream: signal must be an AbortSignal");
    }
    if (this.#run !== undefined) {
      throw new TypeError("Cannot stream twice at once: await the first stream()");
    }
    const { clock = systemClock, onError = "stop", barrier = {}, onStatus } = this.#options;
    const run = this.#run = new Run({
      clock,
      args,
      onError: onError as OnError,
      barrier,
      drainMs,
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
   * Pauses a source before its next message; it goes on when no reason is left. All of a merge are paused.
   *
   * @throws {TypeError} If it is no source, or a string, which is a value and has no gate.
   */
  pause(source: Source<unknown>, reason = "paused"): void {
    for (const gate of gatesOf("pause", source)) gate.pause(reason);
  }

  /**
   * Takes a reason of {@linkcode App.pause} back.
   *
   * @throws {TypeError} If it is no source, or a string, which is a value and has no gate.
   */
  resume(source: Source<unknown>, reason = "paused"): void {
    for (const gate of gatesOf("resume", source)) gate.resume(reason);
  }

  /**
   * Calls `hook` at the end of every `stream()`, after the last barrier and before anything is closed; the
   * hook added last is called first.
   */
  onExit(hook: () => unknown): void {
    this.#exitHooks.push(hook);
  }

  /**
   * Stops the app and waits for its end; does nothing when it does not stream. A handler that awaits it
   * waits for itself: it calls it only. An exit hook need not call it.
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
      throw new TypeError(`Cannot ${what} ${describe(each)}: it is no source that has a gate`);
    }
  }
  return sources.map(gateOf);
}
