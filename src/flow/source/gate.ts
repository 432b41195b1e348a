import type { Companion, PartState, Witness } from "./host.ts";
import type { Holder, ReceiptGate } from "./receipt.ts";

/** The feed of a source, as its gate uses it while the source is read. */
export interface Positioned {
  /** Moves to another position; see `Feed.seek`. */
  seek?(position: unknown): void | Promise<void>;
  /** The partitions that are read now; see `Feed.parts`. */
  parts?(): Iterable<PartState>;
  /** The first positions that the partitions still have; see `Feed.beginnings`. */
  beginnings?(): Promise<ReadonlyMap<number, number>>;
}

/**
 * Returns where to begin a partition that would begin at `position` by itself; with `exact`, a caller has chosen
 * that position.
 */
export type StartLimit = (partition: number, position: number, exact: boolean) => number;

/** Prepares for reading `partitions`: all that a reader was assigned, of the `total` of the source. */
export type StartPreparation = (
  partitions: readonly number[],
  total: number,
) => void | Promise<void>;

/**
 * The valve on one source: open, paused (all of it, or single partitions) for a set of reasons, or moved to a new
 * position.
 *
 * - A pause takes effect before the next message; a message in flight is finished.
 * - The source flows again when no reason is left.
 * - A paused partition keeps its messages back; the others go on where the source can do so.
 * - `seek` starts an epoch; it never waits for the message in flight, so a handler may call it.
 */
export class Gate implements ReceiptGate {
  /** True while the source is paused; read for every message, hence a field. */
  closed = false;
  /** True while single partitions are paused or guarded; read for every message, hence a field. */
  guarded = false;
  /** True while it is neither closed nor guarded; read for every message, hence a field. */
  free = true;
  /** Counts the seeks, and the like: what was read in an older epoch is not handled any more. */
  epoch = 0;
  /** Counts the seeks alone: what was handled before one is handled again. */
  seeks = 0;
  /** True when every call for this source must be attributable to its message (see attribution.ts). */
  attributed = false;
  /** The checkpoint that moves the source back, by name: each of its messages must be done before long. */
  corrector: string | undefined;
  /**
   * Returns the position of the first message of a partition that the corrector may have handled again, as far as is
   * known now; undefined when there is none.
   */
  provisional: ((partition: number) => number | undefined) | undefined;
  /**
   * The stages that hold messages of the source until others come, or a time is up.
   *
   * @internal
   */
  readonly holders: Set<Holder> = new Set();
  /**
   * What is taken of the source and not done, where a flow handles its messages concurrently.
   *
   * @internal
   */
  lookAhead: {
    waits(partition: number, next: unknown): boolean;
    forget(partition?: number): void;
  } | undefined;
  /** Those who see every message, when the gate is `attributed`. */
  witnesses: readonly Witness[] = [];
  /** The companions of the source in its runs. */
  readonly companions: Set<Companion> = new Set();

  /** The stores that hold state of the flows of this run, each with the name of such a flow. */
  readonly stores: Map<object, string> = new Map();

  readonly #reasons = new Set<string>();
  readonly #pausedPartitions = new Map<number, Set<string>>();
  readonly #guards = new Set<(message: unknown) => boolean>();
  readonly #observers = new Set<() => void>();
  #wakes = new Set<() => void>();
  readonly #limits = new Set<StartLimit>();
  readonly #preparations = new Set<StartPreparation>();
  #target: Positioned | undefined;

