import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { Cache, type CacheOptions, CacheStorageError } from "../../mod.ts";
import { testCacheContract } from "../_support/cache_contract.ts";
import { KvServer, missingServer } from "../_support/denokv.ts";
import { HoldingProxy } from "../_support/holding_proxy.ts";

const missing = await missingServer();
const ignore = missing !== undefined;
const label = ignore ? `remote: ${missing}` : "remote";
let server: KvServer | undefined;

Deno.test.beforeAll(async () => {
  if (!ignore && !Deno.env.get("DENO_KV_URL")) server = await KvServer.start();
});
Deno.test.afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
});

const url = () => Deno.env.get("DENO_KV_URL") ?? server!.url;

testCacheContract({
  name: label,
  ignore,
  capabilities: [],
  open: async <V>(options: CacheOptions<V> = {}) => {
    const cache = await Cache.open<V>(url(), options);
    await cache.clear();
    await cache.space("other").clear();
    return cache;
  },
});

Deno.test({
  name: `Cache (${label}) loses nothing acknowledged when the server is killed, and goes on`,
  ignore: ignore || Deno.env.has("DENO_KV_URL"),
  async fn() {
    await using server = (await KvServer.start())!;
    await using cache = await Cache.open<number>(server.url, { callTimeout: 500 });
    const acknowledged: number[] = [];
    let failed = 0;
    let longest = 0;
    const events = [
      { after: 100, run: () => server.kill() },
      { after: 1_500, run: () => server.restart() },
      { after: 1_500, run: () => Promise.resolve() },
    ];
    const script = (async () => {
      for (const { after, run } of events) {
        await new Promise((resolve) => setTimeout(resolve, after));
        await run();
      }
    })();
    let over = false;
    script.finally(() => over = true);
    for (let i = 0; !over; i++) {
      const started = performance.now();
      try {
        await cache.set(i, i);
        acknowledged.push(i);
      } catch (error) {
        assertInstanceOf(error, CacheStorageError);
        failed++;
      }
      longest = Math.max(longest, performance.now() - started);
    }
    await script;
    const stored = new Set(await Array.fromAsync(cache.keys()));
    assertEquals(acknowledged.filter((i) => !stored.has(i)), []);
    assertEquals(failed > 0, true);
    assertEquals(acknowledged.at(-1)! > failed + 10, true);
    // Up to three calls make a write: settling, reading the row, committing.
    assertEquals(longest < 3 * 500 + 200, true);
  },
});

Deno.test({
  name: `Cache (${label}) refuses a write that was given up and arrives late`,
  ignore: ignore || Deno.env.has("DENO_KV_URL"),
  async fn() {
    await using server = (await KvServer.start())!;
    await using proxy = new HoldingProxy(server.url);
    await using cache = await Cache.open<string>(proxy.url, { callTimeout: 300 });
    await cache.set("a", "before");

    const held = proxy.hold("/atomic_write");
    const given = assertRejects(() => cache.set("a", "late"), CacheStorageError, "may still take");
    await held;
    await given;
    await cache.set("b", "meanwhile");
    await proxy.release();
    assertEquals(await Array.fromAsync(cache.entries()), [["a", "before"], ["b", "meanwhile"]]);
    await cache.set("a", "after");
    assertEquals(await cache.get("a"), "after");
  },
});
