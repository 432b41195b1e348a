import type { Change, Writer } from "./state.ts";

/** What may be taken back: the changes of a log and of those within it, in their order. */
interface Log {
  readonly changes: Change[];
  open: boolean;
}

/**
 * The undo log of work for a message that succeeds or fails as one. The whole work of a flow has the outermost;
 * within it, where the flow goes on after errors, are those of the calls of the handler, and within these those of
 * the values at sinks, with one in each for each try. Stores ask it whether the work may write, and tell it what it
 * has changed; what failed is taken back.
 */
export class UndoLog implements Writer {
  /** Another flow that has read what it has changed, while that could be taken back. */
  reader: string | undefined;
  #failed = false;
  readonly #outer: UndoLog | undefined;
  readonly #log: Log | undefined;

  /** Makes the whole work of a flow, of which nothing is taken back. */
  constructor(readonly flow: string, outer?: UndoLog) {
    this.#outer = outer;
    if (outer !== undefined) this.#log = outer.#log ?? { changes: [], open: true };
  }

  /** Begins a log within this one. */
  begin(): UndoLog {
    return new UndoLog(this.flow, this);
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
    let log = writer as UndoLog | undefined;
    while (log !== undefined && log !== this) log = log.#outer;
    return log === this;
  }
}
