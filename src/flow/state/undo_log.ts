import type { Change, Writer } from "./state.ts";

/** What may be taken back: the changes of a step and of those within it, in their order. */
interface Log {
  readonly changes: Change[];
  open: boolean;
}

/**
 * Work for a message that succeeds or fails as one. The whole work of a flow is the outermost; within it, where
 * the flow goes on after errors, are the calls of the handler, and within these the values at sinks: each a
 * step, with one step in it for each try. Stores ask it whether it may write, and tell it what it has changed;
 * what failed is taken back.
 */
export class Step implements Writer {
  /** Another flow that has read what it has changed, while that could be taken back. */
  reader: string | undefined;
  #failed = false;
  readonly #outer: Step | undefined;
  readonly #log: Log | undefined;

  /** Makes the whole work of a flow, of which nothing is taken back. */
  constructor(readonly flow: string, outer?: Step) {
    this.#outer = outer;
    if (outer !== undefined) this.#log = outer.#log ?? { changes: [], open: true };
  }

  /** Begins a step within this one. */
  begin(): Step {
    return new Step(this.flow, this);
  }

  /** True when it has failed: it must not change anything any more. */
  get failed(): boolean {
    return this.#failed || (this.#outer?.failed ?? false);
  }

  /** True while what it has changed may be taken back. */
  get open(): boolean {
    return this.#log?.open ?? false;
  }

  /** Notes what it has changed. */
  changed(change: Change): void {
    if (this.open) this.#log!.changes.push(change);
  }

  /** Returns whether it has changed something for which `test` says true. */
  hasChanged(test: (change: Change) => boolean): boolean {
    return this.open && this.#log!.changes.some((change) => change.by === this && test(change));
  }

  /** Another flow has read what it has changed: that counts for the steps around it too. */
  wasRead(flow: string): void {
    if (this.#log === undefined) return;
    this.reader ??= flow;
    this.#outer!.wasRead(flow);
  }

  /** It is over: unless it is within another one, nothing of it is taken back any more. */
  end(): void {
    if (this.#outer!.#log !== undefined) return;
    this.#log!.open = false;
    this.#log!.changes.length = 0;
  }

  /**
   * It has failed: takes back what it has changed.
   *
   * @throws {TypeError} If something else was written over it.
   */
  fail(): void {
    this.#failed = true;
    const { changes } = this.#log!;
    for (let index = changes.length - 1; index >= 0; index--) {
      if (this.#has(changes[index]!.by)) changes.splice(index, 1)[0]!.undo();
    }
  }

  #has(writer: Writer): boolean {
    let step = writer as Step | undefined;
    while (step !== undefined && step !== this) step = step.#outer;
    return step === this;
  }
}
