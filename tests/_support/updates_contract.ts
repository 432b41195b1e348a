/** What `updates()` has in every layout of a Cache. */
import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import type { Key } from "../../mod.ts";
import { Random, settle } from "../../src/testing/mod.ts";
import type { CacheFixture } from "./cache_layout.ts";

/** Registers the tests. */
export function testUpdatesContract({ test, open }: CacheFixture): void {
  test("updates() has every write, deletions and transactions from its call on", async () => {
    await using cache = await open<number>();
    await cache.set("before", 0);
    const updates = cache.updates({ overflow: "wait" });
    const written = cache.set("a", 1);
    const first = updates.next();
    await written;
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
    const waiting = cache.updates({ overflow: "wait", bound: 2 });
    const latest = cache.updates();
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

  test("updates() refuses a bound where nothing waits", async () => {
    await using cache = await open<number>();
    assertThrows(() => cache.updates({ bound: 2 }), TypeError, "Cannot use bound");
  });

  test("updates({ initial: true }) gives what is there, then every change", async () => {
    await using cache = await open<number>();
    for (const key of ["a", "b", "c", "d"]) await cache.set(key, 0);
    const updates = cache.updates({ initial: true, overflow: "wait" });
    assertEquals((await updates.next()).value, ["a", 0]);
    await cache.set("a", 1);
    await cache.set("c", 1);
    await cache.set("c", 2);
    await cache.delete("d");
    await cache.set("e", 1);
    const rest = [];
    for (let n = 0; n < 6; n++) rest.push((await updates.next()).value);
    assertEquals(rest, [["b", 0], ["a", 1], ["c", 1], ["c", 2], ["d", undefined], ["e", 1]]);
    const next = updates.next();
    await cache.set("b", 1);
    assertEquals((await next).value, ["b", 1]);
    await updates.return!();
  });

  for (const overflow of ["wait", "latest"] as const) {
    test(`updates({ initial: true, overflow: "${overflow}" }) has no gap and no double, whenever is written`, async () => {
      await using cache = await open<number>();
      const random = new Random(9);
      let version = 0;
      const write = async () => {
        const key = random.integer(30);
        if (random.integer(4) === 0) await cache.delete(key);
        else if (random.integer(3) > 0) await cache.set(key, ++version);
        else {
          await cache.transaction([key, key + 1], (tx) => {
            tx.set(key, ++version);
            tx.set(key + 1, ++version);
          });
        }
      };
      for (let round = 0; round < 5; round++) {
        for (let n = 0; n < 10; n++) await write();
        const earlier = write(); // begun before, done after
        const updates = cache.updates({ initial: true, overflow });
        const writing = (async () => {
          await earlier;
          for (let n = 0; n < 40; n++) await write();
          await cache.set("end", 0);
        })();
        const seen = new Map<Key, number>();
        for await (const [key, value] of updates) {
          if (key === "end") break;
          if (value === undefined) seen.delete(key);
          else {
            assertNotEquals(value, seen.get(key), `${key} came twice`);
            seen.set(key, value);
          }
          if (random.integer(3) === 0) await settle();
        }
        await writing;
        await cache.delete("end");
        const entries = await Array.fromAsync(cache.entries());
        assertEquals([...seen].sort(([a], [b]) => Number(a) - Number(b)), entries);
      }
    });
  }

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
}
