/** How every layout of a Cache iterates. */
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import type { Key } from "../../mod.ts";
import type { CacheFixture } from "./cache_layout.ts";

/** Registers the tests. */
export function testRangeContract({ test, open }: CacheFixture): void {
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
}
