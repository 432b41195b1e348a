import type { Branch } from "./branch.ts";
import type { Hub } from "./hub.ts";
import type { Commit } from "./feed.ts";
import type { Receipt } from "./receipt.ts";
import type { Resumption, Root, StateDriver, StateStore, StoredPosition } from "./state.ts";

/** What a group needs of the run. */
export interface GroupHost {
  /** Runs a barrier that begins after this call. */
  barrier(): Promise<void>;
  /** Runs a barrier soon; an error ends the run. */
  barrierSoon(): void;
}

/** A flow whose positions a store holds. */
interface Member {
  readonly flow: string;
  readonly root: RootSource;
  readonly branch: Branch<unknown>;
}

/**
 * The flows of a run that keep their state in one store. A cut of the store is taken only at a moment at
 * which none of their messages is open, so that state and positions in it are of the same instant.
 *
 * - When a cut is due, messages wait at their start until those under way are done; where there is one
 *   flow, none ever waits.
 * - A barrier never waits for a cut: it takes what is whole, and is run again when the rest is.
 * - A message that failed for good stays open for ever: what came after the last cut is dropped.
 */
export class StateGroup implements StateDriver {
  /** True while no message may begin. */
  closed = false;

  readonly #store: StateStore;
  readonly #host: GroupHost;
  readonly #members: Member[] = [];
  readonly #written = new Map<Member, Map<number, unknown>>();
  #open = 0;
  #due = false;
  #full = false;
  /** Messages began since the last cut. */
  #moved = false;
  /** Brings the cuts to disk that are not there yet. */
  #unsaved: Commit | undefined;
  #ended = false;
  #wakes: (() => void)[] = [];
  #awaited: PromiseWithResolvers<void> | undefined;

  constructor(store: StateStore, host: GroupHost) {
    this.#store = store;
    this.#host = host;
    store.drive(this);
  }

  /** Adds a flow at one of its sources, and returns the positions that the store has of it. */
  join(flow: string, root: RootSource, branch: Branch<unknown>): ReadonlyMap<number, unknown> {
    const stored = this.#store.positions(flow, root.name);
    const member = { flow, root, branch };
    this.#members.push(member);
    this.#written.set(member, new Map(stored));
    return stored;
  }

  /** True while none of its messages is open: state and positions are of the same instant. */
  get whole(): boolean {
    return this.#open === 0;
  }

  /** A message begins. */
  enter(): void {
    this.#open++;
    this.#moved = true;
  }

