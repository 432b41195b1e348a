import { DatabaseSync } from "node:sqlite";
import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { Cache, CacheHeldError, CacheStorageError, type Key, MemoryCache } from "../../mod.ts";
import { openStores } from "../../src/flow/source/feed.ts";
import { ManualClock } from "../../src/testing/mod.ts";
import { temporaryFolder } from "../_support/temporary.ts";

Deno.test("Cache.transaction() that would commit after close() is an error", async () => {
  const cache = new MemoryCache<number>();
  const gate = Promise.withResolvers<void>();
  const late = cache.transaction(["a"], async (tx) => {
    tx.set("a", 1);
    await gate.promise;
  });
  await cache.close();
  gate.resolve();
  await assertRejects(() => late, TypeError, "closed");
});

Deno.test("A transaction that takes too long says on which keys, how long, and what it was waiting for", async () => {
  const clock = new ManualClock(0);
  await using cache = new MemoryCache<number>({ clock });
  const limit = { timeout: 50 };
  const gate = Promise.withResolvers<number>();
  const holder = cache.update("d", () => gate.promise);
  const waiting = cache.transaction([["a", 1], "b", "c", "d"], () => {}, limit);
  const running = cache.transaction([], () => gate.promise, limit);
  const repeating = cache.update("r", async (r = 0) => {
    await cache.set("r", r + 1);
    return r;
  }, limit);
  const errors = [waiting, running, repeating].map((call) =>
    assertRejects(() => call, DOMException)
  );
  // The last one may be pausing before it runs again.
  await clock.tick(100);
  const messages = (await Promise.all(errors)).map(({ message }) => message);
  assertEquals(messages.slice(0, 2), [
    'Cannot finish a transaction on keys [ "a", 1 ], "b", "c" and 1 more within 50 ms: ' +
    "another one holds a key of it",
    "Cannot finish a transaction on no key within 50 ms: its function has not ended",
  ]);
  const repeated = messages[2]!.replace(/\d+ times/, "n times");
  assertStringIncludes(
    repeated,
    'on key "r" within 50 ms: ran n times, each time what it had read',
  );
  gate.resolve(1);
  assertEquals(await holder, 1);
});

Deno.test("Cache.updates() ends with what is in the cache, whenever a set comes beside a transaction", async () => {
  for (let steps = 0; steps < 20; steps++) {
    await using cache = new MemoryCache<number>();
    const updates = cache.updates();
    const first = updates.next();
    const transaction = cache.transaction(["a"], (tx) => tx.set("a", 1));
    for (let step = 0; step < steps; step++) await null;
    await cache.set("a", 2);
    await transaction;
    await cache.set("end", 0);
    const seen = [(await first).value];
    while (seen.at(-1)![0] !== "end") seen.push((await updates.next()).value);
    assertEquals(seen.at(-2), ["a", await cache.get("a")], `after ${steps} steps`);
    await updates.return!();
  }
});

Deno.test("Cache.updates() made before close() and read after it ends", async () => {
  const cache = new MemoryCache<number>();
  const updates = cache.updates();
  await cache.close();
  assertEquals(await updates.next(), { done: true, value: undefined });
});

Deno.test("Cache.transaction() lets go of its keys while a reader of updates is slow", async () => {
  await using cache = new MemoryCache<number>();
  const updates = cache.updates({ overflow: "wait", bound: 1 });
  const first = updates.next();
  await cache.set("begin", 0);
  await first;
  const slow = cache.update("a", () => 1);
  const next = cache.update("a", (a = 0) => a + 1);
  while (await cache.get("a") !== 2) await Promise.resolve();
  await updates.return!();
  assertEquals(await Promise.all([slow, next]), [1, 2]);
});

Deno.test("Cache.set() of an entry larger than maxBytes is an error and evicts nothing", async () => {
  await using cache = new MemoryCache<string>({ maxBytes: 1_000 });
  await cache.set("a", "x");
  await assertRejects(() => cache.set("b", "x".repeat(2_000)), RangeError, "maxBytes is 1000");
  const both = cache.transaction(["a", "b"], (tx) => {
    tx.set("a", "y");
    tx.set("b", "x".repeat(2_000));
  });
  await assertRejects(() => both, RangeError, '"b"');
  assertEquals([await cache.get("a"), cache.evictions], ["x", 0]);
});

