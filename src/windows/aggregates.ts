import { copyIn } from "../cache/values.ts";
import { describe } from "../redact.ts";
import { callback, number, readOptions, type Rules } from "../options.ts";
import { type Aggregate, type How, how } from "./aggregate.ts";

function aggregate<M, R>(made: How<M, R>): Aggregate<M, R> {
  return { [how]: made };
}

function assertReads(name: string, read: unknown): void {
  if (typeof read === "function") return;
  throw new TypeError(
    `Cannot aggregate by ${name}(): it must be given a function that reads a message, got ${
      describe(read)
    }`,
  );
}

/** Reads a number of each message. */
function numbers<M>(name: string, read: (message: M) => number): (message: M) => number {
  assertReads(name, read);
  return (message) => {
    const value = read(message);
    if (typeof value === "number" && !Number.isNaN(value)) return value;
    throw new TypeError(`Cannot add ${describe(value)} to ${name}() as it must be a number`);
  };
}

/** A copy that nobody else holds; what could not be stored is an error. */
function plain(value: unknown, what: string): unknown {
  try {
    return copyIn(value).value;
  } catch (error) {
    throw new TypeError(
      `Cannot keep ${what} in a window as it must be plain data (a Message of a Topic is none: read its value): ` +
        (error as Error).message,
      { cause: error },
    );
  }
}

/** How many messages there are. */
export function count<M>(): Aggregate<M, number> {
  return aggregate<M, number>({
    name: "count",
    read: () => 1,
    init: () => 0,
    add: (sum) => (sum as number) + 1,
    remove: (sum) => (sum as number) - 1,
    merge: (first, second) => (first as number) + (second as number),
    result: (sum) => sum as number,
  });
}

/**
 * The sum of a number of each message; 0 where there is none.
 *
 * @throws {TypeError} If `read` is not a function.
 */
export function sum<M>(read: (message: M) => number): Aggregate<M, number> {
  return aggregate<M, number>({
    name: "sum",
    read: numbers("sum", read),
    init: () => 0,
    add: (sum, value) => (sum as number) + (value as number),
    remove: (sum, value) => (sum as number) - (value as number),
    merge: (first, second) => (first as number) + (second as number),
    result: (sum) => sum as number,
  });
}

function extreme<M>(
  name: string,
  read: (message: M) => number,
  better: (a: number, b: number) => number,
): Aggregate<M, number> {
  const of = (first: unknown, second: unknown) =>
    first === null ? second : second === null ? first : better(first as number, second as number);
  return aggregate<M, number>({
    name,
    read: numbers(name, read),
    init: () => null,
    add: of,
    merge: of,
    result: (value) => value as number,
  });
}

/**
 * The least of a number of each message.
 *
 * @throws {TypeError} If `read` is not a function.
 */
export function min<M>(read: (message: M) => number): Aggregate<M, number> {
  return extreme("min", read, Math.min);
}

/**
 * The greatest of a number of each message.
 *
 * @throws {TypeError} If `read` is not a function.
 */
export function max<M>(read: (message: M) => number): Aggregate<M, number> {
  return extreme("max", read, Math.max);
}

/**
 * The arithmetic mean of a number of each message.
 *
 * @throws {TypeError} If `read` is not a function.
 */
export function mean<M>(read: (message: M) => number): Aggregate<M, number> {
  type Sum = [sum: number, count: number];
  return aggregate<M, number>({
    name: "mean",
    read: numbers("mean", read),
    init: () => [0, 0],
    add(accumulator, value) {
      const all = accumulator as Sum;
      all[0] += value as number;
      all[1]++;
      return all;
    },
    remove(accumulator, value) {
      const all = accumulator as Sum;
      all[0] -= value as number;
      all[1]--;
      return all;
    },
    merge: (first, second) => [
      (first as Sum)[0] + (second as Sum)[0],
      (first as Sum)[1] + (second as Sum)[1],
    ],
    result: (accumulator) => (accumulator as Sum)[0] / (accumulator as Sum)[1],
  });
}

