import type { Change, Writer } from "./state.ts";

/** What may be taken back: the changes of a step and of those within it, in their order. */
interface Log {
  readonly changes: Change[];
  open: boolean;
}

/**
 * Work for a message that succeeds or fails as one: a call of the handler or, within it, a value at a sink. In
 * a flow that stops at an error, all that it ever does. Stores ask it whether it may write, and tell it what
 * it has changed; what failed is taken back.
 */
export class Step implements Writer {
  readBy: string | undefined;
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

  /** Notes what it has changed; the first change of a key after somebody else's says all. */
  changed(change: Change): void {
    if (this.open) this.#log!.changes.push(change);
  }

  /** Says whether it has changed something for which `test` says true. */
  hasChanged(test: (change: Change) => boolean): boolean {
    return this.open && this.#log!.changes.some((change) => change.by === this && test(change));
  }

  /** It has succeeded: alone it is not taken back any more. */
  succeed(): void {
    if (this.#outer!.#log !== undefined) return;
    this.#log!.open = false;
    this.#log!.changes.length = 0;
  }

  /**
   * It has failed: takes back what it has changed.
   *
   * @throws {TypeError} If another flow has written over it, or has read it.
   */
  fail(): void {
    this.#failed = true;
    const { changes } = this.#log!;
    for (let index = changes.length - 1; index >= 0; index--) {
      if (!this.#has(changes[index]!.by)) continue;
      changes.splice(index, 1)[0]!.undo();
    }
    this.succeed();
  }

  #has(step: Writer): boolean {
    let within = step as Step | undefined;
    while (within !== undefined && within !== this) within = within.#outer;
    return within === this;
  }
}
