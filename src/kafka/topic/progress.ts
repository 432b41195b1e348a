import type { Positions } from "../client/broker.ts";
import { Watermark } from "./ack_tracker.ts";

/** The positions of one moment that are not committed. */
export interface Uncommitted {
  /** The positions. */
  readonly positions: Positions;
  /** Notes that they are committed. */
  readonly confirm: () => void;
}

/** A message that was handed out and is not acknowledged. */
export interface OpenMessage {
  /** Its partition. */
  readonly partition: number;
  /** Its offset, or that of something without a record before it. */
  readonly offset: number;
  /** The position after it. */
  readonly next: number;
  /** Whether it has been acknowledged meanwhile. */
  readonly isDone: () => boolean;
}

/** The messages that were open at one moment: what is handed out later has no part in them. */
export class OpenMessages {
  readonly #current: ReadonlyMap<number, Watermark>;
  readonly #ends: readonly (readonly [partition: number, mark: Watermark, end: number])[];

  /** Notes what is open in `marks` now. */
  constructor(marks: ReadonlyMap<number, Watermark>) {
    this.#current = marks;
    this.#ends = [...marks].map(([partition, mark]) => [partition, mark, mark.first + mark.size]);
  }

  /** How many of them are open, or done behind one that is. */
  get left(): number {
    let left = 0;
    for (const [, mark, end] of this.#left()) left += end - mark.first;
    return left;
  }

  /** Yields the oldest of each partition that is open. */
  *oldest(): Generator<OpenMessage, void> {
    for (const [partition, mark] of this.#left()) {
      const { first, firstNext, position } = mark;
      const isDone = () => mark.first > first;
      yield { partition, offset: position, next: firstNext!, isDone };
    }
  }

  #left() {
    return this.#ends.filter(([partition, mark, end]) =>
      mark.first < end && this.#current.get(partition) === mark
    );
  }
}

/** How far the partitions of one assignment are: what is open, acknowledged and committed of each. */
export class Progress {
  readonly #marks = new Map<number, Watermark>();
  /** The partitions that were given up for a while. */
  #away: ReadonlyMap<number, Watermark> = new Map();

  /** Begins anew at `positions`. */
  begin(positions: Positions, committed: Positions): void {
    this.clear();
    for (const [partition, position] of positions) {
      this.#marks.set(partition, new Watermark(position, committed.get(partition)));
    }
  }

  /** Forgets all partitions. */
  clear(): void {
    this.#marks.clear();
    this.#away = new Map();
  }

  /** Gives all partitions up for a while; what is acknowledged meanwhile is not handled once more. */
  giveUp(): void {
    this.#away = new Map(this.#marks);
    this.#marks.clear();
  }

  /** Where a partition goes on that would begin at `position`: after what was done while it was given up. */
  resume(partition: number, position: number): number {
    return Math.max(position, this.#away.get(partition)?.position ?? position);
  }

  /** The acknowledged positions. */
  positions(): [partition: number, position: number][] {
    return [...this.#marks].map(([partition, { position }]) => [partition, position]);
  }

  /**
   * Starts an epoch of one partition at `position`, by default where it is: what is acknowledged later of
   * the epoch before has no effect.
   */
  restart(partition: number, position?: number): void {
    const mark = this.#marks.get(partition)!;
    // As if nothing were committed: what is in flight may be confirmed after this.
    this.#marks.set(partition, new Watermark(position ?? mark.position, undefined));
  }

  /** The acknowledged position of a partition. */
  positionOf(partition: number): number {
    return this.#marks.get(partition)!.position;
  }

  /** Counts a message as handed out, and returns what acknowledges it and then calls `done`. */
  handOut(partition: number, next: number, done: () => void): () => void {
    const mark = this.#marks.get(partition)!;
    const number = mark.open(next);
    return () => {
      mark.done(number);
      done();
    };
  }

  /** Passes over offsets without visible records, up to `next`: acknowledged when all before them is. */
  pass(partition: number, next: number): void {
    const mark = this.#marks.get(partition)!;
    if (next > mark.position) mark.done(mark.open(next));
  }

  /** The messages that are open now. */
  get open(): OpenMessages {
    return new OpenMessages(this.#marks);
  }

  /** The acknowledged positions that are not committed; undefined when there are none. */
  uncommitted(): Uncommitted | undefined {
    const positions = new Map<number, number>();
    const marks: Watermark[] = [];
    for (const [partition, mark] of this.#marks) {
      if (mark.position === mark.committed) continue;
      positions.set(partition, mark.position);
      marks.push(mark);
    }
    if (marks.length === 0) return undefined;
    const taken = [...positions.values()];
    return { positions, confirm: () => marks.forEach((mark, i) => mark.committed = taken[i]) };
  }
}
