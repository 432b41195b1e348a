// A typed stand-in for jsr:@std/text/levenshtein-distance (see CONTRIBUTING.md).
import { levenshteinDistance as stdLevenshteinDistance } from "npm:deno-std@1.4.0/text/levenshtein_distance.js";

/** Returns how many changes of one character make `b` of `a`. */
export const levenshteinDistance: (a: string, b: string) => number = stdLevenshteinDistance;
