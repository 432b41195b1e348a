import { closestString } from "@std/text/closest-string";

/**
 * Checks that `options` has no other names than `known`.
 *
 * @throws {TypeError} If it is no object, or has another name; the error suggests the nearest one.
 */
export function checkOptions(what: string, options: object, known: readonly string[]): void {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`Cannot use the options of ${what}: they are an object, got ${options}`);
  }
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    throw new TypeError(
      `Cannot use option ${JSON.stringify(name)} of ${what}: did you mean ` +
        `${JSON.stringify(closestString(name, known))}?`,
    );
  }
}
