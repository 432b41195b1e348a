import { runDetached } from "../flow/run/current.ts";
import { setCorrection } from "../flow/stage/correction.ts";
import type { Witness } from "../flow/source/host.ts";
import { type Gate, gateOf } from "../flow/source/gate.ts";
import type { Receipt } from "../flow/source/receipt.ts";
import type { Correction } from "../types.ts";
import { SourceOrder, Ticket } from "./source_order.ts";

/** Where a message is in its source. */
export interface MessagePosition {
  /** The partition. */
  readonly partition: number;
  /** The position in it. */
  readonly offset: number;
}

/** Returns where a message is, if it says so, as those of a Topic do. */
export function positionOf(message: unknown): MessagePosition | undefined {
  const { partition, offset } = (message ?? {}) as Partial<MessagePosition>;
  return typeof partition === "number" && typeof offset === "number"
    ? message as MessagePosition
    : undefined;
}

/** How far one partition is handled, as it is kept. */
export interface ReplayRecord {
  /** Where a reader that starts now must begin. */
  readonly cursor: number;
  /** The position before which every message has been handled at least once. */
  readonly applied: number;
  /** The positions at or behind `applied` that have been handled too, while a message before them was not. */
  readonly done?: readonly number[] | undefined;
}

/** The reading of one partition. */
interface PartitionReading {
  applied: number;
  /** The messages in flight that were taken after the last move, and the cursor. */
  order: SourceOrder<Ticket>;
  /** The positions at or behind `applied` that were handled before the last move. */
  beyond: Set<number>;
  /** The gate's seeks when the last message was taken. */
  seeks: number;
  correction: Correction | undefined;
}

function orderFrom(position: number): SourceOrder<Ticket> {
  return new SourceOrder(position, (position) => new Ticket(position));
}

/** The positions behind `applied` that have been handled, the least first. */
function doneBeyond({ order, applied, beyond }: PartitionReading): number[] {
  const done = new Set([...beyond, ...order.beyond]);
  return [...done].filter((position) => position >= applied).sort((a, b) => a - b);
}

function recordOf(reading: PartitionReading): ReplayRecord {
  const { order, applied } = reading;
  const done = doneBeyond(reading);
  return { cursor: order.position, applied, ...(done.length > 0 && { done }) };
}

/** The position behind the last message that was taken, or is not handled again. */
function endOf({ order, beyond }: PartitionReading): number {
  return Math.max(order.next, beyondEnd(beyond));
}

function forgetBefore(applied: number, beyond: Set<number>): void {
  for (const position of beyond) if (position < applied) beyond.delete(position);
}

function beyondEnd(beyond: ReadonlySet<number>): number {
  let end = -Infinity;
  for (const position of beyond) end = Math.max(end, position + 1);
  return end;
}

/** Counts messages in flight. */
interface Counter {
  count: number;
}

/** One partition of the source. */
interface PartitionReplay {
  /** What was kept of it, until reading begins. */
  kept: ReplayRecord | undefined;
  /** Undefined while it is not assigned. */
  reading: PartitionReading | undefined;
}

/** Called when the reading of partitions moves. */
export interface ReplayListener {
  /** Everything of `partition` from `position` on is handled again, or for the first time. */
  moved(partition: number, position: number): void;
  /** Every message that had to be handled again has been. */
  caughtUp(): void;
}

/**
 * Follows the messages of a dependent: which are in flight, how far each partition is handled, and which
 * messages are replayed. The checkpoints of one source share its tracker.
 *
 * A message at a position that was applied before is marked with a {@linkcode Correction}.
 *
 * Where messages are handled concurrently, a partition that was away for a while goes on without those that were
 * begun: nothing of theirs is forgotten.
 */
export class ReplayTracker implements Witness {
  readonly listeners: Set<ReplayListener> = new Set();
  /** Counts the moves back. */
  epoch = 0;

  readonly #gate: Gate;
  readonly #partitions = new Map<number, PartitionReplay>();
  #causes: readonly string[] = [];
  /** How many messages are in flight; each run counts its own. */
  #inFlight: Counter = { count: 0 };
  /** Where messages are handled concurrently, those in flight, each with its place in the order of its partition. */
  readonly #open = new Map<Receipt, [SourceOrder<Ticket>, Ticket] | undefined>();
  #idle: (() => void)[] = [];

