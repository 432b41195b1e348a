import { DatabaseSync } from "node:sqlite";
import { assertEquals, assertLess, assertRejects } from "@std/assert";
import { Cache, CacheStorageError, MemoryCache } from "../../mod.ts";
import { type Clock, systemClock } from "../../src/clock.ts";
import { ManualClock } from "../../src/testing/mod.ts";
import { liveHeap } from "../_support/live_heap.ts";
import { temporaryFolder } from "../_support/temporary.ts";

Deno.test("What has expired is swept in the background, and no timer is left when nothing can expire", async () => {
  const clock = new ManualClock(0);
  await using cache = new MemoryCache<number>({ clock });
  for (let n = 0; n < 20; n++) await cache.set(n, n, { ttl: 5_000 });
  await cache.set("later", 1, { ttl: 60_000 });
  await clock.tick(5_000);
  await clock.tick(1_000);
  assertEquals([cache.size, await Array.fromAsync(cache.keys())], [1, ["later"]]);
  await clock.tick(60_000);
  await clock.tick(1_000);
  assertEquals([cache.size, cache.bytes, clock.pending], [0, 0, 0]);
});

Deno.test("A sweep takes all that has expired, and what was overwritten as new", async () => {
  const clock = new ManualClock(0);
  await using cache = new MemoryCache<number>({ clock, maxBytes: Infinity, ttl: 500 });
  for (let n = 0; n < 25_000; n++) await cache.set(n, n);
  await cache.set(0, 0, { ttl: Infinity });
  await cache.set(1, 1, { ttl: 5_000 });
  const sizes: number[] = [];
  for (let second = 1; second <= 6; second++) {
    await clock.tick(1_000);
    sizes.push(cache.size);
  }
  assertEquals(sizes, [2, 2, 2, 2, 1, 1]);
});

for (const layout of ["memory", "disk"] as const) {
  Deno.test(`What has expired goes as fast as it is written, though the writer lets no timer fire (${layout})`, async () => {
    await using folder = await temporaryFolder();
    let now = 0;
    // 30,000 writes a second, so that 90,000 are live.
    const clock: Clock = { ...systemClock, now: () => now, timer: () => () => {} };
    const options = { clock, maxBytes: Infinity, ttl: 3_000 };
    await using cache = layout === "memory"
      ? new MemoryCache<number>(options)
      : await Cache.open<number>(`${folder.path}/db`, options);
    let most = 0;
    for (let n = 0; n < 300_000; n++) {
      now = n / 30;
      await cache.set(n, n);
      most = Math.max(most, cache.size);
    }
    assertLess(most, 126_000);
  });
}

Deno.test("A key that is written again and again with a ttl leaves nothing of what it was", async () => {
  const clock = new ManualClock(0);
  await using cache = new MemoryCache<number>({ clock, ttl: 3_600_000 });
  const write = async (count: number) => {
    for (let n = 0; n < count; n++) await cache.set("a", n);
    return liveHeap();
  };
  const before = await write(100_000);
  assertLess(await write(300_000) - before, 1_000_000);
});

Deno.test("What expired while the store was closed is not there when it is opened, nor on disk after that", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/db`;
  const clock = new ManualClock(1_000);
  {
    await using cache = await Cache.open<string>(path, { clock, ttl: 5_000 });
    await cache.set("short", "x".repeat(100_000));
    await cache.set("long", "y", { ttl: 60_000 });
  }
  await clock.tick(10_000);
  {
    await using cache = await Cache.open<string>(path, { clock });
    assertEquals([cache.size, await cache.has("short")], [1, false]);
  }
  using kv = await Deno.openKv(path);
  assertEquals(await Array.fromAsync(kv.list({ prefix: ["slipstream", "p"] })), []);
});

Deno.test("The pieces of a large value of a shared Cache expire with its row, and without a ttl never", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/db`;
  const before = Date.now();
  {
    await using cache = await Cache.open<string>(path, { shared: true, ttl: 60_000 });
    await cache.set("first", "x".repeat(200_000));
    await cache.transaction(["second"], (tx) => tx.set("second", "x".repeat(200_000)));
    await cache.set("forever", "x".repeat(200_000), { ttl: Infinity });
  }
  const after = Date.now();
  using database = new DatabaseSync(path, { readOnly: true });
  const rows = database.prepare("SELECT expiration_ms AS at FROM kv WHERE length(v) > 8000").all();
  const expiring = rows.map(({ at }) => at as number).filter((at) => at > 0);
  assertEquals([rows.length, expiring.length], [12, 8]);
  assertEquals(expiring.filter((at) => at < before + 60_000 || at > after + 60_000), []);
});

Deno.test("A row of a shared Cache whose pieces are gone is a miss when it may expire, else a named error", async () => {
  using kv = await Deno.openKv(":memory:");
  await using cache = await Cache.open<string>(kv);
  await cache.set("expires", "x".repeat(100_000), { ttl: 60_000 });
  for await (const { key } of kv.list({ prefix: ["slipstream", "p"] })) await kv.delete(key);
  assertEquals([await cache.get("expires"), await cache.has("expires")], [undefined, false]);
  assertEquals(await Array.fromAsync(cache.keys()), []);
  const old = await cache.transaction(["expires"], async (tx) => {
    const old = await tx.get("expires", "none");
    tx.set("expires", "new");
    return old;
  }, { timeout: 5_000 });
  assertEquals([old, await cache.get("expires")], ["none", "new"]);

  await cache.set("stays", "x".repeat(100_000));
  for await (const { key } of kv.list({ prefix: ["slipstream", "p"] })) await kv.delete(key);
  const error = await assertRejects(() => cache.get("stays"), CacheStorageError, '"stays"');
  assertEquals(error.retriable, false);
  await cache.delete("stays");
  assertEquals(await cache.get("stays"), undefined);
});
