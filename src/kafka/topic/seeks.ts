import { isInstant, offsetsOf, type SeekPosition } from "./positions.ts";

/**
 * Returns the partitions that a seek moves, of those that are assigned.
 *
 * @throws {RangeError} If it names one that is not.
 */
export function partitionsToSeek(
  topic: string,
  position: SeekPosition,
  assigned: readonly number[],
): readonly number[] {
  if (isInstant(position)) return assigned;
  const partitions = [...offsetsOf(position).keys()];
  const other = partitions.find((partition) => !assigned.includes(partition));
  if (other === undefined) return partitions;
  throw new RangeError(
    `Cannot seek topic "${topic}" partition ${other}: this member of the group reads partitions ` +
      `${assigned.join(", ") || "of other topics"}`,
  );
}

/** Adds a seek to those that wait: one to a time, or to an end, counts for all partitions. */
export function addSeek(
  waiting: readonly SeekPosition[],
  position: SeekPosition,
): readonly SeekPosition[] {
  return isInstant(position) ? [position] : [...waiting, position];
}

/** The seeks of one reading that nobody has carried out yet. */
export class Seeks {
  /** How many there were: one that comes during an assignment counts for it. */
  count = 0;
  /** Those from before there was an assignment. */
  #waiting: readonly SeekPosition[];
  readonly #inFlight = new Map<number, SeekPosition>();

  /** Begins with those from before the reading. */
  constructor(waiting: readonly SeekPosition[]) {
    this.#waiting = waiting;
  }

  /** Keeps one for the next assignment. */
  keep(position: SeekPosition): void {
    this.count++;
    this.#waiting = addSeek(this.#waiting, position);
  }

  /** Begins one of partitions that are assigned. */
  begin(partitions: readonly number[], position: SeekPosition): void {
    this.count++;
    for (const partition of partitions) this.#inFlight.set(partition, position);
  }

  /** Returns whether a partition is being moved. */
  moves(partition: number): boolean {
    return this.#inFlight.has(partition);
  }

  /** Ends a seek of a partition; false when a later one has taken it over. */
  end(partition: number, position: SeekPosition): boolean {
    return this.#inFlight.get(partition) === position && this.#inFlight.delete(partition);
  }

  /**
   * Returns what an assignment of `partitions` has to carry out, by partition: the later over the earlier;
   * with the partitions that seeks name and others read.
   */
  of(partitions: readonly number[]): Map<number, SeekPosition> {
    const seeks = new Map(this.#inFlight);
    for (const position of this.#waiting) {
      if (isInstant(position)) {
        for (const partition of partitions) seeks.set(partition, position);
        continue;
      }
      for (const [partition, offset] of offsetsOf(position)) {
        seeks.set(partition, { [partition]: offset });
      }
    }
    return seeks;
  }

  /** An assignment has carried them all out. */
  clear(): void {
    this.#waiting = [];
    this.#inFlight.clear();
  }
}
