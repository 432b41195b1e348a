/** What is wrong with a name or a value, and what to write instead. */
import { levenshteinDistance } from "@std/text/levenshtein-distance";
import { redactText } from "./redact.ts";

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

/** Says that `what` must be something else than `value`. */
export function refusal(what: string, must: string, value: unknown): string {
  return `Cannot use ${what} as it must be ${must}: current value is ${shown(value)}`;
}

/** A value as an error shows it: credentials are masked, and of an object only its class is shown. */
function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(redactText(value));
  if (typeof value === "function") return "a function";
  if (typeof value !== "object" || value === null) return String(value);
  if (Array.isArray(value)) return "an array";
  return `an object of class ${value.constructor?.name ?? "null"}`;
}
