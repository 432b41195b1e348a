import { closestString } from "@std/text/closest-string";

/**
 * Throws when `options` is no object or holds a name that is not among `names`.
 *
 * @param what What is being made, for the message: `Cannot create JsonCodec`.
 */
export function checkOptions(what: string, options: object, names: readonly string[]): void {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`${what} as options must be an object: current value is ${options}`);
  }
  for (const name of Object.keys(options)) {
    if (names.includes(name)) continue;
    const nearest = closestString(name, names);
    throw new TypeError(`${what}: unknown option "${name}", did you mean "${nearest}"?`);
  }
}

/** Throws when `value` is none of `words`. */
export function checkWord(
  what: string,
  name: string,
  value: unknown,
  words: readonly string[],
): void {
  if (typeof value === "string" && words.includes(value)) return;
  const list = words.map((word) => `"${word}"`).join(" or ");
  throw new TypeError(`${what} as option "${name}" must be ${list}: current value is ${value}`);
}
