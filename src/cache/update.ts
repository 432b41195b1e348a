import { asPart } from "../flow/run/attribution.ts";
import { encodeKey, type Key } from "./keys.ts";
import type { Found } from "./space.ts";
import { runTransaction, type TransactionOptions } from "./transaction.ts";
import { copyOut } from "./values.ts";
import { refused, type Writes } from "./writes.ts";

/** Returns the new value of an entry, from the one that it has. */
export type Change<V> = (value: V | undefined) => V | Promise<V>;

/** A change that has begun with an entry, and is not done. */
interface Begun<V> {
  readonly from: Found | undefined;
  readonly value: Promise<V>;
}

/** What an update is in errors. */
const UPDATE = "an update of a Cache";
const ASYNC = Object.getPrototypeOf(async () => {});

/** A change that is done. */
class Changed<V> {
  constructor(readonly value: V, readonly room: void | Promise<void>) {}
}

/** Changes one entry; see `Cache.update`. */
export function runUpdate<V>(
  cache: Writes<V>,
  key: Key,
  change: Change<V>,
  options?: TransactionOptions,
): Promise<V> {
  try {
    return Promise.resolve(changeEntry(cache, key, change, options));
  } catch (error) {
    return refused(UPDATE, error);
  }
}

/**
 * The same; there is a promise only where there is something to wait for.
 *
 * Of an entry in memory that no transaction holds, by a function that returns no promise, this is one synchronous step,
 * which needs no lock; it costs a fraction of a transaction.
 */
export function changeEntry<V>(
  cache: Writes<V>,
  key: Key,
  change: Change<V>,
  options?: TransactionOptions,
): V | Promise<V> {
  cache.assertOpen();
  assertFunction(change);
  const encoded = encodeKey(key);
  let begun: Begun<V> | undefined;
  if (options === undefined && cache.space.immediate) {
    const result = changeAtOnce(cache, encoded, change);
    if (result instanceof Changed) {
      const { value, room } = result;
      return room === undefined ? value : asPart(UPDATE, () => room.then(() => value));
    }
    begun = result;
  }
  return asPart(UPDATE, () =>
    runTransaction(cache, [key], async (tx) => {
      const before = await tx.get(key);
      const first = begun;
      begun = undefined;
      const isSame = first !== undefined && cache.space.read(encoded) === first.from;
      if (!isSame) await first?.value.catch(() => {}); // one call after the other
      const value = await (isSame ? first.value : change(before));
      tx.set(key, value);
      return value;
    }, options));
}

/**
 * Returns undefined where a transaction must do it: the key is held, `change` is async, or has written the key itself,
 * after which it is called again.
 */
function changeAtOnce<V>(
  cache: Writes<V>,
  key: string,
  change: Change<V>,
): Changed<V> | Begun<V> | undefined {
  const { locks, space } = cache;
  // What an async function calls must be known to be called inside a transaction.
  if (isAsync(change) || !locks.isFree(key)) return undefined;
  const from = space.read(key) as Found | undefined;
  const before = from && copyOut(from.value, from.cloned) as V;
  const value = locks.during(key, change, before);
  if (isThenable(value)) {
    const begun = { from, value: Promise.resolve(value) };
    begun.value.catch(() => {}); // whoever waits for the transaction is told
    return begun;
  }
  cache.assertOpen(); // `change` may have closed it
  if (space.read(key) !== from) return undefined;
  const write = cache.toWrite(key, value);
  cache.assertFits(write.put!.size);
  const room = cache.apply(write);
  return new Changed(value, room);
}

function assertFunction(change: unknown): void {
  if (typeof change === "function") return;
  const given = Deno.inspect(change, { depth: 1 });
  throw new TypeError(
    `Cannot update an entry by ${given}: it must be a function that returns the new value`,
  );
}

/** Returns whether a function is declared `async`. */
export function isAsync(change: unknown): boolean {
  return Object.getPrototypeOf(change) === ASYNC;
}

/** Returns whether a value is a promise of it. */
export function isThenable<V>(value: V | Promise<V>): value is Promise<V> {
  return typeof (value as Promise<V> | undefined)?.then === "function";
}
