import { setCorrection } from "../flow/stage/correction.ts";
import { AckTracker } from "../flow/source/ack_tracker.ts";
import type { Witness } from "../flow/source/host.ts";
import { type Gate, gateOf } from "../flow/source/gate.ts";
import type { Receipt } from "../flow/source/receipt.ts";
import type { Correction } from "../types.ts";

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
}

/** The reading of one partition. */
interface PartitionReading {
  applied: number;
  /** The messages in flight that began after the last move, and the cursor. */
  acks: AckTracker;
  /** The gate's epoch when the last message began. */
  epoch: number;
  correction: Correction | undefined;
}

function recordOf({ acks, applied }: PartitionReading): ReplayRecord {
  return { cursor: acks.position, applied };
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
  /** Reading of `partition` goes on at `position`. */
  moved(partition: number, position: number): void;
  /** Every message that had to be handled again has been. */
  caughtUp(): void;
}

/**
 * Follows the messages of a dependent: which are in flight, how far each partition is handled, and which
 * messages are replayed. The checkpoints of one source share its tracker.
 *
 * A message at a position that was applied before is marked with a {@linkcode Correction}.
 */
export class ReplayTracker implements Witness {
  readonly listeners: Set<ReplayListener> = new Set();
  /** Counts the moves back. */
  epoch = 0;

  readonly #gate: Gate;
  readonly #partitions = new Map<number, PartitionReplay>();
  #causes: readonly string[] = [];
  #open = 0;
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
    this.#open = 1;
    this.#closed();
  }

  /** Takes over how far a partition was handled; of several records the safest counts. */
  restore(partition: number, { cursor, applied }: ReplayRecord): void {
    const replay = this.#at(partition);
    replay.kept = {
      cursor: Math.min(cursor, replay.kept?.cursor ?? cursor),
      applied: Math.max(applied, replay.kept?.applied ?? applied),
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
      if (reading !== undefined && reading.acks.position < reading.applied) return true;
    }
    return false;
  }

  /** A message is about to be handled. */
  begin(message: unknown, receipt: Receipt): void {
    this.#open++;
    const at = positionOf(message);
    if (at === undefined) return receipt.whenDone(() => this.#closed());
    const reading = this.#readingAt(at);
    const { acks } = reading;
    const number = acks.open(at.offset + 1);
    const correction = this.#correctionAt(at.offset, reading);
    setCorrection(message, correction);
    receipt.whenDone(() => {
      acks.done(number);
      reading.applied = Math.max(reading.applied, acks.position);
      this.#closed();
      if (correction === undefined || this.behind) return;
      // After the heartbeats of this message, which may make results of others stale.
      queueMicrotask(() => {
        if (!this.behind) { for (const listener of this.listeners) listener.caughtUp(); }
      });
    });
  }

  /** Where the message is that `receipt` acknowledges; undefined when it is not one of this source. */
  positionOf(receipt: Receipt | undefined): MessagePosition | undefined {
    return receipt?.gate === this.#gate ? positionOf(receipt.origin) : undefined;
  }

  /** Resolves when no message is in flight; undefined when none is. */
  idle(): Promise<void> | undefined {
    if (this.#open === 0) return undefined;
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
      if (position < (reading?.acks.position ?? Infinity)) from[partition] = position;
    }
    if (Object.keys(from).length === 0) return { from, moved: undefined };
    this.epoch++;
    const moved = this.#gate.seek(from);
    for (const [partition, position] of Object.entries(from)) {
      this.#move(Number(partition), position);
    }
    return { from, moved };
  }

  #closed(): void {
    if (--this.#open > 0) return;
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
    const replay = this.#at(partition);
    const before = replay.reading;
    const known = replay.kept ?? (before && recordOf(before));
    replay.kept = undefined;
    const again = !exact && known !== undefined && known.cursor < known.applied;
    const start = again ? Math.min(position, known.cursor) : position;
    const reading: PartitionReading = {
      applied: Math.max(position, known?.applied ?? position),
      acks: new AckTracker(start),
      epoch: this.#gate.epoch,
      correction: undefined,
    };
    // What is still in flight of an assignment before counts as applied when it is done.
    if (before === undefined) replay.reading = reading;
    else Object.assign(before, reading);
    for (const listener of this.listeners) listener.moved(partition, start);
    return start;
  }

  #move(partition: number, position: number): void {
    const reading = this.#partitions.get(partition)?.reading;
    if (reading !== undefined) {
      reading.acks = new AckTracker(position);
      reading.epoch = this.#gate.epoch;
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
    if (reading.epoch !== this.#gate.epoch) {
      reading.epoch = this.#gate.epoch;
      if (offset < reading.acks.next) {
        this.epoch++;
        this.#causes = [];
        this.#move(partition, offset);
      }
    }
    return reading;
  }

  #correctionAt(offset: number, reading: PartitionReading): Correction | undefined {
    if (offset >= reading.applied) return reading.correction = undefined;
    const { correction } = reading;
    if (correction?.dependencies === this.#causes) return correction;
    return reading.correction = {
      epoch: correction?.epoch ?? this.epoch,
      until: reading.applied,
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
