import type { SinkPort } from "../flow/source/feed.ts";
import { type Tombstone, tombstone } from "../tombstone.ts";
import type { Key } from "./keys.ts";
import type { CacheStore } from "./store.ts";
import type { Writes } from "./writes.ts";

/** Makes a cache what a flow writes pairs of key and value to; those with a tombstone delete the key. */
export function toSink<V>(
  writes: Writes<V>,
  store: CacheStore,
): SinkPort<readonly [Key, V | Tombstone]> {
  const write = (pair: readonly [Key, V | Tombstone]) => {
    assertPair(pair);
    const [key, value] = pair;
    return value === tombstone ? writes.remove(key) : writes.put(key, value);
  };
  const flush = async () => {
    // Also while it is being closed, which ends no flow.
    if (!store.driven) await store.flush();
  };
  return { write, flush };
}

function assertPair(pair: unknown): void {
  if (Array.isArray(pair) && pair.length === 2) return;
  throw new TypeError(`Cannot write ${Deno.inspect(pair)} to a cache: it is not [key, value]`);
}
