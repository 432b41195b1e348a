/** What every layout of a Cache must do; what one cannot do is a named capability. */
import {
  assert,
  assertEquals,
  assertGreater,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import type { Cache, CacheOptions, Key } from "../../mod.ts";
import { ManualClock, settle } from "../../src/testing/mod.ts";

/** What some layouts cannot do. */
export type Capability = "window" | "sizes" | "large transactions" | "spaces cleared at once";

/** A layout under test. */
export interface CacheLayout {
  /** Its name, which begins the names of the tests. */
  name: string;
  /** Opens an empty cache; closing it leaves nothing behind. */
  open<V = unknown>(options?: CacheOptions<V>): Promise<Cache<V>>;
  /** What it can do beyond the contract. */
  capabilities: readonly Capability[];
  /** Reported as ignored, as what it needs is not there. */
  ignore?: boolean;
}

/** Registers the tests of the contract. */
export function testCacheContract(layout: CacheLayout): void {
  const { open, name, ignore = false } = layout;
  const can = (capability: Capability) => layout.capabilities.includes(capability);
  const test = (what: string, fn: () => Promise<void>) =>
    Deno.test({ name: `Cache (${name}) ${what}`, ignore, fn });

  test("get() returns undefined or the fallback for a missing key", async () => {
    await using cache = await open<number>();
    assertEquals(await cache.get("a"), undefined);
    assertEquals(await cache.get("a", 3), 3);
    assertEquals(await cache.has("a"), false);
  });

  test("set() can be read at once, overwritten and deleted", async () => {
    await using cache = await open<number>();
    await cache.set("a", 1);
    assertEquals(await cache.get("a"), 1);
    await cache.set("a", 2);
    assertEquals(await cache.getMany(["a", "b"]), [2, undefined]);
    await cache.delete("a");
    await cache.delete("a");
    assertEquals(await cache.has("a"), false);
  });

  test("tells a value that is undefined from absence", async () => {
    await using cache = await open();
    await cache.set("a", undefined);
    assertEquals(await cache.has("a"), true);
    assertEquals(await cache.get("a", "fallback"), undefined);
  });

  test("keeps all types of keys apart and in Deno KV's order", async () => {
    await using cache = await open<number>();
    const keys: Key[] = [
      new Uint8Array(),
      new Uint8Array([0, 1]),
      "",
      ["a", 1],
      "a\0b",
      "é",
      "🏆",
      -(2n ** 80n),
      -1n,
      0n,
      1n,
      2n ** 80n,
      -1.5,
      -0,
      0,
      1,
      NaN,
      false,
      true,
    ];
    for (const [i, key] of [...keys.entries()].reverse()) await cache.set(key, i);
    assertEquals(await Array.fromAsync(cache.values()), keys.map((_, i) => i));
    assertEquals(await Array.fromAsync(cache.keys()), keys);
    for (const [i, key] of keys.entries()) assertEquals(await cache.get(key), i);
  });

  test("refuses what is no key, and names key, size and limit of one that is too long", async () => {
    await using cache = await open();
    for (const key of [[], null, undefined, {}, Symbol("a"), "\ud800"]) {
      await assertRejects(() => cache.set(key as unknown as Key, 1), TypeError);
    }
    const error = await assertRejects(() => cache.set("k".repeat(2_000), 1), RangeError);
    assertStringIncludes(error.message, '"kkk');
    assertStringIncludes(error.message, "2002");
    assertStringIncludes(error.message, "1984");
    assertEquals(await Array.fromAsync(cache.keys()), []);
  });

  test("hands out copies of values", async () => {
    await using cache = await open<{ list: number[]; bytes: Uint8Array; date: Date }>();
    const value = { list: [1], bytes: new Uint8Array([1]), date: new Date(5) };
    await cache.set("a", value);
    value.list.push(2);
    value.bytes[0] = 9;
    value.date.setTime(0);
    const read = await cache.get("a");
    assertEquals(read, { list: [1], bytes: new Uint8Array([1]), date: new Date(5) });
    read!.list.push(3);
    read!.date.setTime(0);
    const [scanned] = await Array.fromAsync(cache.values());
    assertEquals(scanned, { list: [1], bytes: new Uint8Array([1]), date: new Date(5) });
  });

  test("refuses a value that would be lost or changed, and keeps the old one", async () => {
    await using cache = await open();
    await cache.set("a", 1);
    class Point {}
    const values = [new Point(), new URL("http://a"), new Blob(), () => 1, Symbol("a")];
    for (const value of [...values, new SharedArrayBuffer(1), { [Symbol("a")]: 1 }]) {
      const error = await assertRejects(() => cache.set("a", { deep: [value] }), TypeError);
      assertStringIncludes(error.message, 'value["deep"]["0"]');
    }
    assertEquals(await cache.get("a"), 1);
  });

  test("stores values of 3 MB, overwrites and deletes them", async () => {
    await using cache = await open<string | Uint8Array>();
    const large = new Uint8Array(3_000_000).map((_, i) => i * 31);
    await cache.set("a", large);
    await cache.set("b", "é🏆".repeat(300_000));
    assertEquals(await cache.get("a"), large);
    await cache.set("a", "small");
    await cache.flush();
    assertEquals(await cache.get("a"), "small");
    assertEquals(((await cache.get("b")) as string).length, 900_000);
    await cache.delete("b");
    assertEquals(await Array.fromAsync(cache.entries()), [["a", "small"]]);
  });

  test("update() changes one entry in one step", async () => {
    await using cache = await open<number>();
    await Promise.all(
      Array.from({ length: 20 }, () =>
        cache.update("n", async (n = 0) => {
          await settle();
          return n + 1;
        })),
    );
    assertEquals(await cache.get("n"), 20);
  });

  test("entries() combines from, to, prefix, startsWith, reverse and limit", async () => {
    await using cache = await open<number>();
    const keys: Key[] = [
      "a",
      ["a", "x"],
      ["a", "xy"],
      ["a", "y"],
      ["a", "y", 1],
      ["b", "x"],
      "ba",
      3,
      [3, "x"],
      4,
    ];
    for (const [i, key] of keys.entries()) await cache.set(key, i);
    const read = (options: Parameters<typeof cache.values>[0]) =>
      Array.fromAsync(cache.values(options));
    assertEquals(await read({ prefix: "a" }), [1, 2, 3, 4]);
    assertEquals(await read({ prefix: "a", reverse: true }), [4, 3, 2, 1]);
    assertEquals(await read({ prefix: ["a"], startsWith: "x" }), [1, 2]);
    assertEquals(await read({ prefix: ["a"], startsWith: "x", reverse: true }), [2, 1]);
    assertEquals(await read({ startsWith: "b" }), [5, 6]);
    assertEquals(await read({ startsWith: "" }), [0, 1, 2, 3, 4, 5, 6]);
    assertEquals(await read({ from: ["a", "y"], to: 3 }), [3, 4, 5, 6]);
    assertEquals(await read({ from: 3, to: ["a", "y"], reverse: true }), [7, 6, 5, 4]);
    assertEquals(await read({ from: 3.5, reverse: true, limit: 1 }), [8]);
    assertEquals(await read({ prefix: "a", from: ["a", "xy"], limit: 2 }), [2, 3]);
    assertEquals(await read({ prefix: "a", from: "0" }), [1, 2, 3, 4]);
    assertEquals(await read({ prefix: "a", from: ["b"], reverse: true, limit: 1 }), [4]);
    assertEquals(await read({ prefix: "a", to: "b", reverse: true }), []);
    assertEquals(await read({ from: 4, to: 3 }), []);
    assertEquals(await read({ limit: 0 }), []);
  });

  test("entries() refuses unknown options and names the nearest", async () => {
    await using cache = await open();
    const options = { reversed: true } as Record<string, unknown>;
    const error = assertThrows(() => cache.entries(options), TypeError);
    assertStringIncludes(error.message, '"reverse"');
    assertThrows(() => cache.entries({ limit: -1 }), RangeError);
  });

  test("entries() goes on in order while it is written to", async () => {
    await using cache = await open<string>();
    for (let i = 0; i < 400; i++) await cache.set(i, "old");
    const seen: number[] = [];
    let late = "";
    for await (const [key, value] of cache.entries()) {
      seen.push(key as number);
      if (key === 0) {
        await cache.delete(399);
        await cache.set(398, "new");
        await cache.set(-1, "before");
      }
      if (key === 398) late = value;
    }
    assertEquals(seen, Array.from({ length: 399 }, (_, i) => i));
    assertEquals(late, "new");
  });

  test("clear() removes everything", async () => {
    await using cache = await open<number>();
    for (let i = 0; i < 20; i++) await cache.set(i, i);
    await cache.flush();
    await cache.clear();
    assertEquals(await Array.fromAsync(cache.keys()), []);
    await cache.set(1, 1);
    assertEquals(await Array.fromAsync(cache.keys()), [1]);
  });

  test("entries expire exactly after ttlMs", async () => {
    const clock = new ManualClock(Date.now());
    await using cache = await open<number>({ ttlMs: 60_000, clock });
    await cache.set("a", 1);
    await cache.set("b", 2, { ttlMs: 120_000 });
    await clock.tick(59_999);
    assertEquals(await cache.get("a"), 1);
    await clock.tick(1);
    assertEquals(await cache.get("a"), undefined);
    assertEquals(await Array.fromAsync(cache.keys()), ["b"]);
    await cache.set("a", 3);
    await clock.tick(60_000);
    assertEquals(await Array.fromAsync(cache.keys()), []);
  });

  test("updates() has every write, deletions and transactions from its first read on", async () => {
    await using cache = await open<number>();
    await cache.set("before", 0);
    const updates = cache.updates();
    await cache.set("still before", 0);
    const first = updates.next();
    await cache.set("a", 1);
    await cache.transaction(["b", "c"], (tx) => {
      tx.set("b", 2);
      tx.set("c", 3);
    });
    await cache.delete("a");
    assertEquals(await first, { done: false, value: ["a", 1] });
    const rest = [await updates.next(), await updates.next(), await updates.next()];
    assertEquals(rest.map((result) => result.value), [["b", 2], ["c", 3], ["a", undefined]]);
    await updates.return!();
    assertEquals(await updates.next(), { done: true, value: undefined });
  });

  test('updates({ overflow: "wait" }) holds the writer, "latest" keeps the newest', async () => {
    await using cache = await open<number>();
    const waiting = cache.updates({ bound: 2 });
    const latest = cache.updates({ overflow: "latest" });
    const first = [waiting.next(), latest.next()];
    await cache.set("a", 1);
    await Promise.all(first);
    await cache.set("a", 2);
    let written = false;
    const held = cache.set("a", 3).then(() => written = true);
    await cache.flush();
    await settle();
    assertEquals(written, false);
    await waiting.next();
    await held;
    assertEquals((await latest.next()).value, ["a", 3]);
    await waiting.return!();
    await latest.return!();
  });

  test("updates() ends by its signal and when the cache is closed", async () => {
    const cache = await open<number>();
    const stop = new AbortController();
    const stopped = cache.updates({ signal: stop.signal }).next();
    const closed = cache.updates().next();
    stop.abort();
    assertEquals((await stopped).done, true);
    await cache.close();
    assertEquals((await closed).done, true);
  });

  test("transaction() reads its own writes and writes all", async () => {
    await using cache = await open<number>();
    await cache.set("a", 1);
    const sum = await cache.transaction(["a", "b"], async (tx) => {
      tx.set("b", 2);
      assertEquals(await tx.getMany(["a", "b"]), [1, 2]);
      tx.delete("a");
      assertEquals(await tx.has("a"), false);
      assertEquals(await cache.has("b"), false);
      return (await tx.get("a", 10)) + (await tx.get("b", 0));
    });
    assertEquals(sum, 12);
    assertEquals(await Array.fromAsync(cache.entries()), [["b", 2]]);
  });

  test("transaction() writes nothing when its function throws", async () => {
    await using cache = await open<number>();
    const run = () =>
      cache.transaction(["a"], (tx) => {
        tx.set("a", 1);
        throw new Error("no");
      });
    await assertRejects(run, Error, "no");
    assertEquals(await cache.has("a"), false);
  });

  test("transaction() runs again when a plain set changed what it had read", async () => {
    await using cache = await open<number>();
    await cache.set("rate", 1);
    let runs = 0;
    await cache.transaction(["a"], async (tx) => {
      const rate = await tx.get("rate", 0);
      if (++runs === 1) await cache.set("rate", 5);
      tx.set("a", rate * 2);
    });
    assertEquals([runs, await cache.get("a")], [2, 10]);
  });

  test("transaction() on several keys never waits for another that waits for it", async () => {
    await using cache = await open<number>();
    const move = (from: string, to: string) =>
      cache.transaction([from, to], async (tx) => {
        const [a, b] = await tx.getMany([from, to]);
        await settle();
        tx.set(from, (a ?? 0) - 1);
        tx.set(to, (b ?? 0) + 1);
      });
    const moves = Array.from({ length: 12 }, (_, i) => i % 2 ? move("a", "b") : move("b", "a"));
    await Promise.all([...moves, move("a", "c"), move("c", "b")]);
    assertEquals(await cache.getMany(["a", "b", "c"]), [-1, 1, 0]);
  });

  test("transaction() nested on a held key, or writing an undeclared one, is an error", async () => {
    await using cache = await open<number>();
    await cache.transaction(["a"], async (tx) => {
      await assertRejects(() => cache.update("a", () => 1), TypeError, "wait for itself");
      await cache.update("b", () => 1);
      assertThrows(() => tx.set("c", 1), TypeError, '"c"');
    });
    assertEquals(await Array.fromAsync(cache.keys()), ["b"]);
  });

  test("transaction() that nests a key whose holder nests its own is an error, and the other goes on", async () => {
    await using cache = await open<number>();
    const space = cache.space<number>("other");
    const reached = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    /** Holds `own` and then wants `other`, once both have their own; `by` is who waits for whom. */
    const nest = (at: 0 | 1, own: Cache<number>, other: Cache<number>) =>
      own.transaction(["k"], async (tx) => {
        tx.set("k", at);
        reached[at]!.resolve();
        await reached[1 - at]!.promise;
        return await other.update("k", (k = 0) => k + 10);
      }, { timeoutMs: 20_000 });
    const ended = await Promise.allSettled([nest(0, cache, space), nest(1, space, cache)]);
    assertEquals(ended.map(({ status }) => status).toSorted(), ["fulfilled", "rejected"]);
    const { reason } = ended.find((result) => result.status === "rejected")!;
    assertInstanceOf(reason, TypeError);
    assertStringIncludes(reason.message, 'on key "k": the one that holds the key waits');
    // The outer transaction that failed has written nothing.
    const left = [await cache.get("k"), await space.get("k")];
    assertEquals(left.toSorted(), ended[0].status === "fulfilled" ? [0, 10] : [1, 10]);
  });

  test("transaction() ends by its time limit and by its signal, and lets the next one in", async () => {
    await using cache = await open<number>();
    const never = () => new Promise<number>(() => {});
    const error = await assertRejects(
      () => cache.update("a", never, { timeoutMs: 20 }),
      DOMException,
    );
    assertEquals(error.name, "TimeoutError");
    assertStringIncludes(error.message, 'on key "a" within 20 ms: its function has not ended');
    const stop = new AbortController();
    const stopped = cache.update("a", never, { signal: stop.signal });
    const waiting = cache.update("a", (n = 0) => n + 1);
    stop.abort(new Error("stopped"));
    await assertRejects(() => stopped, Error, "stopped");
    assertEquals(await waiting, 1);
  });

  test("transaction() of 50,000 keys is whole, or refused before anything is written", async () => {
    await using cache = await open<number>({});
    const keys = Array.from({ length: 50_000 }, (_, i) => i);
    const run = () =>
      cache.transaction(keys, (tx) => {
        for (const key of keys) tx.set(key, key);
      });
    if (can("large transactions")) {
      await run();
      await cache.flush();
      assertEquals((await Array.fromAsync(cache.keys())).length, 50_000);
    } else {
      await assertRejects(run, RangeError, "shared store takes");
      assertEquals(await Array.fromAsync(cache.keys({ limit: 1 })), []);
    }
  });

  test("space() has its own entries", async () => {
    await using cache = await open<number>();
    const other = cache.space<string>("other");
    await cache.set("a", 1);
    await other.set("a", "one");
    assertEquals([await cache.get("a"), await other.get("a")] as unknown[], [1, "one"]);
    await cache.clear();
    assertEquals(await Array.fromAsync(other.entries()), [["a", "one"]]);
    assertThrows(() => cache.space("a/b"), TypeError, "a/b");
  });

  test("size and bytes count, where they can be known", async () => {
    await using cache = await open<string>();
    if (!can("sizes")) {
      assertThrows(() => cache.size, TypeError, "shared");
      return;
    }
    await cache.set("a", "x".repeat(100));
    await cache.set("b", "y");
    assertEquals(cache.size, 2);
    assertGreater(cache.bytes, 100);
    await cache.delete("a");
    await cache.delete("b");
    assertEquals([cache.size, cache.bytes], [0, 0]);
  });

  test("the window drops what was written longest ago, or is refused", async () => {
    const evicted: [Key, number][] = [];
    const options = {
      maxBytes: 1_000,
      onEvict: (key: Key, value: number) => void evicted.push([key, value]),
    };
    if (!can("window")) {
      await assertRejects(() => open<number>(options), TypeError, "maxBytes");
      return;
    }
    await using cache = await open<number>(options);
    for (let i = 0; i < 20; i++) await cache.set(i, i);
    await cache.set(0, 100);
    await cache.flush();
    for (let i = 20; i < 50; i++) await cache.set(i, i);
    assertEquals(evicted.slice(0, 3), [[1, 1], [2, 2], [3, 3]]);
    assertEquals(cache.evictions, evicted.length);
    assertEquals(cache.size, 50 - evicted.length);
    assert(cache.bytes <= 1_000);
    assertEquals(await cache.has(49), true);
  });

  test("use after close is an error, a second close none", async () => {
    const cache = await open<number>();
    await cache.close();
    await cache.close();
    const uses = [
      () => cache.set("a", 1),
      () => cache.get("a"),
      () => cache.clear(),
      () => cache.flush(),
    ];
    for (const use of uses) {
      await assertRejects(use, TypeError, "closed");
    }
    assertThrows(() => cache.entries(), TypeError, "closed");
    assertThrows(() => cache.updates(), TypeError, "closed");
  });

  test("refuses unknown options and names the nearest", async () => {
    const options = { ttl: 5 } as Record<string, unknown>;
    const error = await assertRejects(() => open(options), TypeError);
    assertStringIncludes(error.message, '"ttlMs"');
    await assertRejects(() => open({ ttlMs: 0 }), RangeError, "ttlMs");
  });
}
