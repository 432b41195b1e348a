import type { PartitionView } from "../../flow/source/feed.ts";
import type { PartState } from "../../flow/source/host.ts";
import { AckTracker } from "../../flow/source/ack_tracker.ts";
import type { Chunk, Positions } from "../client/broker.ts";

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

/** One partition while it is read: how far it is fetched, handed out, acknowledged and committed. */
export class PartitionReader {
  /** The partition. */
  readonly partition: number;
  /** What is open, and the acknowledged position. */
  acks: AckTracker;
  /** What the group has committed, as far as is known. */
  committed: number | undefined;
  /** The position after what was fetched. */
  fetched: number;
  /** The epoch of the member: what was fetched in an older one is dropped. */
  epoch = 0;
  /** Its end when that was last seen in a fetch. */
  #end: number;
  /** An end that was looked up while nothing was fetched: it counts for the lag alone. */
  #lookedUp: number | undefined;

  /** Begins at a position. */
  constructor(
    partition: number,
    position: number,
    committed: number | undefined,
    end: number = Infinity,
  ) {
    this.partition = partition;
    this.acks = new AckTracker(position);
    this.committed = committed;
    this.fetched = position;
    this.#end = end;
  }

  /** The acknowledged position. */
  get position(): number {
    return this.acks.position;
  }

  /** Where it ends, as far as is known; Infinity before that was seen. */
  get end(): number {
    if (this.#end === Infinity) return this.#lookedUp ?? Infinity;
    return Math.max(this.#end, this.#lookedUp ?? 0);
  }

  /** How many records are not acknowledged, as far as is known; Infinity before its end was seen. */
  get lag(): number {
    return Math.max(0, this.end - this.position);
  }

  /** True when everything up to its end was fetched. */
  get fetchedAll(): boolean {
    return this.fetched >= this.#end;
  }

  /** It was looked up where the partition ends. */
  lookedUp(end: number | undefined): void {
    this.#lookedUp = end;
  }

  /** A chunk was fetched; returns the position before it. */
  see({ next, high }: Chunk): number {
    const before = this.fetched;
    this.fetched = next;
    this.#end = high;
    return before;
  }

  /** Drops what is open: what is acknowledged of it later has no effect. */
  restart(): void {
    this.acks = new AckTracker(this.position);
    this.committed = undefined; // as if nothing were: what is in flight may be confirmed after this
  }

  /** Goes on at another position. */
  moveTo(position: number, epoch: number): void {
    this.restart();
    this.acks.position = this.fetched = position;
    this.epoch = epoch;
  }

  /** Passes over offsets without visible records, up to `next`: acknowledged when all before them is. */
  pass(next: number): void {
    if (next > this.position) this.acks.done(this.acks.open(next));
  }
}

/** The partitions of one assignment. */
export class PartitionReaders {
  readonly #readers = new Map<number, PartitionReader>();
  /** Those of the assignment before, until there is another one. */
  #former: readonly PartitionReader[] = [];
  /** The partitions that were given up for a while. */
  #away: ReadonlyMap<number, PartitionReader> = new Map();

  /** Begins anew at `positions`; `ends` are the ends of the partitions. */
  begin(positions: Positions, committed: Positions, ends: Positions): void {
    this.clear();
    for (const [partition, position] of positions) {
      const done = committed.get(partition);
      const reader = new PartitionReader(partition, position, done, ends.get(partition));
      this.#readers.set(partition, reader);
    }
  }

  /** Forgets all partitions. */
  clear(): void {
    if (this.#readers.size > 0) this.#former = [...this.#readers.values()];
    this.#readers.clear();
    this.#away = new Map();
  }

  /** Gives all partitions up for a while; what is acknowledged meanwhile is not handled once more. */
  giveUp(): void {
    const away = new Map(this.#readers);
    this.clear();
    this.#away = away;
  }

  /** The reader of a partition; undefined when it is not assigned. */
  get(partition: number): PartitionReader | undefined {
    return this.#readers.get(partition);
  }

  /** Where a partition goes on that would begin at `position`: after what was done while it was given up. */
  resume(partition: number, position: number): number {
    return Math.max(position, this.#away.get(partition)?.position ?? position);
  }

  /** How many records are not acknowledged; undefined when that is not known. */
  get lag(): number | undefined {
    const lag = this.#readers.values().reduce((sum, reader) => sum + reader.lag, 0);
    return lag === Infinity ? undefined : lag;
  }

  /** It was looked up where the partitions end. */
  lookedUp(ends: Positions): void {
    for (const reader of this.#readers.values()) reader.lookedUp(ends.get(reader.partition));
  }

  /** The partitions; `isWaiting` says whether something that was fetched has not been handed out. */
  states(isWaiting: (partition: number) => boolean): PartState[] {
    const readers = this.#readers.size > 0 ? [...this.#readers.values()] : this.#former;
    return readers.map(({ partition, fetchedAll }) => ({
      partition,
      caughtUp: fetchedAll && !isWaiting(partition),
    }));
  }

  /** Tells how far each is; `isWaiting` as in {@linkcode PartitionReaders.states}. */
  look(isWaiting: (partition: number) => boolean): PartitionView[] {
    return Array.from(this.#readers.values(), (reader) => {
      const { partition, position, committed, end, lag, fetchedAll } = reader;
      const isKnown = end !== Infinity;
      return {
        partition,
        position,
        committed,
        end: isKnown ? end : undefined,
        lag: isKnown ? lag : undefined,
        caughtUp: fetchedAll && !isWaiting(partition),
      };
    });
  }

  /** The messages that are open now. */
  get open(): OpenMessages {
    return new OpenMessages(this.#readers);
  }

  /** The acknowledged positions that are not committed, up to given ones; undefined when there are none. */
  uncommitted(upTo?: Positions): Uncommitted | undefined {
    const taken = [...this.#readers.values()].map((reader) => {
      const { acks, partition } = reader;
      return {
        reader,
        acks,
        position: Math.min(reader.position, upTo?.get(partition) ?? Infinity),
      };
    }).filter(({ reader, position }) => position !== reader.committed);
    if (taken.length === 0) return undefined;
    return {
      positions: new Map(taken.map(({ reader, position }) => [reader.partition, position])),
      confirm: () => {
        for (const { reader, acks, position } of taken) {
          if (reader.acks === acks) reader.committed = position;
        }
      },
    };
  }
}

/** The messages that were open at one moment: what is handed out later has no part in them. */
export class OpenMessages {
  readonly #current: ReadonlyMap<number, PartitionReader>;
  readonly #ends: readonly (readonly [partition: number, acks: AckTracker, end: number])[];

  /** Notes what is open at `readers` now. */
  constructor(readers: ReadonlyMap<number, PartitionReader>) {
    this.#current = readers;
    this.#ends = [...readers].map(([partition, { acks }]) =>
      [partition, acks, acks.first + acks.size] as const
    );
  }

  /** How many of them are open, or done behind one that is. */
  get left(): number {
    let left = 0;
    for (const [, acks, end] of this.#left()) left += end - acks.first;
    return left;
  }

  /** Yields the oldest of each partition that is open. */
  *oldest(): Generator<OpenMessage, void> {
    for (const [partition, acks] of this.#left()) {
      const { first, firstNext, position } = acks;
      const isDone = () => acks.first > first;
      yield { partition, offset: position, next: firstNext!, isDone };
    }
  }

  #left() {
    return this.#ends.filter(([partition, acks, end]) =>
      acks.first < end && this.#current.get(partition)?.acks === acks
    );
  }
}
