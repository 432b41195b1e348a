import type { Change, StateMessage, Writer } from "./state.ts";

/** What may be taken back: the changes of a log and of those within it, in their order. */
class Log {
  ended = false;

  constructor(readonly changes: Change[], readonly message: StateMessage | undefined) {}

  /** True until nothing of it is taken back any more; what is for a message, until that is in a cut. */
  get open(): boolean {
    return this.message === undefined ? !this.ended : !this.message.cut;
  }
}

/**
 * The undo log of work for a message that succeeds or fails as one. The whole work of a flow has the outermost, or
 * that for each message where several are handled at the same time. Within it, where the flow goes on after errors,
 * are those of the calls of the handler, and within these those of the values at sinks, with one in each for each try.
 * Stores ask it whether the work may write, and tell it what it has changed; what failed is taken back.
 */
export class UndoLog implements Writer {
  /** Another flow that has read what it has changed, while that could be taken back. */
  reader: string | undefined;
  /** The message that it is for, where others are handled at the same time. */
  readonly message: StateMessage | undefined;
  /** What its call must wait for before it is run again, since it has met what that may take back. */
  conflict: Promise<void> | undefined;
  #failed = false;
  readonly #outer: UndoLog | undefined;
  readonly #log: Log | undefined;
  /** The log of all tries of a call; itself, if it is that. */
  readonly #tries: UndoLog | undefined;
  #ended = false;
  /** The last log that was begun within it. */
  #current: UndoLog | undefined;
  #settled: PromiseWithResolvers<void> | undefined;

  /** Makes the whole work of a flow, or for a message, of which nothing is taken back by an error. */
  constructor(readonly flow: string, outer?: UndoLog, message?: StateMessage) {
    this.#outer = outer;
    this.message = outer?.message ?? message;
    if (outer !== undefined) {
      this.#log = outer.#log ?? new Log([], undefined);
      this.#tries = outer.#tries ?? this;
    } else if (message !== undefined) this.#log = new Log(message.changes, message);
  }

  /** Begins a log within this one. */
  begin(): UndoLog {
    return this.#current = new UndoLog(this.flow, this);
  }

  /** True while what it has changed is taken back if a call of the flow fails. */
  get revocable(): boolean {
    return this.#tries !== undefined && !this.#tries.#ended;
  }

  /** True when the call it belongs to is run again, whatever it does. */
  get overtaken(): boolean {
    return this.conflict !== undefined || (this.#outer?.overtaken ?? false);
  }

  /**
   * Its call has met what the one of `other` may take back: the one for the younger message is taken back, and run
   * again when the other is over (the wound-wait rule of Rosenkrantz, Stearns and Lewis, 1978: nobody waits in a
   * circle, and the oldest never waits). Returns whether that is its own.
   */
  meets(other: UndoLog): "yield" | "go on" | "stuck" {
    if (!this.revocable) return "stuck";
    if (this.message!.order > other.message!.order) {
      this.conflict = other.#tries!.#whenSettled();
      return "yield";
    }
    const call = other.#tries!.#current!;
    call.conflict = this.#tries!.#whenSettled();
    call.fail();
    return "go on";
  }

  /** Resolves when what the call has changed so far is taken back, or will not be any more. */
  #whenSettled(): Promise<void> {
    return (this.#settled ??= Promise.withResolvers()).promise;
  }

  #settle(): void {
    this.#settled?.resolve();
    this.#settled = undefined;
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
    this.#outer?.wasRead(flow);
  }

  /** It is over: unless it is within another one, nothing of it is taken back any more. */
  end(): void {
    if (this.#tries === this) {
      this.#ended = true;
      this.#settle();
    }
    if (this.#outer!.#log !== undefined) return;
    this.#log!.ended = true;
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
    this.#tries!.#settle();
  }

  #has(writer: Writer): boolean {
    let log = writer as UndoLog | undefined;
    while (log !== undefined && log !== this) log = log.#outer;
    return log === this;
  }
}
