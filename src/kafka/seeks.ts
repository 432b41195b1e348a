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

/**
 * Returns the seeks that an assignment has to carry out, by partition: those under way, and those from
 * before there was an assignment, the later over the earlier.
 */
export function seeksOf(
  partitions: readonly number[],
  underWay: ReadonlyMap<number, SeekPosition>,
  before: readonly SeekPosition[],
): Map<number, SeekPosition> {
  const seeks = new Map(underWay);
  for (const position of before) {
    const offsets = isInstant(position) ? undefined : offsetsOf(position);
    for (const partition of partitions) {
      const offset = offsets?.get(partition);
      if (!offsets) seeks.set(partition, position);
      else if (offset !== undefined) seeks.set(partition, { [partition]: offset });
    }
  }
  return seeks;
}

/** Adds a seek to those that wait: one to a time, or to an end, counts for all partitions. */
export function addSeek(
  waiting: readonly SeekPosition[],
  position: SeekPosition,
): readonly SeekPosition[] {
  return isInstant(position) ? [position] : [...waiting, position];
}