  /** The reasons for which the source is paused. */
  get reasons(): string[] {
    return [...this.#reasons];
  }

  /** Returns why a partition is paused; empty while it is not. */
  heldFor(partition: number): string[] {
    return [...this.#pausedPartitions.get(partition) ?? []];
  }

  /** Pauses the source, or one partition of it, for `reason`. */
  pause(reason: string, partition?: number): void {
    if (partition === undefined) this.#reasons.add(reason);
    else this.#pausedPartitions.getOrInsertComputed(partition, () => new Set()).add(reason);
    this.#changed();
  }

  /** Takes one reason back. */
  resume(reason: string, partition?: number): void {
    if (partition === undefined) this.#reasons.delete(reason);
    else {
      const reasons = this.#pausedPartitions.get(partition);
      reasons?.delete(reason);
      if (reasons?.size === 0) this.#pausedPartitions.delete(partition);
    }
    this.#changed();
  }

  /** Adds a test that every message must pass before it is handled; returns a function that removes it. */
  guard(admits: (message: unknown) => boolean): () => void {
    this.#guards.add(admits);
    this.#changed();
    return () => {
      this.#guards.delete(admits);
      this.#changed();
    };
  }

  /** Returns whether `message` may be handled now; it is tested again after every change of the gate. */
  admits(message: unknown): boolean {
    if (this.#pausedPartitions.size > 0) {
      const partition = (message as { partition?: unknown } | null | undefined)?.partition;
      if (typeof partition === "number" && this.#pausedPartitions.has(partition)) return false;
    }
    for (const admits of this.#guards) if (!admits(message)) return false;
    return true;
  }

  /** Tests the held messages again, since a guard may admit them now. */
  recheck(): void {
    this.#changed();
  }

  /** Calls `wake` once, at the next change. A caller that waits repeatedly passes the same function. */
  wait(wake: () => void): void {
    this.#wakes.add(wake);
  }

  /** Calls `observer` at every change; returns a function that removes it. */
  observe(observer: () => void): () => void {
    this.#observers.add(observer);
    return () => void this.#observers.delete(observer);
  }

  /** Makes `target` what {@linkcode Gate.seek} moves; undefined when the source is not read any more. */
  attach(target: Positioned | undefined): void {
    if (target === undefined) {
      this.stores.clear();
      this.lookAhead = undefined;
    }
    this.holders.clear();
    this.#target = target;
  }

  /** Returns whether a stage holds the message of `partition` that ends at the position `next`. */
  holds(partition: number, next: unknown): boolean {
    return this.holders.values().some((holder) => holder.holds(this, partition, next));
  }

  /** True while the source is read. */
  get read(): boolean {
    return this.#target !== undefined;
  }

  /** True while the source is read and can be moved. */
  get seekable(): boolean {
    return this.#target?.seek !== undefined;
  }

  /** The partitions that are read now; undefined when the source has none, or is not being read. */
  get parts(): Iterable<PartState> | undefined {
    return this.#target?.parts?.();
  }

  /** The first positions that the partitions still have; undefined when the source deletes nothing. */
  beginnings(): Promise<ReadonlyMap<number, number>> | undefined {
    return this.#target?.beginnings?.();
  }

  /** Calls `prepare` before reading begins, which waits for it. Returns a function that removes it. */
  beforeStart(prepare: StartPreparation): () => void {
    this.#preparations.add(prepare);
    return () => void this.#preparations.delete(prepare);
  }

  /** For the feed: its assigned partitions are about to be read. A rejection means that they cannot be. */
  async prepareStart(partitions: readonly number[], total: number): Promise<void> {
    const preparations = [...this.#preparations];
    await Promise.all(preparations.map((prepare) => prepare(partitions, total)));
  }

  /** Calls `limit` wherever reading begins; the least answer counts. Returns a function that removes it. */
  limitStart(limit: StartLimit): () => void {
    this.#limits.add(limit);
    return () => void this.#limits.delete(limit);
  }

  /** For the feed: where to begin a partition that would begin at `position`; with `exact`, that was chosen. */
  startAt(partition: number, position: number, exact = false): number {
    let start = position;
    for (const limit of this.#limits) start = Math.min(start, limit(partition, position, exact));
    return start;
  }

  /** For the feed: starts an epoch in which messages that were handed out and held back come again. */
  renew(): void {
    this.epoch++;
  }

  /**
   * Moves the source to `position` and starts a new epoch.
   *
   * @throws {TypeError} If the source cannot be moved or is not being read.
   */
  seek(position: unknown): void | Promise<void> {
    const target = this.#target;
    if (target?.seek === undefined) {
      throw new TypeError("Cannot seek: the source has no positions, or is not being read");
    }
    this.epoch++;
    this.seeks++;
    const moved = target.seek(position);
    this.#changed();
    return moved;
  }

  #changed(): void {
    this.closed = this.#reasons.size > 0;
    this.guarded = this.#pausedPartitions.size > 0 || this.#guards.size > 0;
    this.free = !this.closed && !this.guarded;
    for (const observer of this.#observers) observer();
    const wakes = this.#wakes;
    this.#wakes = new Set();
    for (const wake of wakes) wake();
  }
}

const gates = new WeakMap<object, Gate>();

/** Returns the gate of a source object; a source that is not an object (a string) gets a new one. */
export function gateOf(source: unknown): Gate {
  if ((typeof source !== "object" && typeof source !== "function") || source === null) {
    return new Gate();
  }
  let gate = gates.get(source);
  if (gate === undefined) gates.set(source, gate = new Gate());
  return gate;
}
