import type { Clock } from "../../clock.ts";
import { takenFrom } from "./origins.ts";
import type { Taken } from "../run/delivery.ts";
import type { StagePlace } from "./opaque_pipe.ts";
import { type Receipt, SharedReceipt } from "../source/receipt.ts";
import type { Emit, Maybe } from "./stage.ts";

/**
 * Collects messages and passes them on as arrays: when `max` are there, `ms` after the first, or at the end.
 *
 * - A message is accepted at once, and acknowledged when its batch is done.
 * - Batches pass one after the other, also when the time is up while the source is silent.
 *
 * The example of a stage that holds messages back: it keeps their receipts in a `SharedReceipt`, says in `output` which
 * messages a batch is made from, releases the receipt when the batch is done, and passes on what it has when
 * `flowRun.holders` asks for it, since nothing else can come. With exact state such stages are refused
 * (`state_checks.ts`).
 */
export class Batcher<T> {
  #emit: Emit<T[]> = () => {};
  #messages: T[] = [];
  /** What the batch is made from, where dead letters may be written of it. */
  #from: Taken[] = [];
  /** Stands for the messages of the batch. */
  #receipt: SharedReceipt | undefined;
  #passing: Promise<void> | undefined;
  /** True while the batch will be passed on by itself: somebody behind may wait for it. */
  #timed = false;
  #cancelTimer: () => void = () => {};

  constructor(
    readonly max: number,
    readonly ms: number,
    readonly place: StagePlace,
    readonly clock: Clock,
  ) {
    place.flowRun.holders.push(() => this.#passHeld());
    place.flowRun.context.signal.addEventListener("abort", () => this.#cancelTimer(), {
      once: true,
    });
  }

  /** Sets where batches go; returns where messages come in. */
  into(emit: Emit<T[]>): Emit<T> {
    this.#emit = emit;
    return (message) => this.#add(message, this.place.input.receipt);
  }

  /** Passes on what is left; called at the end of the flow. */
  async flush(): Promise<void> {
    this.#cancelTimer();
    await this.#passing;
    if (this.place.flowRun.dead || this.#messages.length === 0) return;
    try {
      await this.#pass();
    } catch (error) {
      this.#die(error);
    }
  }

  #add(message: T, receipt: Receipt | undefined): Maybe {
    if (this.#passing !== undefined) return this.#passing.then(() => this.#add(message, receipt));
    this.place.flowRun.goOn();
    if (receipt !== undefined) {
      this.#receipt ??= new SharedReceipt();
      this.#receipt.hold(receipt);
    }
    this.#messages.push(message);
    if (!this.place.recovery.stops) this.#from.push(...takenFrom(this.place.input));
    if (this.#messages.length >= this.max) return this.#pass();
    if (this.#messages.length === 1 && this.ms !== Infinity) {
      this.#holds();
      this.#cancelTimer = this.clock.timer(this.#timeIsUp, this.ms);
    }
  }

  /** Nothing comes any more unless the batch is passed on: it is, full or not. */
  #passHeld(): boolean {
    if (this.#messages.length === 0) return false;
    this.#holds();
    this.#timeIsUp();
    return true;
  }

  /** Notes that the batch will be passed on by itself. */
  #holds(): void {
    if (this.#timed) return;
    this.#timed = true;
    this.place.flowRun.hold();
  }

  #timeIsUp = (): void => {
    if (this.place.flowRun.dead) return;
    let done: Maybe;
    try {
      done = this.#pass();
    } catch (error) {
      return this.#die(error);
    }
    this.#passing = done
      ?.catch((error) => this.#die(error))
      .finally(() => this.#passing = undefined);
  };

  #pass(): Maybe {
    this.#cancelTimer();
    const timed = this.#timed;
    this.#timed = false;
    const messages = this.#messages;
    const receipt = this.#receipt;
    const from = this.#from;
    this.#messages = [];
    this.#receipt = undefined;
    this.#from = [];
    const { flowRun, output } = this.place;
    output.root = messages;
    output.receipt = receipt;
    output.from = from.length === 0 ? undefined : from;
    receipt?.letGo();
    const passed = () => {
      receipt?.release();
      if (timed) flowRun.letGo();
    };
    const done = this.#emit(messages);
    return done === undefined ? passed() : done.then(passed);
  }

  #die(error: unknown): void {
    const { flowRun } = this.place;
    flowRun.die(flowRun.sinkError(error));
  }
}
