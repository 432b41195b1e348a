import { Aggregation } from "../flow/stage/aggregation.ts";
import type { Store } from "../flow/source/feed.ts";
import { callback, readOptions, type Rules } from "../options.ts";
import { describe } from "../redact.ts";
import type { Context } from "../types.ts";
import { type Key, keyOf } from "./keys.ts";
import { changeEntry, isAsync, isThenable } from "./update.ts";
import type { Writes } from "./writes.ts";

/** The options of {@linkcode Cache.aggregate}. */
export interface AggregateOptions<M, K extends Key> {
  /**
   * Returns the key that a message counts for.
   *
   * @default {(message) => message.key}
   */
  by: (message: M) => K;
}

/** A message with a key; null stands for none, and is refused when it comes. */
export interface Keyed {
  /** The key. */
  readonly key: Key | null | undefined;
}

const RULES: Rules<AggregateOptions<never, Key>> = { by: callback };

/** Makes the handler of `Cache.aggregate`. */
export function makeAggregation<M, V>(
  cache: Writes<V>,
  store: Store,
  change: (before: V | undefined, message: M, context: Context) => V,
  options: AggregateOptions<M, Key> | undefined,
): Aggregation<M, readonly [Key, V]> {
  if (typeof change !== "function") {
    throw new TypeError(
      `Cannot aggregate by ${describe(change)}: it must be a function that returns the new value`,
    );
  }
  if (isAsync(change)) throw promised();
  const { by } = options ? readOptions("aggregate()", options, RULES, ["by"]) : {};
  const toKey = by ?? ((message) => keyOf(message, "aggregate") as Key);
  return new Aggregation(store, (message: M, context: Context) => {
    const key = toKey(message);
    if (key === undefined || key === null || isThenable(key)) throw noKey(key);
    const add = (before: V | undefined) => checked(change(before, message, context));
    const value = changeEntry(cache, key, add);
    if (isThenable(value)) return value.then((value) => [key, value] as const);
    return [key, value] as const;
  }, by);
}

function noKey(key: unknown): TypeError {
  return new TypeError(
    `Cannot aggregate a message: option "by" must return its key, and has returned ${
      describe(key)
    }`,
  );
}

/** Returns what `change` has returned, if that can be a value. */
function checked<V>(value: V): V {
  if (value === undefined) {
    throw new TypeError(
      "Cannot aggregate to undefined: the function must return the new value; is a return missing?",
    );
  }
  if (!isThenable(value)) return value;
  Promise.resolve(value).catch(() => {}); // its own error does not matter: it is refused anyway
  throw promised();
}

function promised(): TypeError {
  return new TypeError(
    "Cannot aggregate by a function that returns a promise: wait for it in map() before, or write a handler that " +
      "calls update() of the cache",
  );
}
