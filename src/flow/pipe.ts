import { PipeError } from "../errors.ts";
import type { StreamPair } from "../types.ts";
import { onBehalf } from "./attribution.ts";
import { Debts } from "./debts.ts";
import { Inlet } from "./inlet.ts";
import { assertObject, giveUpIterator, openIterator } from "./iteration.ts";
import type { Lane, Slot } from "./lane.ts";
import { type Emit, stage, type Turn } from "./turn.ts";

/** Where a stage stands: it reads what `input` holds and says in `output` what its values are made of. */
export interface StagePlace {
  readonly lane: Lane;
  readonly input: Slot;
  readonly output: Slot;
}

/** The inside of an opaque stage: takes messages and gives values, nobody sees how. */
interface Opaque {
  /** Gives a message; resolves when the stage wants the next one. */
  give(message: unknown, stage: OpaqueStage): Promise<void>;
  /** Asks for the next value that comes out, as an async iterator is asked: the answer is awaited. */
  next(): unknown;
  /** True while the stage waits for a message. */
  readonly asking: boolean;
  /** Gives nothing more: the stage puts out what it has left, and ends. */
  end(): void;
  /** Ends without waiting for anything; with `over` no value comes out any more. */
  dispose(over: boolean): void;
}

/** The stage of a pipe function, or of a `TransformStream` as a pipe or a handler. */
export function pipeStage(
  pipe: StreamPair<unknown, unknown> | ((source: AsyncIterable<unknown>) => unknown),
  place: StagePlace,
): TransformStream<Turn<unknown>, Turn<unknown>> {
  const opaque = new OpaqueStage(pipe, place);
  return stage((emit) => opaque.into(emit), () => opaque.flush());
}

/** Says whether `value` has a readable and a writable side. */
export function isStreamPair(value: unknown): value is StreamPair<unknown, unknown> {
  const pair = value as Partial<StreamPair<unknown, unknown>> | null | undefined;
  return pair?.readable instanceof ReadableStream && pair.writable instanceof WritableStream;
}

/**
 * Drives an opaque stage: messages go in one by one, what comes out goes on one by one, and receipts
 * follow by {@linkcode Debts}. An error in the stage ends the app, since it cannot be asked again.
 */
class OpaqueStage {
  /** What is being passed on; undefined while the stage is waited for. */
  passing: Promise<void> | undefined;
  /** True while a value of the stage is waited for. */
  reading = false;
  /** True when no value comes out any more. */
  ended = false;

  readonly #pipe: StreamPair<unknown, unknown> | ((source: AsyncIterable<unknown>) => unknown);
  readonly #place: StagePlace;
  readonly #debts = new Debts();
  readonly #passedOn = Promise.withResolvers<void>();
  /** True once the stage has ended or failed by itself. */
  #over = false;
  #emit: Emit<unknown> = () => {};
  #opaque: Opaque | undefined;
  /** Ends the wait for the message that was given last, since the stage has ended. */
  #release: () => void = () => {};

  constructor(
    pipe: StreamPair<unknown, unknown> | ((source: AsyncIterable<unknown>) => unknown),
    place: StagePlace,
  ) {
    this.#pipe = pipe;
    this.#place = place;
  }

  /** Sets where values go; returns where messages come in. */
  into(emit: Emit<unknown>): Emit<unknown> {
    this.#emit = emit;
    // What the pipe goes on with by itself is the flow's too, where stores are to know that.
    const { lane } = this.#place;
    this.#opaque ??= lane.step ? onBehalf(lane, () => this.#open())() : this.#open();
    return (message) => this.#push(message);
  }