function one<M, T>(
  name: string,
  read: (message: M) => T,
  of: (first: unknown, second: unknown) => unknown,
): Aggregate<M, T> {
  assertReads(name, read);
  return aggregate<M, T>({
    name,
    read: (message) => plain(read(message), `what ${name}() has read`),
    init: () => [],
    add: (accumulator, value) => of(accumulator, [value]),
    merge: (first, second) =>
      (first as T[]).length === 0
        ? second
        : (second as T[]).length === 0
        ? first
        : of(first, second),
    result: (accumulator) => copyIn((accumulator as T[])[0]).value as T,
  });
}

/**
 * What `read` returns for the first message: the first to arrive in its partition.
 *
 * @throws {TypeError} If `read` is not a function.
 */
export function first<M, T>(read: (message: M) => T): Aggregate<M, T> {
  return one("first", read, (first, second) => (first as T[]).length === 0 ? second : first);
}

/**
 * What `read` returns for the last message: the last to arrive in its partition.
 *
 * @throws {TypeError} If `read` is not a function.
 */
export function last<M, T>(read: (message: M) => T): Aggregate<M, T> {
  return one("last", read, (_first, second) => second);
}

/** How much {@linkcode collect} and {@linkcode distinct} keep. */
export interface LimitedOptions<M, T> {
  /** How many at most: the first ones. */
  max: number;
  /** What is kept of a message: plain data. */
  of: (message: M) => T;
}

/** How {@linkcode top} compares. */
export interface TopOptions<M, T> {
  /** The greatest of these are kept. */
  by: (message: M) => number;
  /** What is kept of a message: plain data. */
  of: (message: M) => T;
}

const LIMITED_RULES = {
  max: number({ least: 1, integer: true }),
  of: callback,
} as const satisfies Rules<
  LimitedOptions<unknown, unknown>
>;
const TOP_RULES = { by: callback, of: callback } as const satisfies Rules<
  TopOptions<unknown, unknown>
>;

function limited<M, T>(
  name: string,
  options: LimitedOptions<M, T>,
): Required<LimitedOptions<M, T>> {
  const { max, of } = readOptions(name, options, LIMITED_RULES);
  if (max === undefined || of === undefined) {
    throw new TypeError(
      `Cannot aggregate by ${name}(): it needs { max, of }, since it must be bounded`,
    );
  }
  return { max, of };
}

/**
 * What `of` returns for each message, in the order of arrival: the first `max`.
 *
 * @throws {TypeError} If an option is missing or of a wrong shape.
 * @throws {RangeError} If `max` is not a positive integer.
 */
export function collect<M, T>(options: LimitedOptions<M, T>): Aggregate<M, T[]> {
  const { max, of } = limited("collect", options);
  return aggregate<M, T[]>({
    name: `collect(${max})`,
    read: (message) => plain(of(message), "what collect() has read"),
    init: () => [],
    add(accumulator, value) {
      if ((accumulator as T[]).length < max) (accumulator as T[]).push(value as T);
      return accumulator;
    },
    merge: (first, second) => [...first as T[], ...second as T[]].slice(0, max),
    result: (accumulator) => copyIn(accumulator).value as T[],
  });
}

/** A scalar, which {@linkcode distinct} can tell from others. */
export type Scalar = string | number | bigint | boolean;

/**
 * The different values that `of` returns, in the order in which they came first: the first `max`.
 *
 * @throws {TypeError} If an option is missing or of a wrong shape.
 * @throws {RangeError} If `max` is not a positive integer.
 */