  constructor(gate: Gate) {
    this.#gate = gate;
    gate.attributed = true;
    gate.witnesses = [...gate.witnesses, this];
    gate.beforeStart((partitions) => this.#assigned(partitions));
    gate.limitStart((partition, position, exact) => this.#start(partition, position, exact));
  }

  /** A run begins or is over: nothing is in flight. */
  reset(): void {
    this.#inFlight = { count: 0 };
    this.#open.clear();
    this.#rest();
    for (const replay of this.#partitions.values()) {
      if (replay.reading === undefined) continue;
      replay.kept ??= recordOf(replay.reading);
      replay.reading = undefined;
    }
  }

  /** Takes over how far a partition was handled; of several records the safest counts. */
  restore(partition: number, { cursor, applied, done = [] }: ReplayRecord): void {
    const replay = this.#at(partition);
    replay.kept = {
      cursor: Math.min(cursor, replay.kept?.cursor ?? cursor),
      applied: Math.max(applied, replay.kept?.applied ?? applied),
      done: [...new Set([...done, ...replay.kept?.done ?? []])].sort((a, b) => a - b),
    };
  }

  /** How far each partition is handled, also those that are not assigned. */
  get records(): Map<number, ReplayRecord> {
    const all = new Map<number, ReplayRecord>();
    for (const [partition, { kept, reading }] of this.#partitions) {
      all.set(partition, reading === undefined ? kept! : recordOf(reading));
    }
    return all;
  }

  /** True until every message that had to be handled again has been. */
  get behind(): boolean {
    for (const { reading } of this.#partitions.values()) {
      if (reading === undefined) continue;
      if (reading.order.position < reading.applied || reading.beyond.size > 0) return true;
    }
    return false;
  }

  /** A message was taken, and will be handled. */
  begin(message: unknown, receipt: Receipt): void {
    const at = positionOf(message);
    if (at === undefined) {
      const counter = this.#opened(receipt);
      return receipt.whenDone(() => this.#closed(receipt, counter));
    }
    const { offset } = at;
    const reading = this.#readingAt(at);
    const { order } = reading;
    const ticket = order.add(offset);
    if (ticket.again) this.#doneBefore(reading, offset);
    const counter = this.#opened(receipt, order, ticket);
    const correction = this.#correctionAt(offset, reading);
    setCorrection(message, correction);
    receipt.whenDone(() => {
      const wasBehind = correction !== undefined || reading.beyond.size > 0;
      order.done(ticket);
      if (reading.order !== order) this.#doneBefore(reading, offset);
      reading.applied = Math.max(reading.applied, order.position);
      if (reading.beyond.size > 0) forgetBefore(reading.applied, reading.beyond);
      this.#closed(receipt, counter);
      if (!wasBehind || this.behind) return;
      // After the heartbeats of this message, which may make results of others stale.
      queueMicrotask(() => {
        if (this.behind) return;
        runDetached(() => this.listeners.forEach((listener) => listener.caughtUp()));
      });
    });
  }

  /** A message was dropped before it began. */
  dropped(receipt: Receipt): void {
    const place = this.#open.get(receipt);
    if (place !== undefined) place[0].drop(place[1]);
    this.#closed(receipt);
  }

  /** A message is in flight; returns its counter. Where it may be dropped before it begins, it is kept instead. */
  #opened(receipt: Receipt, order?: SourceOrder<Ticket>, ticket?: Ticket): Counter | undefined {
    if (this.#gate.lookAhead !== undefined) {
      this.#open.set(receipt, order && [order, ticket!]);
      return undefined;
    }
    this.#inFlight.count++;
    return this.#inFlight;
  }

  /** A message is done, or dropped. */
  #closed(receipt: Receipt, counter?: Counter): void {
    const isLast = counter === undefined
      ? this.#open.delete(receipt) && this.#open.size === 0
      : --counter.count === 0 && counter === this.#inFlight;
    if (isLast) this.#rest();
  }

  /** A position that is read again was handled before. */
  #doneBefore(reading: PartitionReading, position: number): void {
    if (position >= reading.applied) reading.beyond.add(position);
  }

  /** Where the message is that `receipt` acknowledges; undefined when it is not one of this source. */
  positionOf(receipt: Receipt | undefined): MessagePosition | undefined {
    return receipt?.gate === this.#gate ? positionOf(receipt.origin) : undefined;
  }

