// A typed stand-in for jsr:@std/text/closest-string (see CONTRIBUTING.md).
import { closestString as stdClosestString } from "npm:deno-std@1.4.0/text/closest_string.js";

/** Returns the string of `possibleWords` that is nearest to `givenWord`. */
export const closestString: (givenWord: string, possibleWords: ReadonlyArray<string>) => string =
  stdClosestString;