Deno.test("An error of onEvict takes nothing back, and the others are told", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/db`;
  const evicted: Key[] = [];
  const onEvict = (key: Key) => {
    evicted.push(key);
    throw new Error(`no ${key}`);
  };
  {
    await using cache = await Cache.open<string>(path, { maxBytes: 250, onEvict });
    const updates = cache.updates();
    const first = updates.next();
    await cache.set("a", "x".repeat(50));
    await cache.set("b", "x".repeat(50));
    await first;
    await assertRejects(() => cache.set("c", "x".repeat(200)), Error, "no a");
    assertEquals((await updates.next()).value, ["b", "x".repeat(50)]);
    assertEquals((await updates.next()).value, ["c", "x".repeat(200)]);
  }
  assertEquals(evicted, ["a", "b"]);
  await using cache = await Cache.open<string>(path);
  assertEquals(await Array.fromAsync(cache.keys()), ["c"]);
});

Deno.test("An error of onEvict at opening leaves nothing open, and what it dropped is gone", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/db`;
  {
    await using cache = await Cache.open<string>(path);
    for (const key of ["a", "b"]) await cache.set(key, "x".repeat(100));
  }
  const onEvict = () => {
    throw new Error("no");
  };
  await assertRejects(() => Cache.open<string>(path, { maxBytes: 150, onEvict }), Error, "no");
  assertEquals([...openStores], []);
  await using cache = await Cache.open<string>(path);
  assertEquals(await Array.fromAsync(cache.keys()), ["b"]);
});

Deno.test("A local Cache is held under every spelling of its path", async () => {
  await using folder = await temporaryFolder();
  await Deno.mkdir(`${folder.path}/real`);
  await Deno.symlink(`${folder.path}/real`, `${folder.path}/link`);
  await using _cache = await Cache.open(`${folder.path}/link/db`);
  await assertRejects(() => Cache.open(`${folder.path}/real/db`), CacheHeldError);
});

Deno.test("Cache.space() that is open refuses options", async () => {
  await using cache = new MemoryCache();
  const space = cache.space("a", { ttl: 5 });
  assertThrows(() => cache.space("a", { ttl: 6 }), TypeError, '"a" again');
  assertEquals(cache.space("a"), space);
});

Deno.test("Transaction.set() refuses unknown options", async () => {
  await using cache = new MemoryCache<number>();
  const options = { ttlMs: 5 } as object;
  const wrong = () => cache.transaction(["a"], (tx) => tx.set("a", 1, options));
  await assertRejects(wrong, TypeError, '"ttl"');
});

Deno.test("A shared Cache takes a ttl of any length", async () => {
  using kv = await Deno.openKv(":memory:");
  await using cache = await Cache.open<number>(kv);
  await cache.set("a", 1, { ttl: Number.MAX_SAFE_INTEGER });
  assertEquals(await cache.get("a"), 1);
});

Deno.test("Cache.flush() and evictions after close() are errors", async () => {
  const cache = new MemoryCache();
  await cache.close();
  await assertRejects(() => cache.flush(), TypeError, "closed");
  assertThrows(() => cache.evictions, TypeError, "closed");
});

Deno.test("A Cache sweeps no longer when what could expire was overwritten or deleted", async () => {
  const clock = new ManualClock(0);
  await using cache = new MemoryCache<number>({ clock });
  await cache.set("a", 1, { ttl: 60_000 });
  await cache.set("b", 1, { ttl: 60_000 });
  await cache.set("a", 2);
  await cache.delete("b");
  await clock.tick(1_000);
  assertEquals([cache.size, clock.pending], [1, 0]);
});

Deno.test("Cache.space() refuses more spaces than the disk can name, and takes all below", async () => {
  await using folder = await temporaryFolder();
  await using cache = await Cache.open<number>(`${folder.path}/db`);
  const open = (n: number) => cache.space<number>(`${n}`.padStart(40, "_"));
  for (let n = 1; n < 500; n++) await open(n).set("a", n);
  assertThrows(() => open(500), RangeError, "takes 500");
  await cache.flush();
});

Deno.test("Cache.updates() has writes in order, also those that the disk does not take", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/db`;
  const clock = new ManualClock(1_000);
  await using cache = await Cache.open<string>(path, { maxBytes: Infinity, clock });
  const updates = cache.updates();
  const first = updates.next();
  using database = new DatabaseSync(path);
  database.exec("BEGIN EXCLUSIVE");
  const large = "x".repeat(5_000_000);
  const waiting = [
    cache.set("a", large),
    cache.transaction(["b"], (tx) => tx.set("b", large)),
  ].map((written) => assertRejects(() => written, CacheStorageError, "locked"));
  assertEquals((await first).value![0], "a");
  assertEquals((await updates.next()).value![0], "b");
  const moved = setInterval(() => clock.tick(1_000), 5);
  await Promise.all(waiting);
  clearInterval(moved);
  database.exec("COMMIT");
  await updates.return!();
});
