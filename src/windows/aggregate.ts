/** What makes an object an aggregate; its value is how it works. */
export const how: unique symbol = Symbol("slipstream.aggregate");

/**
 * How an aggregate works. An accumulator is plain data, so that it can be stored. `add` may change the accumulator
 * that it is given; `merge` changes neither of its own.
 */
export interface How<M, R> {
  /** What it is called where the definition of a window is compared: its name and its sizes. */
  readonly name: string;
  /** True where `add` and `merge` call the user's code, and may throw. */
  readonly throws?: boolean | undefined;
  /** Reads what is added for a message. */
  read(message: M): unknown;
  /** Makes an empty accumulator. */
  readonly init: () => unknown;
  /** Adds what was read; returns the accumulator. */
  readonly add: (accumulator: unknown, read: unknown) => unknown;
  /** Returns an accumulator of both, those of `first` before those of `second`; absent where there is none. */
  readonly merge?: ((first: unknown, second: unknown) => unknown) | undefined;
  /** Takes back what was added; absent where that cannot be done. */
  readonly remove?: ((accumulator: unknown, read: unknown) => unknown) | undefined;
  /** Returns the result, which shares nothing with the accumulator. */
  readonly result: (accumulator: unknown) => R;
}

/**
 * What becomes of the messages of a window: `count()`, `sum(…)`, … or `fold(…)`.
 *
 * @typeParam M The messages.
 * @typeParam R The result.
 */
export interface Aggregate<M, R> {
  /**
   * What makes it one.
   *
   * @internal
   */
  readonly [how]: How<M, R>;
}

/**
 * One aggregate, or an object of several, whose results are an object with the same names.
 *
 * @typeParam M The messages.
 * @typeParam R The result.
 */
export type Into<M, R> = Aggregate<M, R> | { readonly [K in keyof R]: Aggregate<M, R[K]> };

/** Returns whether `value` is an aggregate. */
export function isAggregate(value: unknown): value is Aggregate<unknown, unknown> {
  return typeof value === "object" && value !== null && how in value;
}

/** Makes one aggregate of what a window was given; undefined where it is none. */
export function toHow(into: unknown): How<unknown, unknown> | undefined {
  if (isAggregate(into)) return into[how];
  if (typeof into !== "object" || into === null) return undefined;
  const entries = Object.entries(into);
  if (entries.length === 0 || !entries.every(([, each]) => isAggregate(each))) return undefined;
  const names = entries.map(([name]) => name);
  const hows = entries.map(([, each]) => (each as Aggregate<unknown, unknown>)[how]);
  const removes = hows.every(({ remove }) => remove !== undefined);
  const each = (step: "add" | "remove") => {
    const changes = hows.map((how) => how[step]!);
    return (accumulator: unknown, read: unknown) => {
      const accumulators = accumulator as unknown[];
      for (let index = 0; index < changes.length; index++) {
        accumulators[index] = changes[index]!(accumulators[index], (read as unknown[])[index]);
      }
      return accumulators;
    };
  };
  const merges = hows.every(({ merge }) => merge !== undefined);
  return {
    name: `{ ${hows.map(({ name }, index) => `${names[index]}: ${name}`).join(", ")} }`,
    throws: hows.some(({ throws }) => throws),
    read(message) {
      const read: unknown[] = [];
      for (let index = 0; index < hows.length; index++) read.push(hows[index]!.read(message));
      return read;
    },
    init: () => hows.map((each) => each.init()),
    add: each("add"),
    remove: removes ? each("remove") : undefined,
    merge: merges
      ? (first, second) =>
        hows.map((each, index) =>
          each.merge!((first as unknown[])[index], (second as unknown[])[index])
        )
      : undefined,
    result(accumulator) {
      const results: Record<string, unknown> = {};
      for (let index = 0; index < hows.length; index++) {
        results[names[index]!] = hows[index]!.result((accumulator as unknown[])[index]);
      }
      return results;
    },
  };
}
