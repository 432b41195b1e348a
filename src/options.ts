import { type DurationBounds, toMs } from "./duration.ts";
import { describe, redactText } from "./redact.ts";
import { refusal, suggestion } from "./refusal.ts";

/**
 * What an option must be: returns a value as the library uses it.
 *
 * @typeParam T What the library uses; `unknown` where that is what was given.
 * @throws {TypeError} If the value has another type.
 * @throws {RangeError} If it is out of bounds.
 */
export type Rule<T = unknown> = (value: unknown, what: string) => T;

/** A rule for every option of `O`. */
export type Rules<O> = { readonly [Name in keyof O]-?: Rule };

/** Options of `O` as rules `R` read them: durations are numbers of milliseconds. */
export type Read<O, R> = {
  readonly [Name in keyof O]: Name extends keyof R
    ? R[Name] extends Rule<infer T> ? unknown extends T ? O[Name] : T | undefined : O[Name]
    : O[Name];
};

/**
 * Checks all options by their rules, and returns those that were given. A value of `undefined` is not given.
 *
 * @param required The options that must be given.
 * @throws {TypeError} If `options` is no object, has a name without a rule, or a value has the wrong type.
 * @throws {RangeError} If a value is out of bounds.
 */
export function readOptions<O extends object, R extends { readonly [Name in keyof O]?: Rule }>(
  owner: string,
  options: O,
  rules: R,
  required: readonly (keyof O)[] = [],
): Read<O, R> {
  const { names, whats } = namesOf(rules, owner);
  checkOptions(owner, options, names);
  const read: Record<string, unknown> = {};
  for (let i = 0; i < names.length; i++) {
    const name = names[i]!;
    const value = options[name as keyof O];
    if (value === undefined && !required.includes(name as keyof O)) continue;
    const rule: Rule = rules[name as keyof R] as Rule;
    read[name] = rule(value, whats[i]!);
  }
  return read as Read<O, R>;
}

/**
 * Returns a function that checks options as {@linkcode readOptions} does, for calls that are made for each message and
 * use what was given as it is.
 */
export function optionsCheck<O extends object>(
  owner: string,
  rules: Rules<O>,
): (options: O) => void {
  const { names, whats } = namesOf(rules, owner);
  const checks = new Map(
    names.map((name, i) => [name, { rule: rules[name as keyof O], what: whats[i]! }]),
  );
  return (options) => {
    let check: { rule: Rule; what: string } | undefined;
    for (const name in options) {
      check = checks.get(name);
      if (check === undefined) break;
      const value = options[name];
      if (value !== undefined) check.rule(value, check.what);
    }
    // None, or one that is unknown.
    if (check === undefined) checkOptions(owner, options, names);
  };
}

/** The options of an owner, by name and in words. */
interface Names {
  readonly owner: string;
  readonly names: readonly string[];
  readonly whats: readonly string[];
}

const namesByRules = new WeakMap<object, Names>();

/** Made once for all calls: some, as those of a range, are made for each message. */
function namesOf(rules: object, owner: string): Names {
  const before = namesByRules.get(rules);
  if (before?.owner === owner) return before;
  const names = Object.keys(rules);
  const whats = names.map((name) => `option ${JSON.stringify(name)} of ${owner}`);
  const made = { owner, names, whats };
  namesByRules.set(rules, made);
  return made;
}

/** Options within an option. */
export function nested<O extends object, R extends { readonly [Name in keyof O]?: Rule }>(
  rules: R,
): Rule<Read<O, R>> {
  return (value, what) => readOptions(what.replace(/^option /, ""), value as O, rules);
}

/** A rule of one's own. A value that may hold a secret is not shown in the error. */
export function must(
  be: string,
  fits: (value: unknown) => boolean,
  { secret = false }: { secret?: boolean } = {},
): Rule {
  return (value, what) => {
    if (fits(value)) return value;
    throw new TypeError(
      secret ? `Cannot use ${what} as it must be ${be}` : refusal(what, be, value),
    );
  };
}

/** Anything: what is checked elsewhere, or not at all. */
export const anything: Rule = (value) => value;

/** A function. */
export const callback: Rule = must("a function", (value) => typeof value === "function");

/** True or false. */
export const flag: Rule = must("true or false", (value) => typeof value === "boolean");

/** An abort signal. */
export const signal: Rule = must("an AbortSignal", (value) => value instanceof AbortSignal);

/** A string that is not empty. */
export const text: Rule = must(
  "a string that is not empty",
  (value) => typeof value === "string" && value !== "",
);

/** One of a few words. */
export function oneOf(...words: readonly string[]): Rule {
  return must(
    series(words.map((word) => JSON.stringify(word)), "or"),
    (value) => words.includes(value as string),
  );
}

/** An object with these methods. */
export function withMethods(...names: readonly string[]): Rule {
  const methods = series(names.map((name) => `${name}()`), "and");
  return must(`an object with ${methods}`, (value) => hasMethods(value, ...names));
}

/** `a, b and c` */
function series(items: readonly string[], word: string): string {
  if (items.length < 2) return items.join("");
  return `${items.slice(0, -1).join(", ")} ${word} ${items.at(-1)}`;
}

/** Returns whether `value` is an object, or a class, with these methods. */
export function hasMethods(value: unknown, ...names: readonly string[]): boolean {
  const given = value as Record<string, unknown> | null;
  return (typeof given === "object" || typeof given === "function") && given !== null &&
    names.every((name) => typeof given[name] === "function");
}

/** A clock. */
export const clock: Rule = withMethods("now", "monotonic", "timer", "macrotask", "random");

/** What a number may be. */
interface NumberBounds {
  readonly least: number;
  readonly most?: number;
  /** Whether it must be an integer; `"or Infinity"` takes `Infinity` too. */
  readonly integer?: boolean | "or Infinity";
}

/** A number within bounds. */
export function number({ least, most = Infinity, integer = false }: NumberBounds): Rule {
  const kind = integer ? "an integer" : "a number";
  const range = most === Infinity ? `>= ${least}` : `from ${least} to ${most}`;
  const be = `${kind} ${range}${integer === "or Infinity" ? ", or Infinity" : ""}`;
  return (value, what) => {
    if (typeof value !== "number") throw new TypeError(refusal(what, be, value));
    const whole = !integer || Number.isSafeInteger(value) ||
      (integer === "or Infinity" && value === Infinity);
    if (whole && value >= least && value <= most) return value;
    throw new RangeError(refusal(what, be, value));
  };
}

/** A duration, read as milliseconds. */
export function duration(bounds: DurationBounds = {}): Rule<number> {
  return (value, what) => toMs(value, what, bounds);
}

/**
 * Checks that `options` has no other names than `known`.
 *
 * @throws {TypeError} If it is not an object, or has another name; the error suggests one that is near, or
 * names them all.
 */
export function checkOptions(what: string, options: object, known: readonly string[]): void {
  if (typeof options !== "object" || options === null) {
    const given = redactText(String(options));
    throw new TypeError(`Cannot use the options of ${what}: they must be an object, got ${given}`);
  }
  const names = Object.keys(options);
  if (names.length === 0 && !isPlain(options)) {
    throw new TypeError(
      `Cannot use the options of ${what}: they must be a plain object, got ${describe(options)}`,
    );
  }
  for (const name of names) {
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
