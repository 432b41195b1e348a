import { Receipt } from "./receipt.ts";

/**
 * Which inputs of an opaque stage are still owed an output. Nobody can see what such a stage makes an
 * output of, so an input stays unacknowledged until an output that came after it is in its sinks and the
 * stage asks for more; or until the stage ends without an error.
 */
export class Debts {
  #inputs: Receipt[] = [];
  /** Stands for all inputs of the group, for those who work on its outputs. */
  #group: Receipt | undefined;
  #answered = false;

  /** The stage was given an input. */
  give(receipt: Receipt | undefined): void {
    if (this.#answered) this.settle();
    if (receipt === undefined) return;
    receipt.retain();
    this.#inputs.push(receipt);
    const inputs = this.#inputs;
    this.#group ??= new Receipt(() => {
      for (const input of inputs) input.release();
    });
  }

  /** The stage put out a value; returns the receipt to work under. */
  answer(): Receipt | undefined {
    this.#answered = true;
    return this.#group;
  }

  /** The stage asks for more: what came before its last output is done when that output is. */
  asked(): void {
    if (this.#answered) this.settle();
  }

  /** Nothing is owed any more. */
  settle(): void {
    this.#answered = false;
    this.#inputs = [];
    const group = this.#group;
    this.#group = undefined;
    group?.release();
  }
}
