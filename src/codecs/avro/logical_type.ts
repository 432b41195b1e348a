import type { Walk } from "./walk.ts";

/** How a logical type is seen: `Date` or `Temporal.Instant` instead of a count of units since the Unix epoch. */
export interface LogicalType {
  /** The value of a count. */
  decode(count: number | bigint, walk: Walk): Date | Temporal.Instant;
  /** The count of a value, which must not lose anything. */
  encode(value: unknown, walk: Walk): number | bigint;
}

const NS_PER_MS = 1_000_000n;
const NS_PER_DAY = 86_400_000n * NS_PER_MS;
/** The furthest a `Date` and a `Temporal.Instant` reach from the epoch: 100 million days. */
const MAX_NS = 100_000_000n * NS_PER_DAY;

/** The logical types that are converted, by the type they are made of. All others are left as that type. */
export const LOGICAL_TYPES: ReadonlyMap<string, LogicalType> = new Map([
  ["int date", unitsOf("date (midnight UTC)", NS_PER_DAY, toDate, Number)],
  ["long timestamp-millis", unitsOf("timestamp-millis", NS_PER_MS, toDate, Number)],
  ["long timestamp-micros", unitsOf("timestamp-micros", 1_000n, toInstant, BigInt)],
  ["long timestamp-nanos", unitsOf("timestamp-nanos", 1n, toInstant, BigInt)],
]);

function unitsOf(
  name: string,
  unit: bigint,
  fromNs: (ns: bigint) => Date | Temporal.Instant,
  toCount: (units: bigint) => number | bigint,
): LogicalType {
  return {
    decode(count: number | bigint, walk: Walk) {
      const ns = BigInt(count) * unit;
      if (ns > MAX_NS || ns < -MAX_NS) {
        walk.fail(`${name} ${count} is more than 100 million days from 1970`, RangeError);
      }
      return fromNs(ns);
    },
    encode(value: unknown, walk: Walk) {
      const ns = toNs(value);
      if (ns === undefined) walk.refuse(name, value);
      const units = ns / unit;
      if (units * unit !== ns) {
        walk.refuse(`${name}, which cannot hold all of it`, value, RangeError);
      }
      if (BigInt.asIntN(64, units) !== units) walk.refuse(name, value, RangeError);
      return toCount(units);
    },
  };
}

function toDate(ns: bigint): Date {
  return new Date(Number(ns / NS_PER_MS));
}

function toInstant(ns: bigint): Temporal.Instant {
  return Temporal.Instant.fromEpochNanoseconds(ns);
}

function toNs(value: unknown): bigint | undefined {
  if (value instanceof Temporal.Instant) return value.epochNanoseconds;
  if (!(value instanceof Date) || Number.isNaN(value.getTime())) return undefined;
  return BigInt(value.getTime()) * NS_PER_MS;
}
