import { type Receipt, SharedReceipt } from "./receipt.ts";

/** What the author of a pipe promises about the messages in it; see promised.ts. */
export type Promised = "sequential" | "untilEnd";

/**
 * Which inputs of an opaque stage are still owed an output. Nobody can see what such a stage makes an
 * output of, so its author's promise decides when an input is acknowledged; without one, when an output that
 * came after it is in its sinks and the stage asks for more. Also when the stage ends without an error.
 */
export class Debts {
  /** Stands for all inputs of the group, for those who work on its outputs. */
  #group: SharedReceipt | undefined;
  #answered = false;

  /** What the author of the stage promises. */
  constructor(readonly promise: Promised | undefined) {}

  /** True when nothing is owed. */
  get settled(): boolean {
    return this.#group === undefined;
  }

  /** The stage was given an input. */
  give(receipt: Receipt | undefined): void {
    if (this.#answered) this.settle();
    if (receipt === undefined) return;
    this.#group ??= new SharedReceipt(this.promise !== "untilEnd");
    this.#group.add(receipt);
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
    const group = this.#group;
    this.#group = undefined;
    group?.release();
  }
}
