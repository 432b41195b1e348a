import type { PartState } from "../../flow/source/feed.ts";
import type { Chunk, Positions } from "../client/broker.ts";

/** How far each partition has been fetched, compared with its end when that was last seen. */
export class Fetched {
  readonly #partitions = new Map<number, { next: number; end: number }>();
  /** Ends that were looked up while nothing was fetched: they count for the lag alone. */
  #lookedUp: Positions = new Map();

  /** Begins anew at `positions`; `ends` are the ends of the partitions. */
  begin(positions: Positions, ends: Positions): void {
    this.#partitions.clear();
    this.#lookedUp = new Map();
    for (const [partition, next] of positions) {
      this.#partitions.set(partition, { next, end: ends.get(partition) ?? Infinity });
    }
  }

  /** A partition goes on at `position`. */
  restart(partition: number, position: number): void {
    const fetched = this.#partitions.get(partition);
    if (fetched !== undefined) fetched.next = position;
  }

  /** The end of a partition when it was last seen, or looked up. */
  endOf(partition: number): number {
    const seen = this.#partitions.get(partition)?.end ?? 0;
    const lookedUp = this.#lookedUp.get(partition);
    if (lookedUp === undefined) return seen;
    return seen === Infinity ? lookedUp : Math.max(seen, lookedUp);
  }

  /** The partitions end at `ends`. */
  lookedUp(ends: Positions): void {
    this.#lookedUp = ends;
  }

  /** A chunk was fetched. */
  see({ partition, next, high }: Chunk): void {
    this.#partitions.set(partition, { next, end: high });
  }

  /** The partitions; `isWaiting` says whether something that was fetched has not been handed out. */
  states(isWaiting: (partition: number) => boolean): PartState[] {
    return [...this.#partitions].map(([partition, { next, end }]) => ({
      partition,
      caughtUp: next >= end && !isWaiting(partition),
    }));
  }
}
