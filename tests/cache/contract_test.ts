import { Cache, type CacheOptions, MemoryCache } from "../../mod.ts";
import { testCacheContract } from "../_support/cache_contract.ts";

const RESIDENT = ["eviction", "sizes", "large transactions"] as const;

/** Opens a cache on a file of its own, which goes when the cache is closed. */
async function openOnFile<V>(options: CacheOptions<V>): Promise<Cache<V>> {
  const folder = await Deno.makeTempDir();
  const remove = () => Deno.remove(folder, { recursive: true });
  try {
    const cache = await Cache.open<V>(`${folder}/made/db`, options);
    const close = cache.close.bind(cache);
    let closed: Promise<void> | undefined;
    cache.close = () => closed ??= close().then(remove);
    return cache;
  } catch (error) {
    await remove();
    throw error;
  }
}

testCacheContract({
  name: "local",
  open: <V>(options: CacheOptions<V> = {}) => openOnFile<V>(options),
  capabilities: RESIDENT,
});

testCacheContract({
  name: "memory",
  open: async <V>(options: CacheOptions<V> = {}) => await new MemoryCache<V>(options),
  capabilities: RESIDENT,
});

testCacheContract({
  name: "shared file",
  open: <V>(options: CacheOptions<V> = {}) => openOnFile<V>({ ...options, shared: true }),
  capabilities: [],
});

testCacheContract({
  name: "open Deno.Kv",
  open: async <V>(options: CacheOptions<V> = {}) => {
    const kv = await Deno.openKv(":memory:");
    try {
      const cache = await Cache.open<V>(kv, options);
      const close = cache.close.bind(cache);
      let closed: Promise<void> | undefined;
      cache.close = () => closed ??= close().then(() => kv.close());
      return cache;
    } catch (error) {
      kv.close();
      throw error;
    }
  },
  capabilities: [],
});