  /** No message comes any more: waits until what is left has come out. */
  async flush(): Promise<void> {
    const opaque = this.#opaque;
    if (opaque === undefined) return;
    if (this.#place.lane.dead) return opaque.dispose(this.#over);
    opaque.end();
    await this.#passedOn.promise;
  }

  #open(): Opaque | undefined {
    try {
      const opaque = open(this.#pipe, () => this.#debts.asked());
      this.#passOn(opaque);
      return opaque;
    } catch (error) {
      this.#die(error);
      return undefined;
    }
  }

  async #push(message: unknown): Promise<void> {
    const { lane, input } = this.#place;
    lane.goOn();
    if (this.ended || this.#opaque === undefined) return;
    const { receipt } = input;
    this.#debts.give(receipt);
    const given = this.#opaque.give(message, this);
    await new Promise<void>((resolve, reject) => {
      this.#release = resolve;
      given.then(resolve, reject);
    });
  }

  /** Passes on what comes out, until the stage ends. */
  async #passOn(opaque: Opaque): Promise<void> {
    const { lane } = this.#place;
    const { breath } = lane.host;
    try {
      for (;;) {
        this.reading = true;
        const result = await opaque.next();
        assertObject(result, "next()");
        const { done } = result as IteratorResult<unknown>;
        this.#over = Boolean(done);
        if (done || lane.dead) break;
        const { value } = result as IteratorResult<unknown>;
        this.reading = false;
        this.passing = this.#pass(value);
        await this.passing;
        this.passing = undefined;
        if (opaque.asking) this.#debts.asked();
        else if (lane.dead) break;
        else if (breath.due) {
          this.passing = breath.taken(); // a pipe that never asks must not starve the others
          await this.passing;
          this.passing = undefined;
        }
      }
      if (!lane.dead) this.#debts.settle();
    } catch (error) {
      this.#over = this.reading;
      this.#die(error);
    }
    this.ended = true;
    this.reading = false;
    this.passing = undefined;
    this.#passedOn.resolve();
    this.#release();
    lane.leave(); // its source has ended already, unless the stage ended first
  }

  async #pass(value: unknown): Promise<void> {
    const { lane, output } = this.#place;
    const receipt = this.#debts.answer();
    receipt?.retain();
    output.receipt = receipt;
    try {
      const done = this.#emit(value);
      if (done !== undefined) await done;
    } catch (error) {
      throw lane.sinkError(error);
    }
    receipt?.release();
  }

  #die(error: unknown): void {
    const { lane } = this.#place;
    const known = lane.sinkError(error) === error;
    lane.die(known ? error : new PipeError(lane.place(), error));
  }
}

function open(
  pipe: StreamPair<unknown, unknown> | ((source: AsyncIterable<unknown>) => unknown),
  onAsked: () => void,
): Opaque {
  if (isStreamPair(pipe)) return openPair(pipe, onAsked);
  const inlet = new Inlet<unknown>();
  inlet.onAsked = onAsked;
  const made = pipe(inlet);
  if (isStreamPair(made)) return openPair(made, onAsked);
  const iterable = made as Partial<AsyncIterable<unknown>> | null | undefined;
  if (typeof iterable?.[Symbol.asyncIterator] !== "function") {
    throw new TypeError("a pipe function must return an async iterable or a TransformStream");
  }
  const outputs = openIterator(iterable);
  return {
    next: () => outputs.asked.next(),
    get asking() {
      return inlet.asking;
    },
    give: (message) => inlet.give(message),
    end: () => inlet.end(),
    dispose(over) {
      inlet.end();
      if (!over) giveUpIterator(outputs);
    },
  };
}

function openPair(
  { readable, writable }: StreamPair<unknown, unknown>,
  onAsked: () => void,
): Opaque {
  if (readable.locked || writable.locked) {
    throw new TypeError(
      "a TransformStream serves one flow in one run: give a pipe function that makes one",
    );
  }
  const writer = writable.getWriter();
  const reader = readable.getReader();
  writer.closed.catch(() => {}); // an error of the pair is met by the next read
  let asking = true;
  return {
    next: () => reader.read(),
    get asking() {
      return asking;
    },
    async give(message, stage) {
      asking = false;
      // An error of the pair is met by the next read: the write is only waited for.
      await writer.write(message).catch(() => {});
      await quiet(stage);
      asking = true;
      onAsked();
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
