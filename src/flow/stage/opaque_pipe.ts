import { PipeError } from "../../errors.ts";
import type { OpaquePipe, StreamPair } from "../../types.ts";
import { type Attribution, onBehalf } from "../run/attribution.ts";
import { type PipePromise, Unacknowledged } from "./unacknowledged.ts";
import { PipeInput } from "./pipe_input.ts";
import { assertObject, giveUpIterator, openIterator } from "../source/iteration.ts";
import type { FlowRun } from "../run/flow_run.ts";
import type { Delivery } from "../run/delivery.ts";
import type { Recovery } from "./recovery.ts";
import { type Emit, type FlowStage, stage } from "./stage.ts";
import type { Ticking } from "./ticking.ts";

/** Where a stage stands: it reads what `input` holds and says in `output` what its values are made of. */
export interface StagePlace {
  readonly flowRun: FlowRun;
  readonly input: Delivery;
  readonly output: Delivery;
  /** Applies the flow's error policy to calls of user code. */
  readonly recovery: Recovery;
  /** Whom an opaque stage works for, where calls are attributed. */
  readonly work?: Attribution | undefined;
  /** What a stage with ticks is offered. */
  readonly ticking?: Ticking | undefined;
}

/** The inside of an opaque stage: takes messages and gives values, nobody sees how. */
interface Opaque {
  /** Gives a message; resolves when the stage wants the next one. */
  give(message: unknown, stage: OpaqueStage): Promise<void>;
  /** Asks for the next value that comes out, as an async iterator is asked: the answer is awaited. */
  next(): unknown;
  /** True while the stage waits for a message. */
  readonly asking: boolean;
  /** Resolves when the stage waits for a message, or takes none any more. */
  asks(): Promise<void>;
  /** Gives nothing more: the stage puts out what it has left, and ends. */
  end(): void;
  /** Ends without waiting for anything; with `over` no value comes out any more. */
  dispose(over: boolean): void;
}

/** A pipe function or a `TransformStream`, and what its author promises. */
export interface OpaqueStageOptions {
  readonly pipe: OpaquePipe<unknown, unknown>;
  readonly promise: PipePromise | undefined;
}

/** The stage of a pipe function, or of a `TransformStream` as a pipe or a handler. */
export function pipeStage(
  options: OpaqueStageOptions,
  place: StagePlace,
): FlowStage<unknown, unknown> {
  const opaque = new OpaqueStage(options, place);
  return stage((emit) => opaque.into(emit), () => opaque.flush());
}

/** Returns whether `value` has a readable and a writable side. */
export function isStreamPair(value: unknown): value is StreamPair<unknown, unknown> {
  const pair = value as Partial<StreamPair<unknown, unknown>> | null | undefined;
  return pair?.readable instanceof ReadableStream && pair.writable instanceof WritableStream;
}

/**
 * Drives an opaque stage: messages go in one by one, what comes out goes on one by one, and receipts
 * follow by {@linkcode Unacknowledged}. An error in the stage ends the app, since it cannot be asked again.
 */
class OpaqueStage {
  /** What is being passed on; undefined while the stage is waited for. */
  passing: Promise<void> | undefined;
  /** True while a value of the stage is waited for. */
  reading = false;
  /** True when no value comes out any more. */
  ended = false;

  readonly #pipe: OpaquePipe<unknown, unknown>;
  readonly #promise: PipePromise | undefined;
  readonly #place: StagePlace;
  readonly #inputs: Unacknowledged;
  readonly #passedOn = Promise.withResolvers<void>();
  /** True once the stage has ended or failed by itself. */
  #over = false;
  #emit: Emit<unknown> = () => {};
  #opaque: Opaque | undefined;
  /** Ends the wait for the stage, since it has ended. */
  #release: () => void = () => {};
  /** Resolves when what came out before the stage asked has been passed on. */
  #settling: Promise<void> | undefined;

  constructor({ pipe, promise }: OpaqueStageOptions, place: StagePlace) {
    this.#pipe = pipe;
    this.#promise = promise;
    this.#place = place;
    this.#inputs = new Unacknowledged(promise);
  }

  /** Sets where values go; returns where messages come in. */
  into(emit: Emit<unknown>): Emit<unknown> {
    this.#emit = emit;
    // What the pipe goes on with by itself is the flow's too, where stores are to know that.
    const { work } = this.#place;
    this.#opaque ??= work ? onBehalf(work, () => this.#open())() : this.#open();
    return (message) => this.#push(message);
  }

