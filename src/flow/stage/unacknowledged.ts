import type { Delivery } from "../run/delivery.ts";
import { takenFrom } from "./origins.ts";
import type { Taken } from "../run/delivery.ts";
import { type Receipt, SharedReceipt } from "../source/receipt.ts";

/** The promise of a pipe's author about the messages in it; see pipe_promises.ts. */
export type PipePromise = "sequential" | "untilEnd";

/**
 * The inputs of an opaque stage that are not acknowledged yet. The engine cannot see which inputs such a stage makes
 * an output from, so its author's promise decides when an input is acknowledged; without one, it is when an output
 * that came after it is in its sinks and the stage asks for more, or when the stage ends without an error.
 */
export class Unacknowledged {
  /** Stands for all of these inputs, for those who work on outputs. */
  #group: SharedReceipt | undefined;
  /** True when an output has come after them, without a promise. */
  #followed = false;
  #from: Taken[] = [];

  /** What the author of the stage promises. */
  constructor(readonly promise: PipePromise | undefined) {}

  /** True when there are none. */
  get isEmpty(): boolean {
    return this.#group === undefined && this.#from.length === 0;
  }

  /** What an output may be made from, as far as that can be known. */
  get from(): readonly Taken[] | undefined {
    return this.promise === "untilEnd" && this.#group !== undefined ? undefined : this.#from;
  }

  /** The stage was given the message in `input`. */
  add(input: Delivery): void {
    if (this.#followed) this.acknowledge();
    if (this.promise === "sequential") this.#from.push(...takenFrom(input));
    const { receipt } = input;
    if (receipt === undefined) return;
    this.#group ??= new SharedReceipt();
    if (this.promise === "untilEnd") this.#group.hold(receipt);
    else this.#group.add(receipt);
    if (this.promise !== "sequential") this.#group.traceable = false;
  }

  /** The stage put out a value; returns the receipt to work under. */
  output(): Receipt | undefined {
    this.#followed = this.promise === undefined;
    return this.#group;
  }

  /** The stage asks for more: inputs before an output are done when the outputs are. */
  asked(): void {
    if (this.#followed || this.promise === "sequential") this.acknowledge();
  }

  /** Acknowledges all of them, once the outputs are done. */
  acknowledge(): void {
    this.#followed = false;
    this.#from = [];
    const group = this.#group;
    this.#group = undefined;
    group?.letGo();
    group?.release();
  }
}
