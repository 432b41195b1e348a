import type { Commit } from "../source/host.ts";
import { cuttable, oldestOpen, type RootMessage } from "./root_message.ts";
import type { KnownPosition, StateDriver, StateStore, StoredPosition } from "./state.ts";

/** What a source may commit, as of one moment. */
export interface Snapshot {
  /** Counts the moments. */
  readonly number: number;
  /** Commits it; undefined when there is nothing new. */
  readonly commit: Commit | undefined;
}

/** How far a partition is in a cut. */
export type Progress = Pick<StoredPosition, "position" | "done">;

/** A source whose messages a group counts. */
export interface GroupSource {
  readonly name: string;
  /** How far each partition is in a cut that is taken now. */
  progress(): Iterable<[partition: number, Progress]>;
  /** Takes what may be committed when everything acknowledged so far is durable. */
  snapshot(): Snapshot;
  /** Returns whether the position of a flow in a partition is ahead of the source. */
  isAhead(branch: object, partition: number): boolean;
  /** What a flow has done behind its position before, and the source gives once more. */
  doneBefore(branch: object, partition: number): Iterable<unknown>;
}

/** What a group needs of the run. */
export interface GroupHost {
  /** Runs a commit that begins after this call. */
  commit(): Promise<void>;
  /** Runs a commit soon; an error ends the run. */
  commitSoon(): void;
  /** Ends the run with an error. */
  fail(error: unknown): void;
}

/** A cut that is not on disk yet. */
export interface Cut {
  /** Brings it to disk, and those before it. */
  readonly save: Commit;
  /** What was acknowledged when it was taken. */
  readonly snapshots: ReadonlyMap<GroupSource, Snapshot>;
}

/** A flow whose positions a store holds. */
interface Member {
  readonly flow: string;
  readonly root: GroupSource;
  readonly branch: object;
}

/**
 * The flows of a run that keep their state in one store. State and positions in a cut are of the same messages.
 *
 * - Where flows handle one message after the other, a cut is taken only when none is open: when it is due, messages
 *   wait at their start until those in flight are done; where there is one flow, none ever waits.
 * - Where they handle several at the same time, a cut does not wait. It leaves out the messages that are open, and those
 *   that build on them: what was changed for these is taken back for the moment of the cut. It waits only where a window
 *   has taken in a message that would be left out; nothing is read then.
 * - A commit never waits for a cut: it takes what is whole, and is run again when the rest is.
 * - A message that failed for good stays open for ever: what came after the last cut is dropped.
 */
export class StateGroup implements StateDriver {
  readonly #store: StateStore;
  readonly #host: GroupHost;
  readonly #members: Member[] = [];
  readonly #written = new Map<Member, Map<number, Progress>>();
  #open = 0;
  /** A cut is to be taken as soon as no message is open. */
  #due = false;
  /** Much is waiting for the disk. */
  #full = false;
  /** Messages began since the last cut. */
  #moved = false;
  /** The last cut, until it is on disk. */
  #unsaved: Cut | undefined;
  /** All flows have ended. */
  #stuck = false;
  #ended = false;
  /** True while a cut is taken. */
  #cutting = false;
  /** The messages that are in no cut, where they are counted one by one. */
  readonly #uncut = new Set<RootMessage>();
  #nextLeft: PromiseWithResolvers<void> | undefined;
  /**
   * True where a cut waits until no message is open: what is noted beside it (the checkpoint of another source) must
   * be of the same instant.
   */
  stalls = true;
  #wakes = new Set<() => void>();
  #awaited: PromiseWithResolvers<void> | undefined;

  constructor(store: StateStore, host: GroupHost) {
    this.#store = store;
    this.#host = host;
    store.drive(this);
  }

  /** Adds a flow at one of its sources, and returns the positions that the store has of it. */
  join(flow: string, root: GroupSource, branch: object): ReadonlyMap<number, KnownPosition> {
    const stored = this.#store.positions(flow, root.name);
    const member = { flow, root, branch };
    this.#members.push(member);
    this.#written.set(member, new Map(stored));
    return stored;
  }

  /** True while no message may begin. */
  get closed(): boolean {
    return this.#due || this.#full;
  }