  /** Resolves when no message is in flight; undefined when none is. */
  idle(): Promise<void> | undefined {
    if (this.#inFlight.count + this.#open.size === 0) return undefined;
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /**
   * Moves partitions back; those that are there or before already stay. Nothing may be in flight.
   *
   * @returns The partitions that move, and what resolves when they have.
   */
  moveBack(
    positions: ReadonlyMap<number, number>,
    causes: readonly string[],
  ): { from: Record<number, number>; moved: void | Promise<void> } {
    const from: Record<number, number> = {};
    if (!this.behind) this.#causes = [];
    const all = new Set([...this.#causes, ...causes]); // another checkpoint may have moved it too
    if (all.size > this.#causes.length) this.#causes = [...all];
    for (const [partition, position] of positions) {
      const reading = this.#partitions.get(partition)?.reading;
      if (reading === undefined) from[partition] = position;
      else if (position < endOf(reading)) {
        from[partition] = Math.min(position, reading.order.position); // no message may be passed over
      }
    }
    if (Object.keys(from).length === 0) return { from, moved: undefined };
    this.epoch++;
    const moved = this.#gate.seek(from);
    for (const [partition, position] of Object.entries(from)) {
      this.#move(Number(partition), position);
    }
    return { from, moved };
  }

  #rest(): void {
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }

  /** `partitions` will be read, and no others: the records of those are kept until they come back. */
  #assigned(partitions: readonly number[]): void {
    for (const [partition, replay] of this.#partitions) {
      if (replay.reading === undefined || partitions.includes(partition)) continue;
      replay.kept = recordOf(replay.reading);
      replay.reading = undefined;
    }
  }

  /**
   * A partition is about to be read: it begins where its record says, when that is earlier and no one has
   * chosen exactly this position.
   */
  #start(partition: number, position: number, exact = false): number {
    const { lookAhead, seeks } = this.#gate;
    const replay = this.#at(partition);
    const { kept, reading: before } = replay;
    const known = kept ?? (before && recordOf(before));
    replay.kept = undefined;
    const again = !exact && known !== undefined && known.cursor < known.applied;
    const start = again ? Math.min(position, known.cursor) : position;
    const applied = Math.max(position, known?.applied ?? position);
    let end = start; // nothing at or behind it has a result that is not made again
    if (before !== undefined && kept === undefined && !exact && lookAhead !== undefined) {
      // What was begun is not begun again.
      before.applied = applied;
      before.order.begin(start);
      end = Math.max(start, endOf(before));
    } else {
      lookAhead?.forget(partition);
      const reading: PartitionReading = {
        applied,
        order: orderFrom(start),
        beyond: new Set(known?.done?.filter((position) => position >= applied)),
        seeks,
        correction: undefined,
      };
      if (!exact) end = Math.max(start, endOf(reading));
      // What is still in flight of an assignment before counts as applied when it is done.
      if (before === undefined) replay.reading = reading;
      else Object.assign(before, reading);
    }
    for (const listener of this.listeners) listener.moved(partition, end);
    return start;
  }

  #move(partition: number, position: number): void {
    const reading = this.#partitions.get(partition)?.reading;
    if (reading !== undefined) {
      reading.beyond = new Set(doneBeyond(reading));
      reading.order = orderFrom(position);
      reading.seeks = this.#gate.seeks;
      reading.correction = undefined;
    }
    for (const listener of this.listeners) listener.moved(partition, position);
  }

  #at(partition: number): PartitionReplay {
    let replay = this.#partitions.get(partition);
    if (replay === undefined) {
      this.#partitions.set(partition, replay = { kept: undefined, reading: undefined });
    }
    return replay;
  }

  /** The reading of a partition; a seek by the application shows in the first message after it. */
  #readingAt({ partition, offset }: MessagePosition): PartitionReading {
    if (this.#partitions.get(partition)?.reading === undefined) this.#start(partition, offset);
    const reading = this.#partitions.get(partition)!.reading!;
    if (reading.seeks !== this.#gate.seeks) {
      reading.seeks = this.#gate.seeks;
      reading.order.begin(offset);
      if (offset < reading.order.next) {
        this.epoch++;
        this.#causes = [];
        this.#move(partition, offset);
      }
    }
    return reading;
  }

  #correctionAt(offset: number, reading: PartitionReading): Correction | undefined {
    const { applied, beyond } = reading;
    if (offset >= applied && !beyond.has(offset)) return reading.correction = undefined;
    const { correction } = reading;
    if (correction?.dependencies === this.#causes) return correction;
    return reading.correction = {
      epoch: correction?.epoch ?? this.epoch,
      until: Math.max(applied, beyondEnd(beyond)),
      dependencies: this.#causes,
    };
  }
}

const trackers = new WeakMap<Gate, ReplayTracker>();

/** Returns the tracker of a source. */
export function replayTrackerOf(source: object): ReplayTracker {
  const gate = gateOf(source);
  let tracker = trackers.get(gate);
  if (tracker === undefined) trackers.set(gate, tracker = new ReplayTracker(gate));
  return tracker;
}
