import type { Clock } from "../../clock.ts";
import { CodecError, FlowError, HandlerError, SinkError } from "../../errors.ts";
import type { Context } from "../../types.ts";
import type { Attribution } from "./attribution.ts";
import type { EventLoop } from "./event_loop.ts";
import { Failures } from "../stage/failures.ts";
import { tellOrigins } from "../stage/origins.ts";
import { Delivery } from "./delivery.ts";
import type { Pending } from "./pending.ts";
import type { UndoLog } from "../state/undo_log.ts";
import type { Maybe } from "../stage/stage.ts";

/** Thrown through a flow whose run is over: the message is not done, and nothing is wrong with it. */
export const STOPPED: unique symbol = Symbol("stopped");

/** Thrown through a call that has failed since it was not over in time: nothing of it is written any more. */
export const LATE: unique symbol = Symbol("late");

/** Thrown through a call that is taken back and run again, since another message goes first. */
export const OVERTAKEN: unique symbol = Symbol("overtaken");

/** What the run of a flow tells the run that it belongs to. */
export interface FlowHost {
  readonly clock: Clock;
  readonly pending: Pending;
  readonly eventLoop: EventLoop;
  /** Ends the run with `error`. */
  fail(error: unknown): void;
  /** Adds an error to those of the run without ending it for that. */
  also(error: unknown): void;
  /** Nothing is held back any more: somebody may have waited for the last value. */
  idle(): void;
}

/**
 * One message's way through one flow: what is being handled now, and for whom. The stages of a flow share
 * it. A flow has one run, so its handler is never called for two messages at once.
 */
export class FlowRun extends Delivery {
  /** What the handler was called with: differs from `root` behind a pipe. */
  input: unknown;
  /** The value that a sink was given last, and that sink. */
  output: unknown;
  /** See `output`. */
  sink = "";
  /** The sink that is being waited for; empty while none is. */
  writing = "";
  /** Why the call of the handler has failed that is waited for still: it was not over in time. */
  late: HandlerError | undefined;
  /** How many stages hold values back and will pass them on by themselves. */
  held = 0;
  /** What went wrong in it. */
  readonly failures: Failures;
  /** True once the flow has failed, or the run was ended at once: nothing of it goes on. */
  dead = false;
  /** Passes on what stages hold back; each says whether there was something. */
  readonly holders: (() => boolean)[] = [];
  /** Stops what feeds the flow, since it failed; set when the flow is connected. */
  disconnect: () => void = () => {};
  /** Takes no more messages, since the flow ended by itself; set when the flow is connected. */
  leave: () => void = () => {};
  /** Whom the stages in front work for, where calls are attributed to messages. */
  front: Attribution | undefined;
  /** All the work of the flow, where stores are to know it; see `state_checks.ts`. */
  undoLog: UndoLog | undefined;
  /** Runs a step that belongs to a message under the flow's error policy; set when the flow is opened. */
  guard: (step: () => Maybe, message: unknown) => Promise<void> = async (step) => await step();
  /** Waits for a retry; a concurrent flow handles another message meanwhile. */
  rest: (wait: () => Promise<void>) => Promise<void> = (wait) => wait();
  /** Asks the flow's error policy what becomes of a message that could not be read; set when the flow is opened. */
  refuse: (error: Error, delivery: Delivery) => Maybe = (error) => Promise.reject(error);

  /** The flow that it handles a message of, beside others; itself where there is one at a time. */
  readonly whole: FlowRun;
  readonly #parts: FlowRun[] = [];

  constructor(
    readonly flow: string,
    readonly source: string,
    readonly context: Context,
    /** True where a message may be handled again to correct earlier results. */
    readonly witnessed: boolean,
    readonly host: FlowHost,
    whole?: FlowRun,
  ) {
    super();
    this.whole = whole ?? this;
    this.failures = whole?.failures ?? new Failures();
  }

  /** Makes one for another message at the same time, with a context of its own. */
  fork(): FlowRun {
    const { flow, source, context, witnessed, host, whole } = this;
    const part = new FlowRun(flow, source, { ...context }, witnessed, host, whole);
    part.dead = whole.dead;
    whole.#parts.push(part);
    return part;
  }

  /** Wraps what the handler threw, unless that is known already. */
  handlerError(error: unknown): unknown {
    return this.callError(error, this.input, this);
  }

  /** Wraps what user code threw that was called with `input`, which `delivery` holds. */
  callError(error: unknown, input: unknown, delivery: Delivery): unknown {
    if (isWrapped(error)) return this.#known(error, input, delivery);
    return this.#tell(new HandlerError(this.place(), input, error), input, delivery);
  }

  /** Wraps what was thrown after the work for `message` was over, for the flow may be at another one. */
  laterError(error: unknown, message: unknown): unknown {
    const delivery = new Delivery();
    delivery.root = message;
    return this.callError(error, message, delivery);
  }

  /** Wraps what the sink called last threw, unless that is known already. */
  sinkError(error: unknown): unknown {
    if (isWrapped(error)) return this.#known(error, this.input, this);
    const failure = new SinkError(this.place(), this.sink, this.output, this.root, error);
    return this.#tell(failure, this.input, this);
  }

  #tell(failure: FlowError, input: unknown, delivery: Delivery): FlowError {
    tellOrigins(failure, delivery, input);
    return failure;
  }

  /** An error that is thrown on as it is; a codec does not know for which flow and message it failed. */
  #known(error: unknown, input: unknown, delivery: Delivery): unknown {
    if (!(error instanceof CodecError) || error.flow === this.flow) return error;
    return this.#tell(error.metBy(this.flow, this.source), input, delivery);
  }

  /** Adds an error that came out of dealing with `first`, which ends the run, to those of the run. */
  also(error: unknown, first: unknown): void {
    if (first === LATE) return void this.late?.others.push(error);
    this.host.fail(first);
    this.host.also(error);
  }

  /** Ends the flow, and with it the run, unless it is over anyway. */
  die(error: unknown): void {
    const { whole } = this;
    if (!whole.dead) {
      whole.dead = true;
      for (const part of whole.#parts) part.dead = true;
      whole.disconnect();
    }
    if (error === STOPPED) return;
    if (error !== this.failures.last?.error) this.failures.failed(error, this.host.clock.now());
    this.host.fail(error);
  }

  /**
   * Called after every wait: what a dead flow has waited for goes nowhere.
   *
   * @throws STOPPED once the flow has failed, or the run was ended at once.
   */
  goOn(): void {
    this.writing = "";
    if (this.dead) throw STOPPED;
  }

  /**
   * Called after every wait for the values of a call of the handler.
   *
   * @throws LATE, beside what {@linkcode FlowRun.goOn} throws, when it was not over in time.
   */
  callGoesOn(): void {
    this.goOn();
    if (this.late !== undefined) throw LATE;
  }

  /** Notes that a stage holds a value back and will pass it on by itself. */
  hold(): void {
    this.held++;
  }

  /** Notes that the stage has passed it on. */
  letGo(): void {
    this.held--;
    this.host.idle();
  }

  /** Where an error happened. */
  place(): { flow: string; source: string } {
    return { flow: this.flow, source: this.source };
  }
}

/** Returns whether an error has met its flow already. */
function isWrapped(error: unknown): boolean {
  return error === STOPPED || error === LATE || error === OVERTAKEN || error instanceof FlowError;
}