  /** The oldest message for which a cut waits; undefined where none does, or messages are not counted one by one. */
  get awaited(): RootMessage | undefined {
    if (!this.#due) return undefined;
    return oldestOpen(this.#uncut.values().filter(({ required }) => required || this.stalls));
  }

  /** True while none of its messages is open: state and positions are of the same instant. */
  get whole(): boolean {
    return this.#open === 0;
  }

  /** A message begins; it is given where several are handled at the same time. */
  enter(message?: RootMessage): void {
    this.#open++;
    this.#moved = true;
    if (message !== undefined) this.#uncut.add(message);
  }

  /** A message was dropped before it began. */
  abandon(message: RootMessage): void {
    if (this.#uncut.delete(message)) this.leave();
  }

  /** A message is done. */
  leave(): void {
    this.#open--;
    this.#nextLeft?.resolve();
    this.#nextLeft = undefined;
    if (!this.#due || this.#ended) return;
    try {
      if (!this.#cutIfWhole()) return;
    } catch (error) {
      return this.#host.fail(error); // whoever says that a message is done must not meet it
    }
    this.#host.commitSoon();
  }

  /**
   * Takes a cut for a commit that begins now; undefined when it would have to wait for messages in flight: then one is
   * taken as soon as they are done, and another commit follows.
   */
  snapshot(): Cut | undefined {
    if (this.#ended) return undefined;
    if (!this.#cutIfWhole() && this.#unsaved === undefined) {
      this.#due = true;
      return undefined;
    }
    const unsaved = this.#unsaved!;
    const save = async () => {
      await unsaved.save();
      if (this.#unsaved !== unsaved) return;
      this.#unsaved = undefined;
      this.#full = false;
      this.#reopen();
    };
    return { ...unsaved, save };
  }

  /** Much is waiting for the disk. */
  full(): void {
    if (this.#full || this.#cutting) return;
    this.#full = true;
    if (this.#open > 0 && this.stalls) this.#due = true;
    else this.#host.commitSoon();
  }

  /** Resolves when everything written so far is on disk. */
  async flush(): Promise<void> {
    if (!this.stalls) return await this.#flushed([...this.#uncut]);
    if (this.#open === 0) this.#cut(); // a message may begin before the commit does
    else {
      if (this.#stuck) throw stuck();
      this.#due = true;
      await (this.#awaited ??= Promise.withResolvers<void>()).promise;
    }
    await this.#host.commit();
  }

  /** Commits until these messages are in a cut that is on disk: what begins meanwhile is not waited for. */
  async #flushed(messages: readonly RootMessage[]): Promise<void> {
    for (let wereCut = false;;) {
      const { promise: left } = this.#nextLeft ??= Promise.withResolvers(); // also during the commit
      await this.#host.commit();
      if (wereCut) return;
      wereCut = messages.every(({ cut }) => cut);
      if (wereCut && this.#unsaved === undefined) return;
      if (wereCut) continue; // in a cut that the commit has not saved
      if (this.#stuck) throw stuck();
      await left;
    }
  }

  /** All flows have ended: a message that is open now has failed, and nobody waits for it any more. */
  flowsEnded(): void {
    this.#stuck = true;
    this.#nextLeft?.resolve();
    this.#refuse();
  }

  /** Calls `wake` when a message may begin. */
  wait(wake: () => void): void {
    this.#wakes.add(wake);
  }

  /** The run is over: what is whole stays, anything else is dropped. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    const whole = this.#open === 0 && !this.#moved && this.#unsaved === undefined;
    if (whole) this.#store.release();
    else this.#store.drop();
    this.#refuse();
  }

  #refuse(): void {
    this.#awaited?.reject(stuck());
    this.#awaited?.promise.catch(() => {}); // nobody may have waited for it
    this.#awaited = undefined;
  }

  /** Takes a cut if all messages that it must hold are done, and all that they build on; returns whether it did. */
  #cutIfWhole(): boolean {
    if (this.#open > 0 && this.stalls) return false;
    const messages = cuttable(this.#uncut);
    const isWhole = this.#open === 0 ||
      !this.#uncut.values().some(({ required, left }) => required && left);
    if (isWhole) this.#cut(messages);
    return isWhole;
  }

  /** Takes a cut that holds these messages. */
  #cut(messages: readonly RootMessage[] = cuttable(this.#uncut)): void {
    this.#cutting = true;
    for (const message of messages) {
      message.cut = true;
      message.changes.length = 0;
      message.needs.clear();
      this.#uncut.delete(message);
    }
    this.#due = false;
    this.#moved = this.#uncut.size > 0;
    const without = [...this.#uncut].flatMap(({ changes }) => changes);
    const save = this.#store.cut([...this.#positions()], without);
    this.#cutting = false;
    const roots = new Set(this.#members.map(({ root }) => root));
    const snapshots = new Map([...roots].map((root) => [root, root.snapshot()]));
    this.#unsaved = { save, snapshots };
    this.#awaited?.resolve();
    this.#awaited = undefined;
    this.#reopen();
  }

  #reopen(): void {
    if (this.closed) return;
    const wakes = this.#wakes;
    this.#wakes = new Set();
    for (const wake of wakes) wake();
  }

  /** The positions that have changed since the last cut. */
  *#positions(): Generator<StoredPosition> {
    for (const member of this.#members) {
      const { flow, root, branch } = member;
      const written = this.#written.get(member)!;
      for (const [partition, progress] of root.progress()) {
        const last = written.get(partition);
        const { position } = progress;
        const done = [...new Set([...progress.done ?? [], ...root.doneBefore(branch, partition)])];
        const isSame = last?.position === position && done.length === 0 && !last?.done?.length;
        if (isSame || root.isAhead(branch, partition)) continue;
        written.set(partition, { position, done });
        yield { flow, source: root.name, partition, position, done };
      }
    }
  }
}

function stuck(): TypeError {
  return new TypeError(
    "Cannot flush a cache that keeps state: the run ended within a message, and everything after the " +
      "last cut is dropped",
  );
}
