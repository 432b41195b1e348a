import type { Broker, Instant, Positions } from "../client/broker.ts";

/** Offsets by partition. */
export type Offsets = Readonly<Record<number, number>> | ReadonlyMap<number, number>;

/** A place to start at: an instant, or an offset for each partition. */
export type StartOffset = Instant | Offsets;

/** A place to move to. Partitions that are not named stay where they are. */
export type SeekPosition = Instant | Offsets;

/**
 * Checks a place to start at or to move to.
 *
 * @throws {TypeError} If it has the wrong shape.
 * @throws {RangeError} If an offset, a partition or the time is out of bounds.
 */
export function checkStartOffset(owner: string, value: unknown): asserts value is StartOffset {
  if (value === "earliest" || value === "latest") return;
  if (typeof value !== "object" || value === null) {
    throw new TypeError(
      `Cannot position ${owner}: neither "earliest", "latest", { timestamp } nor offsets by partition: ` +
        String(value),
    );
  }
  if (value instanceof Date) {
    throw new TypeError(
      `Cannot position ${owner} at a Date: pass { timestamp: date.getTime() }, in milliseconds`,
    );
  }
  if ("timestamp" in value) {
    const { timestamp } = value;
    if (typeof timestamp !== "number") {
      throw new TypeError(
        `Cannot position ${owner} as timestamp must be a number of milliseconds: ${timestamp}`,
      );
    }
    if (Number.isFinite(timestamp) && timestamp >= 0) return;
    throw new RangeError(`Cannot position ${owner} as timestamp must be >= 0: ${timestamp}`);
  }
  for (const [partition, offset] of offsetsOf(value as Offsets)) {
    if (!Number.isSafeInteger(partition) || partition < 0) {
      throw new RangeError(
        `Cannot position ${owner} as a partition must be an integer >= 0: ${partition}`,
      );
    }
    if (!Number.isSafeInteger(offset) || offset < 0) {
      throw new RangeError(
        `Cannot position ${owner} partition ${partition} as offset must be >= 0: current value is ${offset}`,
      );
    }
  }
}

/** True for an instant, false for offsets by partition. */
export function isInstant(position: StartOffset): position is Instant {
  return typeof position === "string" || "timestamp" in position;
}

/** Returns offsets by partition as a map. */
export function offsetsOf(offsets: Offsets): Map<number, number> {
  if (offsets instanceof Map) return new Map(offsets);
  return new Map(Object.entries(offsets).map(([partition, offset]) => [Number(partition), offset]));
}

/** Looks up where `position` is in each of `partitions`. */
export async function lookUp(
  broker: Broker,
  topic: string,
  partitions: readonly number[],
  position: SeekPosition,
): Promise<Map<number, number>> {
  if (isInstant(position)) {
    const offsets = await broker.offsets(topic, position);
    return new Map(partitions.map((partition) => [partition, offsets.get(partition) ?? 0]));
  }
  const wanted = offsetsOf(position);
  const [low, high] = await Promise.all([
    broker.offsets(topic, "earliest"),
    broker.offsets(topic, "latest"),
  ]);
  for (const [partition, offset] of wanted) {
    checkBounds(topic, partition, offset, boundsOf(partition, low, high));
  }
  return wanted;
}

/** The first offset that is kept of a partition, and the next one that it will have. */
export interface Bounds {
  /** The first. */
  readonly begin: number;
  /** The next. */
  readonly end: number;
}

/** Returns the bounds of a partition. */
export function boundsOf(partition: number, low: Positions, high: Positions): Bounds {
  const begin = low.get(partition) ?? 0;
  return { begin, end: high.get(partition) ?? begin };
}

/**
 * Checks an offset of a partition.
 *
 * @throws {RangeError} If it does not exist.
 */
export function checkBounds(
  topic: string,
  partition: number,
  offset: number,
  { begin, end }: Bounds,
): void {
  if (begin <= offset && offset <= end) return;
  throw new RangeError(
    `Cannot seek topic "${topic}" partition ${partition} as its offsets are from ${begin} to ${end}: ` +
      `current value is ${offset}`,
  );
}
