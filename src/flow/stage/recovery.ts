import type { Clock } from "../../clock.ts";
import { delay } from "../../clock.ts";
import {
  aboutMessage,
  CycleError,
  FlowError,
  HandlerError,
  PipeError,
  SinkError,
} from "../../errors.ts";
import { describe } from "../../redact.ts";
import type { Context, FlowFailure, RetryOptions } from "../../types.ts";
import type { ErrorPolicy, OnError } from "./error_policy.ts";
import type { StatusEvent } from "../../status.ts";
import { type Attribution, copyOf, currentMessage, runAs } from "../run/attribution.ts";
import { checkPolicy, POLICIES, readRetry } from "./error_policy.ts";
import { type FlowRun, OVERTAKEN, STOPPED } from "../run/flow_run.ts";
import { originsOfFailure } from "./origins.ts";
import type { Receipt } from "../source/receipt.ts";
import type { UndoLog } from "../state/undo_log.ts";
import type { Emit, Maybe } from "./stage.ts";

/** What a recovery needs to know of the run. */
export interface RecoveryHost {
  readonly clock: Clock;
  /** Aborts at the hard end: no retry is waited for any more. */
  readonly signal: AbortSignal;
  /** Tells what happened, when somebody listens. */
  readonly status: ((event: StatusEvent) => void) | undefined;
}

/**
 * Applies the `onError` of a flow to the step that failed: a call of the handler, or one value at one sink.
 *
 * A failure that is not dealt with is thrown on, and nobody outside deals with it again.
 */
export class Recovery {
  /** True when errors simply stop the app: then no step needs a guard. */
  readonly stops: boolean;

  constructor(
    readonly onError: OnError,
    readonly flowRun: FlowRun,
    readonly host: RecoveryHost,
    /** Opens a dead-letter sink for one value, made from the message of `receipt`. */
    readonly openSink: (sink: unknown, receipt: Receipt | undefined) => Emit<unknown>,
    /** The context that a policy function gets, which counts the attempts. */
    readonly context: Context = flowRun.context,
  ) {
    this.stops = onError === "stop";
  }

  /** Makes one for a pipe: it may be at a later message than the handler, and counts for itself. */
  forPipe(): Recovery {
    const { onError, flowRun, host, openSink } = this;
    return new Recovery(onError, flowRun, host, openSink, Object.create(flowRun.context));
  }

