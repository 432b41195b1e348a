import type { Clock } from "../../clock.ts";
import { HandlerError } from "../../errors.ts";
import { type Attribution, currentMessage, runAs } from "../run/attribution.ts";
import type { FlowRun } from "../run/flow_run.ts";
import type { Handler } from "../../types.ts";
import { whenSettled } from "../source/iteration.ts";
import type { Results } from "./results.ts";
import { isGenerator, isPromiseLike, type Maybe } from "./stage.ts";

/**
 * The limit of the calls of one handler, of which there is one at a time. One that is not over in time has
 * failed: its signal aborts, its generator is closed, and nothing of it is written any more.
 *
 * Nothing can end a call of the user's, so what follows on the failure waits until it is over.
 */
export class CallLimit {
  readonly #flowRun: FlowRun;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #handler: Handler<unknown, unknown>;
  readonly #results: Results;
  /** The hard end. */
  readonly #end: AbortSignal;
  #calling = false;
  /** Behind the signal of the call, if the handler has asked for it. */
  #own: AbortController | undefined;
  /** True while a call is waited for; the next three are of that call. */
  #waiting = false;
  /** When it began to be waited for. */
  #since = 0;
  /** What the handler returned. */
  #result: unknown;
  /** For whom it works. */
  #message: Attribution | undefined;
  #cancelTimer: (() => void) | undefined;
  readonly #onDone = () => this.#done();
  readonly #onFailed = (error: unknown) => this.#failed(error);
  readonly #onValue = (value: unknown) => this.#given(value);
  readonly #onRejected = (error: unknown) => this.#failed(this.#flowRun.handlerError(error));

  constructor(
    flowRun: FlowRun,
    clock: Clock,
    timeoutMs: number,
    handler: Handler<unknown, unknown>,
    results: Results,
  ) {
    this.#flowRun = flowRun;
    this.#handler = handler;
    this.#results = results;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#end = flowRun.context.signal;
    const get = () => this.#calling ? this.#ownSignal() : this.#end;
    Object.defineProperty(flowRun.context, "signal", { get, enumerable: true });
    const ended = () => {
      this.#cancelTimer?.();
      this.#own?.abort(this.#end.reason);
    };
    this.#end.addEventListener("abort", ended, { once: true });
  }

  /**
   * Calls the handler with a message, and passes on its result.
   *
   * @throws {HandlerError} With a `TimeoutError`, if that was not over in time.
   */
  run(message: unknown): Maybe {
    this.#calling = true;
    try {
      const result = this.#handler(message, this.#flowRun.context);
      if (isPromiseLike(result)) {
        this.#watch(result);
        return whenSettled(result, this.#onValue, this.#onRejected) as Promise<void>;
      }
      const done = this.#results.pass(result);
      if (done !== undefined) {
        this.#watch(result);
        return done.then(this.#onDone, this.#onFailed);
      }
    } catch (error) {
      this.#over();
      throw error;
    }
    this.#over();
  }

  #over(): void {
    this.#calling = this.#waiting = false;
    this.#own = this.#result = this.#message = undefined;
  }

  /** Limits the time of a call that is waited for. */
  #watch(result: unknown): void {
    this.#waiting = true;
    this.#since = this.#clock.monotonic();
    this.#result = result;
    this.#message = currentMessage();
    if (this.#cancelTimer === undefined) this.#wait(this.#timeoutMs);
  }

  /** Passes on the value of a promise; a call that is over with that costs no further promise. */
  #given(value: unknown): Maybe {
    try {
      const done = this.#results.fulfilled(value);
      if (done !== undefined) return done.then(this.#onDone, this.#onFailed);
    } catch (error) {
      return this.#failed(error);
    }
    this.#done();
  }

  #done(): void {
    const { late } = this.#flowRun;
    this.#over();
    if (late === undefined) return;
    this.#flowRun.late = undefined;
    throw late;
  }

  #failed(error: unknown): void {
    const { late, dead } = this.#flowRun;
    if (late !== undefined && !dead) {
      this.#alsoFailed(error);
      return this.#done();
    }
    this.#over();
    throw error;
  }

  /** One for each call: `AbortSignal.any` would leave something behind in the hard end, which lives long. */
  #ownSignal(): AbortSignal {
    if (this.#own !== undefined) return this.#own.signal;
    const { signal } = this.#own = new AbortController();
    if (this.#end.aborted) this.#own.abort(this.#end.reason);
    else if (this.#flowRun.late !== undefined) this.#own.abort(this.#flowRun.late.cause);
    return signal;
  }

  /** One timer watches one call after the other: a call of its own costs it nothing. */
  #wait(ms: number): void {
    this.#cancelTimer = this.#clock.timer(() => {
      this.#cancelTimer = undefined;
      if (!this.#waiting || this.#flowRun.late !== undefined || this.#end.aborted) return;
      const left = this.#since + this.#timeoutMs - this.#clock.monotonic();
      if (left > 0) this.#wait(left);
      else this.#expire();
    }, ms);
  }

  #expire(): void {
    const flowRun = this.#flowRun, result = this.#result, message = this.#message;
    const why = `it was not over in time, handlerTimeout is ${this.#timeoutMs} ms`;
    const reason = new DOMException(why, "TimeoutError");
    flowRun.late = flowRun.handlerError(reason) as HandlerError;
    this.#own?.abort(reason);
    // One that runs is closed at its next yield: what is asked of it now would go on for nobody.
    if (flowRun.writing === "") return;
    const close = () => closeGenerator(result, (error) => this.#alsoFailed(error));
    if (message === undefined) close();
    else runAs(message, close); // the timer was set for another call
  }

  /** What a call that is late has thrown is no other failure, but worth knowing. */
  #alsoFailed(error: unknown): void {
    const late = this.#flowRun.late;
    const cause = error instanceof HandlerError ? error.cause : error;
    if (late !== undefined && cause !== late.cause && typeof cause !== "symbol") {
      late.others.push(error);
    }
  }
}

/** Closes what a handler has returned, if that is a generator. */
function closeGenerator(result: unknown, failed: (error: unknown) => void): void {
  if (!isGenerator(result)) return;
  try {
    const closed: unknown = result.return(undefined);
    if (closed instanceof Promise) closed.catch(failed);
  } catch (error) {
    failed(error);
  }
}