  /** No message comes any more: waits until what is left has come out. */
  async flush(): Promise<void> {
    const opaque = this.#opaque;
    if (opaque === undefined) return;
    if (this.#place.flowRun.dead) return opaque.dispose(this.#over);
    opaque.end();
    await this.#passedOn.promise;
  }

  #open(): Opaque | undefined {
    try {
      const opaque = open(this.#pipe, {
        asks: () => this.#asks(),
        rests: () => this.#asked(),
      });
      this.#passOn(opaque);
      return opaque;
    } catch (error) {
      this.#die(error);
      return undefined;
    }
  }

  async #push(message: unknown): Promise<void> {
    const { flowRun, input } = this.#place;
    const opaque = this.#opaque;
    flowRun.goOn();
    if (this.ended || opaque === undefined) return;
    if (input.receipt?.positioned && this.#promise === undefined) {
      throw new PipeError(flowRun.place(), new TypeError(NO_PROMISE));
    }
    // Only what it is given after it has asked may still be in it when it asks again.
    if (!opaque.asking) await this.#unlessOver(opaque.asks());
    if (this.#settling !== undefined) await this.#settling;
    flowRun.goOn();
    if (this.ended) return;
    this.#inputs.add(input);
    await this.#unlessOver(opaque.give(message, this));
  }

  /** Waits for the stage, unless it ends. */
  #unlessOver(step: Promise<void>): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      this.#release = resolve;
      step.then(resolve, reject);
    });
  }

  /** A pipe function asks for a message: of what it had before it may have put out something just now. */
  #asks(): void {
    if (this.#promise === undefined) return this.#asked();
    if (this.#promise === "untilEnd" || this.#inputs.isEmpty) return;
    this.#settling ??= quiet(this).then(() => {
      this.#settling = undefined;
      this.#asked();
    });
  }

  #asked(): void {
    if (!this.#place.flowRun.dead) this.#inputs.asked();
  }

  /** Passes on what comes out, until the stage ends. */
  async #passOn(opaque: Opaque): Promise<void> {
    const { flowRun } = this.#place;
    const { eventLoop } = flowRun.host;
    try {
      for (;;) {
        this.reading = true;
        const result = await opaque.next();
        assertObject(result, "next()");
        const { done } = result as IteratorResult<unknown>;
        this.#over = Boolean(done);
        if (done || flowRun.dead) break;
        const { value } = result as IteratorResult<unknown>;
        this.reading = false;
        this.passing = this.#pass(value);
        await this.passing;
        this.passing = undefined;
        if (opaque.asking) {
          if (this.#promise === undefined) this.#inputs.asked();
        } else if (flowRun.dead) break;
        else if (eventLoop.mustYield) {
          this.passing = eventLoop.yielded(); // a pipe that never asks must not starve the others
          await this.passing;
          this.passing = undefined;
        }
      }
      if (!flowRun.dead) this.#inputs.acknowledge();
    } catch (error) {
      this.#over = this.reading;
      this.#die(error);
    }
    this.ended = true;
    this.reading = false;
    this.passing = undefined;
    this.#passedOn.resolve();
    this.#release();
    flowRun.leave(); // its source has ended already, unless the stage ended first
  }

  async #pass(value: unknown): Promise<void> {
    const { flowRun, output } = this.#place;
    const receipt = this.#inputs.output();
    receipt?.retain();
    output.receipt = receipt;
    output.from = this.#inputs.from;
    try {
      const done = this.#emit(value);
      if (done !== undefined) await done;
      flowRun.writing = "";
    } catch (error) {
      throw flowRun.sinkError(error);
    }
    receipt?.release();
  }

  #die(error: unknown): void {
    const { flowRun } = this.#place;
    const known = flowRun.sinkError(error) === error;
    flowRun.die(known ? error : new PipeError(flowRun.place(), error));
  }
}

/** Why a message is refused that could not be foreseen when the flow was bound. */
const NO_PROMISE =
  "its input comes from a source with positions, and an opaque pipe could lose messages that it holds back; " +
  "use map(), filter() or flatMap(), or promise sequential(pipe) or untilEnd(pipe)";

/** Called when a stage wants a message. */
interface Asking {
  /** It asks, and may have put out something that was not read yet. */
  asks(): void;
  /** It asks, and everything that it has put out was read. */
  rests(): void;
}

function open(pipe: OpaquePipe<unknown, unknown>, asking: Asking): Opaque {
  if (isStreamPair(pipe)) return openPair(pipe, asking);
  const input = new PipeInput<unknown>();
  input.onAsked = () => asking.asks();
  const made: unknown = pipe(input);
  if (isStreamPair(made)) return openPair(made, asking);
  const iterable = made as Partial<AsyncIterable<unknown>> | null | undefined;
  if (typeof iterable?.[Symbol.asyncIterator] !== "function") {
    throw new TypeError(
      "a pipe function must return an async iterable or a TransformStream; the handler is the last function, and a " +
        "sink is given as { sink }",
    );
  }
  const outputs = openIterator(iterable);
  return {
    next: () => outputs.asked.next(),
    get asking() {
      return input.asking;
    },
    asks: () => input.asks(),
    give: (message) => input.give(message),
    end: () => input.end(),
    dispose(over) {
      input.end();
      if (!over) giveUpIterator(outputs);
    },
  };
}

function openPair(
  { readable, writable }: StreamPair<unknown, unknown>,
  asking: Asking,
): Opaque {
  if (readable.locked || writable.locked) {
    throw new TypeError(
      "a TransformStream serves one flow in one run: give a pipe function that creates one",
    );
  }
  const writer = writable.getWriter();
  const reader = readable.getReader();
  writer.closed.catch(() => {}); // an error of the pair is met by the next read
  let wants = true;
  return {
    next: () => reader.read(),
    get asking() {
      return wants;
    },
    asks: () => Promise.resolve(),
    async give(message, stage) {
      wants = false;
      // An error of the pair is met by the next read: the write is only waited for.
      const taken = await writer.write(message).then(() => true, () => false);
      await quiet(stage);
      wants = true;
      if (taken) asking.rests();
    },
    end: () => void writer.close().catch(() => {}),
    dispose() {
      writer.abort().catch(() => {});
      reader.cancel().catch(() => {});
    },
  };
}

/**
 * Resolves when a pair of streams has nothing more to say to a message: its write is done, and a read stays
 * unanswered for as long as a chunk needs from the one side to the other.
 */
async function quiet(stage: OpaqueStage): Promise<void> {
  for (let jobs = 0; jobs < QUIET_JOBS && !stage.ended;) {
    await (stage.passing ?? null);
    jobs = stage.reading ? jobs + 1 : 0;
  }
}

/** Promise jobs that a chunk needs through a TransformStream, with room to spare. */
const QUIET_JOBS = 8;
