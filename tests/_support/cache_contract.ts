/** What every layout of a Cache must do; what one cannot do is a named capability. */
import {
  assert,
  assertEquals,
  assertGreater,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import type { Key } from "../../mod.ts";
import { ManualClock } from "../../src/testing/mod.ts";
import { type CacheLayout, testOnLayout } from "./cache_layout.ts";
import { testRangeContract } from "./range_contract.ts";
import { testTransactionContract } from "./transaction_contract.ts";
import { testUpdatesContract } from "./updates_contract.ts";

/** Registers the tests of the contract. */
export function testCacheContract(layout: CacheLayout): void {
  const fixture = testOnLayout(layout);
  const { test, open, can } = fixture;

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

  test("takes -0 and 0 for one key", async () => {
    await using cache = await open<number>();
    await cache.set(0, 1);
    await cache.set(["a", -0], 2);
    assertEquals([await cache.get(-0), await cache.get(["a", 0])], [1, 2]);
    await cache.transaction([-0], (tx) => tx.delete(0));
    assertEquals(await Array.fromAsync(cache.keys({ from: ["a", -0] })), [["a", 0]]);
    assertEquals(await cache.has(0), false);
  });

  test("refuses values that are not a key, and names key, size and limit of one that is too long", async () => {
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

  test("clear() removes everything", async () => {
    await using cache = await open<number>();
    for (let i = 0; i < 20; i++) await cache.set(i, i);
    await cache.flush();
    await cache.clear();
    assertEquals(await Array.fromAsync(cache.keys()), []);
    await cache.set(1, 1);
    assertEquals(await Array.fromAsync(cache.keys()), [1]);
  });

  test("entries expire exactly after ttl", async () => {
    const clock = new ManualClock(Date.now());
    await using cache = await open<number>({ ttl: 60_000, clock });
    await cache.set("a", 1);
    await cache.set("b", 2, { ttl: 120_000 });
    await clock.tick(59_999);
    assertEquals(await cache.get("a"), 1);
    await clock.tick(1);
    assertEquals(await cache.get("a"), undefined);
    assertEquals(await Array.fromAsync(cache.keys()), ["b"]);
    await cache.set("a", 3);
    await clock.tick(60_000);
    assertEquals(await Array.fromAsync(cache.keys()), []);
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

  test("eviction drops what was written longest ago, or is refused", async () => {
    const evicted: [Key, number][] = [];
    const options = {
      maxBytes: 1_000,
      onEvict: (key: Key, value: number) => void evicted.push([key, value]),
    };
    if (!can("eviction")) {
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
    const options = { ttlMs: 5 } as Record<string, unknown>;
    const error = await assertRejects(() => open(options), TypeError);
    assertStringIncludes(error.message, 'did you mean "ttl"?');
    await assertRejects(() => open({ ttl: { seconds: -1 } }), RangeError, "the seconds of");
    await assertRejects(() => open({ ttl: 0 }), RangeError, "ttl");
  });

  testRangeContract(fixture);
  testTransactionContract(fixture);
  testUpdatesContract(fixture);
}
