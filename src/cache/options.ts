import { closestString } from "@std/text/closest-string";

/**
 * Throws unless `options` is an object with known names only.
 *
 * @throws {TypeError} Naming the unknown option and the known one that is nearest to it.
 */
export function assertOptions(of: string, options: object, names: readonly string[]): void {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`Cannot read the options of ${of}: an object is needed, got ${options}`);
  }
  for (const name in options) {
    if (names.includes(name)) continue;
    const nearest = closestString(name, names);
    throw new TypeError(
      `Cannot use option ${JSON.stringify(name)} of ${of}: unknown; did you mean ${
        JSON.stringify(nearest)
      }?`,
    );
  }
}

/**
 * Throws unless an option is a number of at least `least`.
 *
 * @throws {RangeError} Naming the option and its value.
 */
export function assertAtLeast(name: string, value: number, least: number): void {
  if (typeof value !== "number" || !(value >= least)) {
    throw new RangeError(
      `Cannot use ${name} ${Deno.inspect(value)}: it must be a number >= ${least}`,
    );
  }
}
