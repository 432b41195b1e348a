import { setCorrection } from "../flow/correction.ts";
import type { Witness } from "../flow/feed.ts";
import { type Gate, gateOf } from "../flow/gate.ts";
import type { Receipt } from "../flow/receipt.ts";
import type { Correction } from "../types.ts";
import { type Place, placeOf } from "./place.ts";

/** Where the reading of one partition stands, as it is kept. */
export interface ProgressRecord {
  /** Where a reader that starts now must begin. */
  readonly cursor: number;
  /** The position before which every message has been handled at least once. */
  readonly applied: number;
}

/** A message that is being handled. */
interface Ticket {
  readonly position: number;
  done: boolean;
}

/** The reading of one partition. */
interface Progress {
  cursor: number;
  applied: number;
  /** The messages under way since the last move, in order. */
  tickets: Ticket[];
  epoch: number;
  correction: Correction | undefined;
}

/** Is told where partitions go on. */
export interface TrackListener {
  /** The partition goes on at `position`. */
  moved(partition: number, position: number): void;
  /** Everything that was to be handled again has been. */
  caughtUp(): void;
}

/**
 * Follows the messages of a dependent source: which are under way, how far each partition is done, and
 * which messages are handled again. The checkpoints of one source share its track.
 *
 * A message at a position that was applied before is marked with a {@linkcode Correction}.
 */
export class Track implements Witness {
  readonly listeners: Set<TrackListener> = new Set();
  /** Counts the moves back. */
  epoch = 0;

  readonly #gate: Gate;
  readonly #partitions = new Map<number, Progress>();
  #restored = new Map<number, ProgressRecord>();
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

  /** A run begins or is over: nothing is under way. */
  reset(): void {
    this.#open = 1;
    this.#closed();
  }

  /** Takes over where the reading stood; of several records the safest counts. */
  restore(partition: number, { cursor, applied }: ProgressRecord): void {
    const known = this.#restored.get(partition);
    this.#restored.set(partition, {
      cursor: Math.min(cursor, known?.cursor ?? cursor),
      applied: Math.max(applied, known?.applied ?? applied),
    });
  }

  /** Where the reading of each partition stands. */
  get progress(): Map<number, ProgressRecord> {
    const all = new Map(this.#restored); // of those that have not been given to this reader
    for (const [partition, { cursor, applied }] of this.#partitions) {
      all.set(partition, { cursor, applied });
    }
    return all;
  }

  /** True when a message that is to be handled again has not been yet. */
  get behind(): boolean {
    for (const { cursor, applied } of this.#partitions.values()) if (cursor < applied) return true;
    return false;
  }

  /** A message is about to be handled. */
  begin(message: unknown, receipt: Receipt): void {
    this.#open++;
    const place = placeOf(message);
    if (place === undefined) return receipt.whenDone(() => this.#closed());
    const progress = this.#at(place);
    const { tickets } = progress;
    const ticket = { position: place.offset, done: false };
    tickets.push(ticket);
    const correction = this.#correctionAt(place.offset, progress);
    setCorrection(message, correction);
    receipt.whenDone(() => {
      ticket.done = true;
      while (tickets[0]?.done) {
        const next = tickets.shift()!.position + 1;
        if (next > progress.applied) progress.applied = next;
        if (tickets === progress.tickets) progress.cursor = next;
      }
      this.#closed();
      if (correction === undefined || this.behind) return;
      // After the heartbeats of this message, which may make results of others dirty.
      queueMicrotask(() => {
        if (!this.behind) { for (const listener of this.listeners) listener.caughtUp(); }
      });
    });
  }

  /** The place of the message that `receipt` acknowledges; undefined when it is not one of this source. */
  placeOf(receipt: Receipt | undefined): Place | undefined {
    return receipt?.gate === this.#gate ? placeOf(receipt.origin) : undefined;
  }

  /** Resolves when no message is under way; undefined when none is. */
  idle(): Promise<void> | undefined {
    if (this.#open === 0) return undefined;
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /**
   * Moves partitions back; those that are there or before already stay. Nothing may be under way.
   *
   * @returns The partitions that move, and what resolves when they have.
   */
  moveBack(
    positions: ReadonlyMap<number, number>,
    causes: readonly string[],
  ): { from: Record<number, number>; moved: void | Promise<void> } {
    const from: Record<number, number> = {};
    if (!this.behind) this.#causes = [];
    const all = new Set([...this.#causes, ...causes]); // others may have it moved too
    if (all.size > this.#causes.length) this.#causes = [...all];
    for (const [partition, position] of positions) {
      const progress = this.#partitions.get(partition);
      if (position < (progress?.cursor ?? Infinity)) from[partition] = position;
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

  /** `partitions` will be read, and no others: the reading of those rests until they come back. */
  #assigned(partitions: readonly number[]): void {
    for (const [partition, { cursor, applied }] of this.#partitions) {
      if (partitions.includes(partition)) continue;
      this.#partitions.delete(partition);
      this.#restored.set(partition, { cursor, applied });
    }
  }

  /**
   * A partition is about to be read: it begins where its record says, when that is earlier and nobody has
   * chosen exactly this position.
   */
  #start(partition: number, position: number, exact = false): number {
    const before = this.#partitions.get(partition);
    const known = this.#restored.get(partition) ?? before;
    this.#restored.delete(partition);
    const again = !exact && known !== undefined && known.cursor < known.applied;
    const start = again ? Math.min(position, known.cursor) : position;
    const progress = {
      cursor: start,
      applied: Math.max(position, known?.applied ?? position),
      tickets: [],
      epoch: this.#gate.epoch,
      correction: undefined,
    };
    // What is still under way of an assignment before counts as applied when it is done.
    if (before === undefined) this.#partitions.set(partition, progress);
    else Object.assign(before, progress);
    for (const listener of this.listeners) listener.moved(partition, start);
    return start;
  }

  #move(partition: number, position: number): void {
    const progress = this.#partitions.get(partition);
    if (progress !== undefined) {
      progress.cursor = position;
      progress.tickets = [];
      progress.epoch = this.#gate.epoch;
      progress.correction = undefined;
    }
    for (const listener of this.listeners) listener.moved(partition, position);
  }

  /** The progress of a partition; a seek by somebody else shows in the first message after it. */
  #at({ partition, offset }: Place): Progress {
    if (!this.#partitions.has(partition)) this.#start(partition, offset);
    const progress = this.#partitions.get(partition)!;
    if (progress.epoch !== this.#gate.epoch) {
      progress.epoch = this.#gate.epoch;
      const last = progress.tickets.at(-1)?.position;
      const expected = last === undefined ? progress.cursor : last + 1;
      if (offset < expected) {
        this.epoch++;
        this.#causes = [];
        this.#move(partition, offset);
      }
    }
    return progress;
  }

  #correctionAt(offset: number, progress: Progress): Correction | undefined {
    if (offset >= progress.applied) return progress.correction = undefined;
    const { correction } = progress;
    if (correction?.dependencies === this.#causes) return correction;
    return progress.correction = {
      epoch: correction?.epoch ?? this.epoch,
      until: progress.applied,
      dependencies: this.#causes,
    };
  }
}

const tracks = new WeakMap<Gate, Track>();

/** Returns the track of a source. */
export function trackOf(source: object): Track {
  const gate = gateOf(source);
  let track = tracks.get(gate);
  if (track === undefined) tracks.set(gate, track = new Track(gate));
  return track;
}
