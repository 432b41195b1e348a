import { encodeKey, encodeParts, encodeStringStart, type Key, type KeyPart } from "./keys.ts";
import { anything, flag, must, number, optionsCheck, type Rules } from "../options.ts";
import type { Range } from "./space.ts";

/** Which entries of a cache, and in which order; everything can be combined. */
export interface RangeOptions {
  /** Where to begin, included: the least key, or the greatest with `reverse`. */
  from?: Key | undefined;
  /** Where to stop, excluded: above the greatest key, or below the least with `reverse`. */
  to?: Key | undefined;
  /** Only keys that begin with these parts and have more. */
  prefix?: Key | undefined;
  /** Only keys whose part after `prefix` is a string that begins with this. */
  startsWith?: string | undefined;
  /**
   * From the greatest key to the least.
   *
   * @default {false}
   */
  reverse?: boolean | undefined;
  /**
   * How many entries at most.
   *
   * @default {Infinity}
   */
  limit?: number | undefined;
}

const RULES = {
  from: anything,
  to: anything,
  prefix: anything,
  startsWith: must("a string", (value) => typeof value === "string"),
  reverse: flag,
  limit: number({ least: 0, integer: "or Infinity" }),
} as const satisfies Rules<RangeOptions>;

const assertRange = optionsCheck<RangeOptions>("a range", RULES);

/** Above every byte with which a part can begin, and above every byte of UTF-8. */
const ABOVE = "\xff";
const LEAST_PART = new Uint8Array();
const MAX_CODE_POINT = 0x10ffff;
const FIRST_SURROGATE = 0xd800;
const AFTER_SURROGATES = 0xe000;

/**
 * Turns options into bounds of encoded keys.
 *
 * @throws {TypeError} If an option is unknown or of a wrong type.
 * @throws {RangeError} If `limit` is no whole number from 0 on.
 */
export function toRange(options: RangeOptions = {}): Range {
  assertRange(options);
  const { from, to, startsWith, reverse = false, limit = Infinity } = options;
  const prefix = options.prefix === undefined ? [] : toParts(options.prefix);
  let [low, high] = boundsOf(prefix, startsWith);
  let first: readonly KeyPart[] | undefined = startsWith === undefined
    ? undefined
    : firstOf(prefix, startsWith, reverse);
  // Downwards the first key is the upper bound and included: the least key above it is itself and a NUL.
  const lower = reverse ? above(to) : at(from);
  const upper = reverse ? above(from) : at(to);
  if (lower !== undefined && lower > low) {
    low = lower;
    if (!reverse) first = toParts(from!);
  }
  if (upper !== undefined && upper < high) {
    high = upper;
    if (reverse) first = [...toParts(from!), LEAST_PART];
  }
  return { prefix, first, low, high, reverse, limit };
}

function boundsOf(
  prefix: readonly KeyPart[],
  startsWith: string | undefined,
): [low: string, high: string] {
  const parts = encodeParts(prefix);
  if (startsWith === undefined) return [parts === "" ? "" : parts + "\0", parts + ABOVE];
  const start = parts + encodeStringStart(startsWith);
  return [start, start + ABOVE];
}

/** The least string that begins with `start`, or downwards the least one above all that do. */
function firstOf(
  prefix: readonly KeyPart[],
  start: string,
  reverse: boolean,
): KeyPart[] | undefined {
  if (!reverse) return [...prefix, start];
  const points = Array.from(start, (char) => char.codePointAt(0)!);
  const last = points.pop();
  if (last === undefined || last === MAX_CODE_POINT) return undefined;
  points.push(last + 1 === FIRST_SURROGATE ? AFTER_SURROGATES : last + 1);
  return [...prefix, String.fromCodePoint(...points)];
}

function toParts(key: Key): readonly KeyPart[] {
  return Array.isArray(key) ? key : [key as KeyPart];
}

function at(key: Key | undefined): string | undefined {
  return key === undefined ? undefined : encodeKey(key);
}

function above(key: Key | undefined): string | undefined {
  return key === undefined ? undefined : encodeKey(key) + "\0";
}
