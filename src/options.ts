import { levenshteinDistance } from "@std/text/levenshtein-distance";
import { describe, redactText } from "./redact.ts";

/**
 * Checks that `options` has no other names than `known`.
 *
 * @throws {TypeError} If it is no object, or has another name; the error suggests one that is near, or
 * names them all.
 */
export function checkOptions(what: string, options: object, known: readonly string[]): void {
  if (typeof options !== "object" || options === null) {
    const given = redactText(String(options));
    throw new TypeError(`Cannot use the options of ${what}: they must be an object, got ${given}`);
  }
  if (Object.keys(options).length === 0 && !isPlain(options)) {
    throw new TypeError(
      `Cannot use the options of ${what}: they are an object of options, got ${describe(options)}`,
    );
  }
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    throw new TypeError(
      `Cannot use option ${JSON.stringify(name)} of ${what}: ${suggestion(name, known)}`,
    );
  }
}

/** Returns whether an object is of no class. */
function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Says which of the `known` names was meant, if one is near to `name`, else which there are. */
export function suggestion(name: string, known: readonly string[]): string {
  const given = name.toLowerCase();
  let [nearest, least] = ["", Infinity];
  for (const each of known) {
    const other = each.toLowerCase();
    const part = given.length > 2 && (other.includes(given) || given.includes(other));
    const distance = part ? 0.5 : levenshteinDistance(given, other);
    if (distance < least && (part || distance <= other.length / 3)) {
      [nearest, least] = [each, distance];
    }
  }
  if (nearest !== "") return `did you mean ${JSON.stringify(nearest)}?`;
  if (known.length === 0) return "there are none";
  return `there is only ${known.map((each) => JSON.stringify(each)).join(", ")}`;
}

/**
 * Checks that an option is one of a few words.
 *
 * @throws {TypeError} If `value` is none of `words`.
 */
export function checkWord(
  what: string,
  name: string,
  value: unknown,
  words: readonly string[],
): void {
  if (typeof value === "string" && words.includes(value)) return;
  const list = words.map((word) => JSON.stringify(word)).join(" or ");
  throw new TypeError(
    `Cannot use option ${JSON.stringify(name)} of ${what} as it must be ${list}: ` +
      `current value is ${redactText(String(value))}`,
  );
}

/**
 * Checks that an option is a number from `least`.
 *
 * @throws {RangeError} If it is none, or less.
 */
export function checkAtLeast(name: string, value: number, least: number): void {
  if (typeof value === "number" && value >= least) return;
  throw new RangeError(
    `Cannot use ${name} ${Deno.inspect(value)}: it must be a number >= ${least}`,
  );
}
