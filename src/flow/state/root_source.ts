import type { Commit } from "../source/host.ts";
import type { Receipt } from "../source/receipt.ts";
import type { Resumption, StateDriver } from "./state.ts";
import type { Root } from "../source/receipt.ts";
import { MessageLine, RootMessage } from "./root_message.ts";
import type { KnownPosition } from "./state.ts";
import type { Cut, GroupSource, Progress, Snapshot, StateGroup } from "./state_group.ts";

/** What reads the source: its hub. */
interface Reading {
  readonly name: string;
  readonly feed: { snapshot?(upTo?: ReadonlyMap<number, unknown>): Commit | undefined };
  /** The flows that read it. */
  readonly branches: { readonly all: readonly object[] };
}

/** A flow at the source. */
interface Kept {
  readonly flow: string;
  /** The positions that its store has of it, by partition. */
  readonly stored: ReadonlyMap<number, KnownPosition>;
  /** What it has done behind them, by partition, and the source gives once more. */
  readonly done: Map<number, Map<unknown, unknown>>;
}

/** An outside source whose flows keep state: counts its messages for their groups, and knows its positions. */
export class RootSource implements Root, Resumption, GroupSource {
  /** True where several of its messages are handled at the same time. */
  perMessage = false;
  /** True where what was begun may come again, and is not begun again then. */
  repeats = false;
  /** The position after the last message that began, by partition. */
  readonly positions: Map<number, unknown> = new Map();
  readonly name: string;
  readonly #reading: Reading;
  readonly #groups: StateGroup[] = [];
  #snapshots = 0;
  /** The messages of each partition, where several are handled at the same time. */
  readonly #lines = new Map<number, MessageLine>();
  /** How many messages that a flow has done come once more. */
  #again = 0;
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
    const stored = group.join(flow, this, branch);
    const done = new Map<number, Map<unknown, unknown>>();
    for (const [partition, known] of stored) {
      const entries = known.done.map((position) => [comparable(position), position] as const);
      if (entries.length > 0) done.set(partition, new Map(entries));
    }
    this.#again += done.size;
    this.#kept.set(branch, { flow, stored, done });
  }

  /** How many stores hold positions of its flows. */
  get stores(): number {
    return this.#groups.length;
  }

  /** True while no message may begin. */
  get closed(): boolean {
    for (const group of this.#groups) if (group.closed) return true;
    return false;
  }

  /** The message of this source for which a cut waits. */
  get awaited(): RootMessage | undefined {
    return this.#groups.map(({ awaited }) => awaited).find((message) => message?.source === this);
  }

  /** Calls `wake` when it may be worth while to ask again whether a message may begin. */
  wait(wake: () => void): void {
    for (const group of this.#groups) if (group.closed) return group.wait(wake);
    wake();
  }

  /** A message begins: it is in no cut before its receipt says that it is done. */
  enter(receipt: Receipt): void {
    const { partition, next } = receipt;
    this.positions.set(partition, next);
    let message: RootMessage | undefined;
    if (this.perMessage) {
      message = new RootMessage(this, partition, next);
      this.#lines.getOrInsertComputed(partition, () => new MessageLine(undefined)).add(message);
    }
    receipt.root = message ?? this;
    for (const group of this.#groups) group.enter(message);
  }

  /** Work begins that belongs to no message, and moves no position. */
  enterTick(receipt: Receipt): void {
    const tick = this.perMessage ? new RootMessage(this, 0, undefined) : undefined;
    receipt.root = tick ?? this;
    for (const group of this.#groups) group.enter(tick);
  }

  /** A message is done. */
  leave(): void {
    for (const group of this.#groups) group.leave();
  }

  /** A message of several is done. */
  finished(_message: RootMessage): void {
    this.leave();
  }

  /** A message was dropped before it began: its place is kept until it comes again. */
  abandoned(message: RootMessage): void {
    for (const group of this.#groups) group.abandon(message);
  }

  /** Takes what may be committed when everything acknowledged so far, and in the cut, is durable. */
  snapshot(): Snapshot {
    const { feed } = this.#reading;
    const upTo = this.perMessage
      ? new Map([...this.#lines].map(([partition, { position }]) => [partition, position]))
      : undefined;
    return { number: this.#snapshots++, commit: feed.snapshot?.(upTo) };
  }

  /** How far each partition is in a cut that is taken now. */
  *progress(): Generator<[partition: number, Progress]> {
    if (!this.perMessage) {
      for (const [partition, position] of this.positions) yield [partition, { position }];
      return;
    }
    for (const [partition, line] of this.#lines) {
      for (const { next } of line.advance()) this.#passed(partition, next);
      yield [partition, { position: line.position, done: line.cut }];
    }
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
   * others. Later after the last message that began, though it may still be in flight: it will be done; where several
   * are in flight, after those before the first one that is not done.
   */
  start(partition: number, position: unknown): unknown {
    const line = this.repeats ? this.#lines.get(partition) : undefined;
    const known = line?.done ?? this.positions.get(partition);
    if (known !== undefined) return known;
    const wanted = this.#reading.branches.all.map((branch) => {
      const stored = this.#kept.get(branch)?.stored.get(partition);
      return stored === undefined ? position : stored.position;
    });
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
    for (const [branch, { stored, done }] of this.#kept) {
      const last = stored.get(partition)?.position;
      if (moved) {
        this.#catchUp(branch, partition);
        if (done.delete(partition)) this.#again--;
      } else if (isNew && last !== undefined && this.#isBefore(position, last)) {
        this.#ahead.getOrInsertComputed(branch, () => new Map()).set(partition, last);
      }
    }
    this.positions.set(partition, position);
    if (this.perMessage && (isNew || moved)) {
      this.#lines.set(partition, new MessageLine(position));
    }
  }

  /** True while a flow is not given everything; read for every message. */
  get selective(): boolean {
    return this.#ahead.size > 0 || this.#again > 0;
  }

  /** Returns whether the position of a flow in a partition is ahead of the source. */
  isAhead(branch: object, partition: number): boolean {
    return this.#ahead.get(branch)?.has(partition) ?? false;
  }

  /** What a flow has done behind its position before, and the source gives once more. */
  doneBefore(branch: object, partition: number): Iterable<unknown> {
    return this.#kept.get(branch)?.done.get(partition)?.values() ?? [];
  }

  /** Returns whether a message is new to a flow. */
  isNew(branch: object, { partition, next }: Receipt): boolean {
    if (this.#again > 0 && this.#hasDone(branch, partition, next)) return false;
    const last = this.#ahead.get(branch)?.get(partition);
    if (last === undefined || this.#isBefore(last, next)) {
      this.#catchUp(branch, partition);
      return true;
    }
    if (last === next) this.#catchUp(branch, partition);
    return false;
  }

  #hasDone(branch: object, partition: number, next: unknown): boolean {
    return this.#kept.get(branch)?.done.get(partition)?.has(comparable(next)) ?? false;
  }

  /** A message does not come once more. */
  #passed(partition: number, next: unknown): void {
    if (this.#again === 0) return;
    for (const { done } of this.#kept.values()) {
      const there = done.get(partition);
      if (!there?.delete(comparable(next)) || there.size > 0) continue;
      done.delete(partition);
      this.#again--;
    }
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

/** A position as a `Set` tells it apart: one that is plain data as text. */
function comparable(position: unknown): unknown {
  return typeof position === "object" ? JSON.stringify(position) : position;
}