export function distinct<M, const T extends Scalar>(
  options: LimitedOptions<M, T>,
): Aggregate<M, T[]> {
  const { max, of } = limited("distinct", options);
  const add = (accumulator: unknown, value: unknown) => {
    const set = accumulator as Set<T>;
    if (set.size < max) set.add(value as T);
    return set;
  };
  return aggregate<M, T[]>({
    name: `distinct(${max})`,
    read(message) {
      const value = of(message);
      if (["string", "number", "bigint", "boolean"].includes(typeof value)) return value;
      throw new TypeError(
        `Cannot add ${
          describe(value)
        } to distinct() as it must be a string, number, bigint or boolean`,
      );
    },
    init: () => new Set(),
    add,
    merge(first, second) {
      const both = new Set(first as Set<T>);
      for (const value of second as Set<T>) add(both, value);
      return both;
    },
    result: (accumulator) => [...accumulator as Set<T>],
  });
}

/**
 * What `of` returns for the `n` messages with the greatest `by`, the greatest first; of equal ones, the first to
 * arrive.
 *
 * @throws {TypeError} If an option is missing or of a wrong shape.
 * @throws {RangeError} If `n` is not a positive integer.
 */
export function top<M, T>(n: number, options: TopOptions<M, T>): Aggregate<M, T[]> {
  if (!Number.isSafeInteger(n) || n < 1) {
    throw new RangeError(`Cannot keep the top ${n} as it must be a positive integer`);
  }
  const { by, of } = readOptions("top", options, TOP_RULES);
  if (by === undefined || of === undefined) {
    throw new TypeError("Cannot aggregate by top(): it needs { by, of }");
  }
  type Ranked = [rank: number, value: T];
  const rank = numbers<M>("top", by);
  return aggregate<M, T[]>({
    name: `top(${n})`,
    read: (message) => [rank(message), plain(of(message), "what top() has read")],
    init: () => [],
    add(accumulator, read) {
      const all = accumulator as Ranked[];
      const ranked = read as Ranked;
      let place = all.length;
      while (place > 0 && all[place - 1]![0] < ranked[0]) place--;
      if (place < n) all.splice(place, 0, ranked);
      if (all.length > n) all.pop();
      return all;
    },
    merge: (first, second) =>
      [...first as Ranked[], ...second as Ranked[]].sort((a, b) => b[0] - a[0]).slice(0, n),
    result: (accumulator) => (accumulator as Ranked[]).map(([, value]) => copyIn(value).value as T),
  });
}

/**
 * An aggregate of your own.
 *
 * @typeParam M The messages.
 * @typeParam A The accumulator, which is the result: plain data.
 */
export interface FoldOptions<M, A> {
  /** Makes an empty accumulator. */
  init: () => A;
  /** Adds a message, and returns the accumulator; it may be the same object, changed. */
  add: (accumulator: A, message: M) => A;
  /**
   * Returns an accumulator of both, those of `first` before those of `second`, and changes neither. Required where
   * windows are made of others: in sessions, sliding windows, and where `by` is a function and the source has several
   * partitions.
   */
  merge?: ((first: A, second: A) => A) | undefined;
}

const FOLD_RULES = { init: callback, add: callback, merge: callback } as const satisfies Rules<
  FoldOptions<unknown, unknown>
>;

/**
 * An aggregate of your own: `add` is called for each message of a window.
 *
 * @throws {TypeError} If an option is missing or of a wrong shape.
 */
export function fold<M, A>(options: FoldOptions<M, A>): Aggregate<M, A> {
  const { init, add, merge } = readOptions("fold", options, FOLD_RULES);
  if (init === undefined || add === undefined) {
    throw new TypeError("Cannot aggregate by fold(): it needs { init, add }");
  }
  type Step = (accumulator: unknown) => unknown;
  return aggregate<M, A>({
    name: "fold",
    throws: true,
    read: (message): Step => (accumulator) => add(accumulator as A, message),
    init,
    add: (accumulator, step) => (step as Step)(accumulator),
    merge: merge && ((first, second) => merge(first as A, second as A)),
    result: (accumulator) => plain(accumulator, "the accumulator of fold()") as A,
  });
}