  /** A message is done. */
  leave(): void {
    if (--this.#open > 0 || !this.#due || this.#ended) return;
    this.#cut();
    this.#host.barrierSoon();
  }

  /**
   * Takes a cut for a barrier that begins now; undefined when messages are under way: then one is taken
   * as soon as they are done, and another barrier follows.
   */
  snapshot(): Commit | undefined {
    if (this.#ended) return undefined;
    if (this.#open === 0) this.#cut();
    else if (this.#unsaved === undefined) {
      this.#want();
      return undefined;
    }
    const unsaved = this.#unsaved!;
    return async () => {
      await unsaved();
      if (this.#unsaved !== unsaved) return;
      this.#unsaved = undefined;
      this.#full = false;
      this.#reopen();
    };
  }

  /** Much is waiting for the disk. */
  full(): void {
    if (this.#full) return;
    this.#full = this.closed = true;
    if (this.#open > 0) this.#due = true;
    else this.#host.barrierSoon();
  }

  /** Resolves when everything written so far is on disk. */
  async flush(): Promise<void> {
    if (this.#open > 0) {
      this.#want();
      await (this.#awaited ??= Promise.withResolvers<void>()).promise;
    }
    await this.#host.barrier();
  }

  /** Calls `wake` when a message may begin. */
  wait(wake: () => void): void {
    this.#wakes.push(wake);
  }

  /** The run is over: what is whole stays, anything else is dropped. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    const whole = this.#open === 0 && !this.#moved && this.#unsaved === undefined;
    if (whole) this.#store.release();
    else this.#store.drop();
    this.#awaited?.reject(new TypeError("Cannot flush: the run has ended within a message"));
    this.#awaited?.promise.catch(() => {}); // nobody may have waited for it
  }

  #want(): void {
    this.#due = this.closed = true;
  }

  #cut(): void {
    this.#due = this.#moved = false;
    this.#unsaved = this.#store.cut([...this.#positions()]);
    this.#awaited?.resolve();
    this.#awaited = undefined;
    this.#reopen();
  }

  #reopen(): void {
    if (this.#due || this.#full || !this.closed) return;
    this.closed = false;
    const wakes = this.#wakes;
    this.#wakes = [];
    for (const wake of wakes) wake();
  }

  /** The positions that have changed since the last cut. */
  *#positions(): Generator<StoredPosition> {
    for (const member of this.#members) {
      const { flow, root, branch } = member;
      const written = this.#written.get(member)!;
      for (const [partition, position] of root.positions) {
        if (written.get(partition) === position || branch.past?.has(partition)) continue;
        written.set(partition, position);
        yield { flow, source: root.name, partition, position };
      }
    }
  }
}

/** An outside source whose flows keep state: counts its messages for their groups, and knows its positions. */
export class RootSource implements Root, Resumption {
  /** The position after the last message that began, by partition. */
  readonly positions: Map<number, unknown> = new Map();
  readonly name: string;
  readonly #hub: Hub<unknown>;
  readonly #groups: StateGroup[] = [];
  readonly #stored = new Map<Branch<unknown>, ReadonlyMap<number, unknown>>();

  constructor(hub: Hub<unknown>) {
    this.#hub = hub;
    this.name = hub.name;
  }

  /** Has `group` hold the positions of a flow. */
  add(group: StateGroup, flow: string, branch: Branch<unknown>): void {
    if (!this.#groups.includes(group)) this.#groups.push(group);
    this.#stored.set(branch, group.join(flow, this, branch));
  }

  /** True while no message may begin. */
  get closed(): boolean {
    for (const group of this.#groups) if (group.closed) return true;
    return false;
  }

  /** Calls `wake` when it may be worth while to ask again whether a message may begin. */
  wait(wake: () => void): void {
    for (const group of this.#groups) if (group.closed) return group.wait(wake);
    wake();
  }

  /** A message begins: nothing is cut until its receipt says that it is done. */
  enter(receipt: Receipt): void {
    const { partition, next } = receipt;
    this.positions.set(partition, next);
    receipt.root = this;
    for (const group of this.#groups) group.enter();
  }

  /** A message is done. */
  leave(): void {
    for (const group of this.#groups) group.leave();
  }

  /** Says whether its messages belong to the cuts of `driver`. */
  drives(driver: StateDriver): boolean {
    return (this.#groups as StateDriver[]).includes(driver);
  }

  /**
   * Where a partition begins: at the least of what its flows have stored, and its own position for the
   * others; later after the last message that began, though it may still be under way: it will be done.
   */
  start(partition: number, position: unknown): unknown {
    const known = this.positions.get(partition);
    if (known !== undefined) return known;
    const wanted = this.#hub.branches.map((branch) =>
      this.#stored.get(branch)?.get(partition) ?? position
    );
    return wanted.reduce((least, each) => this.#isBefore(each, least) ? each : least);
  }

  /** A partition begins at `position`: flows that are past it are given only what is new to them. */
  began(partition: number, position: unknown, sought: boolean): void {
    for (const [branch, stored] of this.#stored) {
      const past = stored.get(partition);
      if (sought) branch.past?.delete(partition);
      else if (!this.positions.has(partition) && past !== undefined && past !== position) {
        if (this.#isBefore(position, past)) (branch.past ??= new Map()).set(partition, past);
      }
      if (branch.past?.size === 0) branch.past = undefined;
    }
    this.positions.set(partition, position);
  }

  /** Says whether a flow has had this message already. */
  isPast(branch: Pick<Branch<unknown>, "past">, { partition, next }: Receipt): boolean {
    const past = branch.past!.get(partition);
    if (past === undefined) return false;
    if (past !== next && this.#isBefore(next, past)) return true;
    branch.past!.delete(partition);
    if (branch.past!.size === 0) branch.past = undefined;
    return past === next;
  }

  #isBefore(position: unknown, other: unknown): boolean {
    if (position === other) return false;
    if (typeof position === "number" && typeof other === "number") return position < other;
    if (typeof position === "bigint" && typeof other === "bigint") return position < other;
    throw new TypeError(
      `Cannot begin source "${this.name}" where its flows were: they were at different positions ` +
        "that are no numbers; give each flow a source of its own",
    );
  }
}
