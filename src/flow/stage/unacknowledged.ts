import type { Delivery } from "../run/delivery.ts";
import { takenFrom } from "./origins.ts";
import type { Taken } from "../run/delivery.ts";
import { type Receipt, SharedReceipt } from "../source/receipt.ts";

/** The promise of a pipe's author about the messages in it; see promised.ts. */
export type PipePromise = "sequential" | "untilEnd";

/**
 * Which inputs of an opaque stage are still owed an output. The engine cannot see which inputs such a stage makes an
 * output from, so its author's promise decides when an input is acknowledged; without one, it is when an output that
 * came after it is in its sinks and the stage asks for more, or when the stage ends without an error.
 */
export class Debts {
  /** Stands for all inputs of the group, for those who work on its outputs. */
  #group: SharedReceipt | undefined;
  #answered = false;
  #from: Taken[] = [];

  /** What the author of the stage promises. */
  constructor(readonly promise: PipePromise | undefined) {}

  /** True when nothing is owed. */
  get settled(): boolean {
    return this.#group === undefined && this.#from.length === 0;
  }

  /** What an output may be made from, as far as that can be known. */
  get from(): readonly Taken[] | undefined {
    return this.promise === "untilEnd" && this.#group !== undefined ? undefined : this.#from;
  }

  /** The stage was given what is in `input`. */
  give(input: Delivery): void {
    if (this.#answered) this.settle();
    if (this.promise === "sequential") this.#from.push(...takenFrom(input));
    const { receipt } = input;
    if (receipt === undefined) return;
    this.#group ??= new SharedReceipt();
    if (this.promise === "untilEnd") this.#group.hold(receipt);
    else this.#group.add(receipt);
    if (this.promise !== "sequential") this.#group.traceable = false;
  }

  /** The stage put out a value; returns the receipt to work under. */
  answer(): Receipt | undefined {
    this.#answered = this.promise === undefined;
    return this.#group;
  }

  /** The stage asks for more: what came before is done when the outputs are. */
  asked(): void {
    if (this.#answered || this.promise === "sequential") this.settle();
  }

  /** Nothing is owed any more. */
  settle(): void {
    this.#answered = false;
    this.#from = [];
    const group = this.#group;
    this.#group = undefined;
    group?.letGo();
    group?.release();
  }
}