  /** Runs `step`; when it fails, does what the policy says, and repeats `step` where it says so. */
  guard(step: () => Maybe, wrap: (error: unknown) => unknown): Maybe {
    if (this.stops) return step();
    // In a flow without state nobody is asked whether anything is to be taken back.
    const message = this.flowRun.undoLog && currentMessage();
    if (!message?.undoLog || !message.state) return this.#try(step, wrap);
    if (message.undoLog.overtaken) throw OVERTAKEN; // the call around it is run again
    const tries = message.undoLog.begin();
    let done: Maybe;
    try {
      done = this.#try(
        () => this.#attempt(step, wrap, withLog(message, tries)),
        wrap,
        tries,
      );
    } catch (error) {
      tries.end();
      throw error;
    }
    if (done !== undefined) return done.finally(() => tries.end());
    tries.end();
  }

  #try(step: () => Maybe, wrap: (error: unknown) => unknown, tries?: UndoLog): Maybe {
    try {
      const done = step();
      return done?.then(undefined, (error) => this.#recover(wrap(error), step, wrap, tries));
    } catch (error) {
      return this.#recover(wrap(error), step, wrap, tries);
    }
  }

  /** Runs `call` as a step of its own: when it fails, its state is as if it had not been called. */
  #attempt(call: () => Maybe, wrap: (error: unknown) => unknown, message: Attribution): Maybe {
    const undoLog = message.undoLog!.begin();
    const undo = (error: unknown): Maybe => {
      if (undoLog.conflict !== undefined) return this.#again(call, wrap, message, undoLog);
      if (undoLog.overtaken) throw OVERTAKEN; // the call around it is run again
      const failure = wrap(error);
      if (!isFinal(failure)) this.#undo(undoLog, failure as HandlerError | SinkError);
      throw failure;
    };
    try {
      const done = runAs(withLog(message, undoLog), call);
      if (done !== undefined) {
        return done.then((): Maybe => {
          if (undoLog.conflict !== undefined) return this.#again(call, wrap, message, undoLog);
          message.undoLog!.end(); // nobody would notice any more that it was taken back
        }, undo);
      }
    } catch (error) {
      return undo(error);
    }
    // Whoever does not pass the error on has met it all the same.
    if (undoLog.conflict !== undefined) return this.#again(call, wrap, message, undoLog);
  }

  /** Runs a call again that has met what another message may take back; that is no attempt. */
  async #again(
    call: () => Maybe,
    wrap: (error: unknown) => unknown,
    message: Attribution,
    undoLog: UndoLog,
  ): Promise<void> {
    undoLog.fail();
    await undoLog.conflict;
    this.flowRun.goOn();
    await this.#attempt(call, wrap, message);
  }

  #undo(undoLog: UndoLog, failure: HandlerError | SinkError): void {
    try {
      undoLog.fail();
    } catch (error) {
      throw this.#after(failure, error);
    }
  }

  /** What cannot be done after a failure, which ends the app. */
  #after(failure: FlowFailure, cause: unknown): HandlerError {
    const error = new HandlerError(this.flowRun.place(), failure.input, cause);
    error.others.push(failure);
    return final(error);
  }

  async #recover(
    error: unknown,
    step: () => Maybe,
    wrap: (error: unknown) => unknown,
    tries: UndoLog | undefined,
  ): Promise<void> {
    if (isFinal(error)) throw error;
    const { flowRun, context } = this;
    const { attempt } = context;
    let failure = error as HandlerError | SinkError;
    const { failures } = flowRun;
    failures.failed(failure, this.host.clock.now());
    let policy = await this.#choose(failure);
    // Where the flow has failed on another message meanwhile, this failure is told, too.
    if (policy !== "stop" || flowRun.whole === flowRun) flowRun.goOn();
    try {
      while (typeof policy === "object" && "retry" in policy) {
        const again = await this.#retry(policy.retry, failure, step, wrap);
        if (again === undefined) return;
        failure = again;
        policy = policy.otherwise ?? "stop";
      }
    } finally {
      context.attempt = attempt;
    }
    if (policy !== "stop" && tries?.reader !== undefined) {
      throw this.#after(failure, readError(tries));
    }
    if (policy === "skip") {
      failures.skipped++;
      this.host.status?.({ type: "skipped", flow: flowRun.flow, error: failure });
      return;
    }
    if (typeof policy === "object" && "deadLetter" in policy) {
      await this.#deadLetter(policy.deadLetter, failure);
      return;
    }
    throw final(failure);
  }

  async #choose(failure: FlowFailure): Promise<ErrorPolicy> {
    const { context, onError } = this;
    if (typeof onError !== "function") return onError;
    try {
      const policy = await onError(failure, context);
      checkPolicy(
        policy,
        (value) =>
          new TypeError(
            `onError must return a policy, got ${describe(value)}; policies are ${POLICIES}`,
          ),
      );
      return policy;
    } catch (error) {
      throw this.#after(failure, error);
    }
  }

  /**
   * Repeats `step`; undefined when it succeeded, else the last failure. The waits are those of `retry` in
   * std's async package, exponential with full jitter; that one cannot wait on an injected clock.
   */
  async #retry(
    retry: RetryOptions,
    failure: HandlerError | SinkError,
    step: () => Maybe,
    wrap: (error: unknown) => unknown,
  ): Promise<HandlerError | SinkError | undefined> {
    const { clock, signal, status } = this.host;
    const { attempts = 5, minDelay = 100, maxDelay = 10_000 } = readRetry(retry);
    const { failures } = this.flowRun;
    for (let attempt = 1; attempt <= attempts; attempt++) {
      const delayMs = clock.random() * Math.min(maxDelay, minDelay * 2 ** (attempt - 1));
      status?.({ type: "retry", flow: this.flowRun.flow, attempt, delayMs, error: failure });
      await this.flowRun.rest(() => delay(clock, delayMs, signal)).catch(() => {
        throw final(failure); // the hard end: what failed stays failed
      });
      this.flowRun.goOn();
      this.context.attempt = attempt + 1;
      failures.retries++;
      try {
        await step();
        return undefined;
      } catch (error) {
        const next = wrap(error);
        if (isFinal(next)) throw next;
        failure = next as HandlerError | SinkError;
        failures.failed(failure, clock.now());
      }
    }
    return failure;
  }

  /** Writes a dead letter for each message that the failure is about, one after the other. */
  async #deadLetter(sink: unknown, failure: FlowFailure): Promise<void> {
    const { flowRun, host } = this;
    const origins = originsOfFailure(failure);
    for (const origin of origins) {
      const letter = origins.length === 1 ? failure : aboutMessage(failure, origin);
      flowRun.writing = DEAD_LETTERS;
      try {
        await this.openSink(sink, origin.receipt)(letter);
      } catch (error) {
        if (error === STOPPED) throw error;
        const cause = error instanceof SinkError ? error.cause : error;
        throw final(
          new SinkError(flowRun.place(), DEAD_LETTERS, failure, failure.input, cause),
        );
      }
      flowRun.failures.deadLetters++;
      host.status?.({ type: "dead_letter", flow: flowRun.flow, error: letter });
      if (letter !== failure) flowRun.goOn();
    }
    flowRun.writing = "";
  }
}

/** The same message as it is now, with an undo log of its own. */
function withLog(message: Attribution, undoLog: UndoLog): Attribution {
  return { ...copyOf(message), undoLog };
}

/** The name of the sink for dead letters, in errors. */
export const DEAD_LETTERS = "the dead-letter sink";

/** The sink that a policy writes what failed to; undefined where it does not, or cannot be known. */
export function deadLetterSink(onError: OnError): unknown {
  if (typeof onError !== "object") return undefined;
  const last = "retry" in onError ? onError.otherwise : onError;
  return typeof last === "object" ? last.deadLetter : undefined;
}

/** What was read has never been, since the flow goes on without the message. */
function readError({ flow, reader }: UndoLog): TypeError {
  return new TypeError(
    `Cannot continue after an error in flow "${flow}": flow "${reader}" has read writes that were undone, so its state ` +
      'would be based on values that never existed; use onError "stop", or keys that only one flow uses',
  );
}

/** Failures that no policy deals with again. */
const exhausted = new WeakSet<object>();

function final<E extends FlowError>(failure: E): E {
  exhausted.add(failure);
  return failure;
}

function isFinal(error: unknown): boolean {
  return error === STOPPED || error === OVERTAKEN || !(error instanceof FlowError) ||
    error instanceof PipeError ||
    exhausted.has(error) || error.cause instanceof CycleError;
}
