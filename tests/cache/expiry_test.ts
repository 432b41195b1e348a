import { assertEquals } from "@std/assert";
import { Cache, MemoryCache } from "../../mod.ts";
import { ManualClock } from "../../src/testing/mod.ts";
import { temporaryFolder } from "../_support/temporary.ts";

Deno.test("What has expired is swept in the background, and no timer is left when nothing can expire", async () => {
  const clock = new ManualClock(0);
  await using cache = new MemoryCache<number>({ clock });
  for (let n = 0; n < 20; n++) await cache.set(n, n, { ttlMs: 5_000 });
  await cache.set("later", 1, { ttlMs: 60_000 });
  await clock.tick(5_000);
  await clock.tick(1_000);
  assertEquals([cache.size, await Array.fromAsync(cache.keys())], [1, ["later"]]);
  await clock.tick(60_000);
  await clock.tick(1_000);
  assertEquals([cache.size, cache.bytes, clock.pending], [0, 0, 0]);
});

Deno.test("A sweep goes through a large cache a part at a time, and takes what was overwritten as new", async () => {
  const clock = new ManualClock(0);
  await using cache = new MemoryCache<number>({ clock, maxBytes: Infinity, ttlMs: 500 });
  for (let n = 0; n < 25_000; n++) await cache.set(n, n);
  await cache.set(0, 0, { ttlMs: Infinity });
  const sizes: number[] = [];
  for (let second = 1; second <= 3; second++) {
    await clock.tick(1_000);
    sizes.push(cache.size);
  }
  assertEquals(sizes, [15_001, 5_001, 1]);
});

Deno.test("What expired while the store was closed is not there when it is opened, nor on disk after that", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/db`;
  const clock = new ManualClock(1_000);
  {
    await using cache = await Cache.open<string>(path, { clock, ttlMs: 5_000 });
    await cache.set("short", "x".repeat(100_000));
    await cache.set("long", "y", { ttlMs: 60_000 });
  }
  await clock.tick(10_000);
  {
    await using cache = await Cache.open<string>(path, { clock });
    assertEquals([cache.size, await cache.has("short")], [1, false]);
  }
  using kv = await Deno.openKv(path);
  assertEquals(await Array.fromAsync(kv.list({ prefix: ["slipstream", "p"] })), []);
});
