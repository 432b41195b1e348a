import type { Commit } from "../source/host.ts";
import type { Receipt } from "../source/receipt.ts";
import type { Resumption, StateDriver } from "./state.ts";
import type { Root } from "../source/receipt.ts";
import type { Cut, GroupSource, Snapshot, StateGroup } from "./state_group.ts";

/** What reads the source: its hub. */
interface Reading {
  readonly name: string;
  readonly feed: { snapshot?(): Commit | undefined };
  /** The flows that read it. */
  readonly branches: readonly object[];
}

/** A flow at the source. */
interface Kept {
  readonly flow: string;
  /** The positions that its store has of it, by partition. */
  readonly stored: ReadonlyMap<number, unknown>;
}

/** An outside source whose flows keep state: counts its messages for their groups, and knows its positions. */
export class RootSource implements Root, Resumption, GroupSource {
  /** The position after the last message that began, by partition. */
  readonly positions: Map<number, unknown> = new Map();
  readonly name: string;
  readonly #reading: Reading;
  readonly #groups: StateGroup[] = [];
  #snapshots = 0;
  readonly #kept = new Map<object, Kept>();
  /** The flows that are ahead of the source, and up to which position, by partition. */
  readonly #ahead = new Map<object, Map<number, unknown>>();

  constructor(reading: Reading) {
    this.#reading = reading;
    this.name = reading.name;
  }

  /** Has `group` hold the positions of a flow. */
  add(group: StateGroup, flow: string, branch: object): void {
    if (!this.#groups.includes(group)) this.#groups.push(group);
    this.#kept.set(branch, { flow, stored: group.join(flow, this, branch) });
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

  /** Work begins that belongs to no message, and moves no position. */
  enterTick(receipt: Receipt): void {
    receipt.root = this;
    for (const group of this.#groups) group.enter();
  }

  /** A message is done. */
  leave(): void {
    for (const group of this.#groups) group.leave();
  }

  /** Takes what may be committed when everything acknowledged so far is durable. */
  snapshot(): Snapshot {
    return { number: this.#snapshots++, commit: this.#reading.feed.snapshot?.() };
  }

  /** What may be committed when these cuts are on disk: not more than the oldest of its groups' has. */
  commitOf(cuts: ReadonlyMap<StateGroup, Cut>): Commit | undefined {
    let oldest: Snapshot | undefined;
    for (const group of this.#groups) {
      const snapshot = cuts.get(group)?.snapshots.get(this);
      if (snapshot === undefined) return undefined;
      if (oldest === undefined || snapshot.number < oldest.number) oldest = snapshot;
    }
    return oldest?.commit;
  }

  /** Returns whether its messages belong to the cuts of `driver`. */
  drives(driver: StateDriver): boolean {
    return (this.#groups as StateDriver[]).includes(driver);
  }

  /**
   * Where a partition begins: at the least of what its flows have stored, and its own position for the
   * others; later after the last message that began, though it may still be in flight: it will be done.
   */
  start(partition: number, position: unknown): unknown {
    const known = this.positions.get(partition);
    if (known !== undefined) return known;
    const wanted = this.#reading.branches.map((branch) =>
      this.#kept.get(branch)?.stored.get(partition) ?? position
    );
    return wanted.reduce((least, each) => this.#isBefore(each, least) ? each : least);
  }

  /** A flow whose state says nothing of a partition that was not read before in this run. */
  unknownTo(partition: number): string | undefined {
    if (this.positions.has(partition)) return undefined;
    for (const { flow, stored } of this.#kept.values()) {
      if (!stored.has(partition)) return flow;
    }
    return undefined;
  }

  /** A partition begins at `position`; unless it was `moved` there, flows get only what is new to them. */
  began(partition: number, position: unknown, moved: boolean): void {
    const isNew = !this.positions.has(partition);
    for (const [branch, { stored }] of this.#kept) {
      const last = stored.get(partition);
      if (moved) this.#catchUp(branch, partition);
      else if (isNew && last !== undefined && this.#isBefore(position, last)) {
        this.#ahead.getOrInsertComputed(branch, () => new Map()).set(partition, last);
      }
    }
    this.positions.set(partition, position);
  }

  /** True while a flow is not given everything; read for every message. */
  get selective(): boolean {
    return this.#ahead.size > 0;
  }

  /** Returns whether the position of a flow in a partition is ahead of the source. */
  isAhead(branch: object, partition: number): boolean {
    return this.#ahead.get(branch)?.has(partition) ?? false;
  }

  /** Returns whether a message is new to a flow. */
  isNew(branch: object, { partition, next }: Receipt): boolean {
    const last = this.#ahead.get(branch)?.get(partition);
    if (last === undefined || this.#isBefore(last, next)) {
      this.#catchUp(branch, partition);
      return true;
    }
    if (last === next) this.#catchUp(branch, partition);
    return false;
  }

  #catchUp(branch: object, partition: number): void {
    const ahead = this.#ahead.get(branch);
    ahead?.delete(partition);
    if (ahead?.size === 0) this.#ahead.delete(branch);
  }

  #isBefore(position: unknown, other: unknown): boolean {
    if (position === other) return false;
    if (position === undefined || other === undefined) return position === undefined;
    if (typeof position === "number" && typeof other === "number") return position < other;
    if (typeof position === "bigint" && typeof other === "bigint") return position < other;
    throw new TypeError(
      `Cannot resume source "${this.name}" where its flows were: they were at different positions ` +
        "that are not numbers; give each flow a source of its own",
    );
  }
}
