import type { Clock } from "../../clock.ts";
import { HandlerError } from "../../errors.ts";
import { type Attribution, currentMessage, runAs } from "../run/attribution.ts";
import type { FlowRun } from "../run/flow_run.ts";
import type { Handler } from "../../types.ts";
import { isGenerator, type Maybe } from "./stage.ts";

/** A call that is waited for. */
interface Call {
  /** When it began. */
  readonly since: number;
  /** What the handler returned. */
  readonly result: unknown;
  /** For whom it works. */
  readonly message: Attribution | undefined;
}

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
  readonly #passOn: (result: unknown) => Maybe;
  /** The hard end. */
  readonly #end: AbortSignal;
  #calling = false;
  /** Behind the signal of the call, if the handler has asked for it. */
  #own: AbortController | undefined;
  #call: Call | undefined;
  #cancelTimer: (() => void) | undefined;
  readonly #onDone = () => this.#done();
  readonly #onFailed = (error: unknown) => this.#failed(error);

  constructor(
    flowRun: FlowRun,
    clock: Clock,
    timeoutMs: number,
    handler: Handler<unknown, unknown>,
    passOn: (result: unknown) => Maybe,
  ) {
    this.#flowRun = flowRun;
    this.#handler = handler;
    this.#passOn = passOn;
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
      const done = this.#passOn(result);
      if (done !== undefined) return this.#watch(result, done);
    } catch (error) {
      this.#over();
      throw error;
    }
    this.#over();
  }

  #over(): void {
    this.#calling = false;
    this.#own = this.#call = undefined;
  }

  /** Waits for a call that is over when `done` settles. */
  #watch(result: unknown, done: Promise<void>): Promise<void> {
    this.#call = { since: this.#clock.monotonic(), result, message: currentMessage() };
    if (this.#cancelTimer === undefined) this.#wait(this.#timeoutMs);
    return done.then(this.#onDone, this.#onFailed);
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
      const call = this.#call;
      if (call === undefined || this.#flowRun.late !== undefined || this.#end.aborted) return;
      const left = call.since + this.#timeoutMs - this.#clock.monotonic();
      if (left > 0) this.#wait(left);
      else this.#expire(call);
    }, ms);
  }

  #expire({ result, message }: Call): void {
    const flowRun = this.#flowRun;
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
