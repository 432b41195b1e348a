import type { SinkPort } from "../flow/feed.ts";
import type { Key } from "./keys.ts";
import type { CacheStore } from "./store.ts";
import type { Writes } from "./writes.ts";

/** Makes a cache what a flow writes pairs of key and value to. */
export function toSink<V>(writes: Writes<V>, store: CacheStore): SinkPort<readonly [Key, V]> {
  const write = (pair: readonly [Key, V]) => {
    assertPair(pair);
    return writes.put(pair[0], pair[1]);
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
