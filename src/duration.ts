import { refusal, suggestion } from "./refusal.ts";

/**
 * A length of time: milliseconds as a number, units that add up, or a `Temporal.Duration` without calendar units
 * (years, months and weeks).
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import type { Duration } from "@slipstream/slipstream";
 *
 * const [a, b, c]: Duration[] = [90_000, { minutes: 1, seconds: 30 }, Temporal.Duration.from("PT90S")];
 * assertEquals([a, b, c].length, 3);
 * ```
 */
export type Duration =
  | number
  | {
    /** Days of 24 hours. */
    readonly days?: number | undefined;
    /** Hours. */
    readonly hours?: number | undefined;
    /** Minutes. */
    readonly minutes?: number | undefined;
    /** Seconds. */
    readonly seconds?: number | undefined;
    /** Milliseconds. */
    readonly milliseconds?: number | undefined;
    /** Not a unit: its length depends on the calendar. */
    readonly years?: never;
    /** Not a unit: its length depends on the calendar. */
    readonly months?: never;
    /** Not a unit: write days. */
    readonly weeks?: never;
  }
  | Temporal.Duration;

/** What a duration may be. */
export interface DurationBounds {
  /** The least, in milliseconds. @default {0} */
  readonly least?: number;
  /** Whether it must be more than nothing. @default {false} */
  readonly positive?: boolean;
  /** Whether it must be whole milliseconds, and so not `Infinity`. @default {false} */
  readonly whole?: boolean;
  /** Whether it must not be `Infinity`. @default {false} */
  readonly finite?: boolean;
}

/** The units, in milliseconds. */
const UNITS: Readonly<Record<string, number>> = {
  days: 86_400_000,
  hours: 3_600_000,
  minutes: 60_000,
  seconds: 1_000,
  milliseconds: 1,
};
const NAMES = Object.keys(UNITS);
const CALENDAR = ["years", "months", "weeks"] as const;
const FORMS = "a duration: milliseconds as a number, units such as { seconds: 10 }, or a " +
  "Temporal.Duration";

/**
 * Returns a duration in milliseconds.
 *
 * @param what What it is, for errors: `option "ttl" of a cache`.
 * @throws {TypeError} If it is none, or has a unit that there is not.
 * @throws {RangeError} If it is NaN, or out of bounds.
 */
export function toMs(value: unknown, what: string, bounds: DurationBounds = {}): number {
  const ms = milliseconds(value, what);
  const { least = 0, positive = false, whole = false, finite = whole } = bounds;
  if (
    ms >= least && !(positive && ms === 0) && !(whole && !Number.isSafeInteger(ms)) &&
    !(finite && !Number.isFinite(ms))
  ) return ms;
  const kind = whole ? "whole " : finite ? "finite " : "";
  const limit = positive ? " > 0" : least === -Infinity ? "" : ` >= ${least}`;
  throw new RangeError(refusal(what, `a duration of ${kind}milliseconds${limit}`, ms));
}

function milliseconds(value: unknown, what: string): number {
  if (typeof value === "number") return value;
  if (value instanceof Temporal.Duration) return ofTemporal(value, what);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new TypeError(refusal(what, FORMS, value));
  }
  return ofUnits(value, what);
}

function ofTemporal(value: Temporal.Duration, what: string): number {
  if (CALENDAR.every((unit) => value[unit] === 0)) return value.total("milliseconds");
  throw new TypeError(
    `Cannot use ${what} with years, months or weeks, whose length depends on the calendar: write days ` +
      `instead; current value is ${value}`,
  );
}

function ofUnits(units: object, what: string): number {
  let [sum, count] = [0, 0];
  for (const [unit, value] of Object.entries(units)) {
    if ((CALENDAR as readonly string[]).includes(unit)) {
      throw new TypeError(`Cannot use ${what} in ${unit}: write days, e.g. { days: 7 }`);
    }
    if (!NAMES.includes(unit)) {
      throw new TypeError(
        `Cannot use unit ${JSON.stringify(unit)} in ${what}: ${suggestion(unit, NAMES)}`,
      );
    }
    if (value === undefined) continue;
    if (typeof value !== "number") {
      throw new TypeError(refusal(`the ${unit} of ${what}`, "a number", value));
    }
    if (!(value >= 0)) throw new RangeError(refusal(`the ${unit} of ${what}`, ">= 0", value));
    sum += value === 0 ? 0 : value * UNITS[unit]!;
    count++;
  }
  if (count > 0) return sum;
  throw new TypeError(
    `Cannot use ${what} as it has no unit: write at least one, e.g. { seconds: 10 }; the units are ${
      NAMES.join(", ")
    }`,
  );
}
