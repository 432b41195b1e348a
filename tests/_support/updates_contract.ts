/** What `updates()` has in every layout of a Cache. */
import { assertEquals } from "@std/assert";
import { settle } from "../../src/testing/mod.ts";
import type { CacheFixture } from "./cache_layout.ts";

/** Registers the tests. */
export function testUpdatesContract({ test, open }: CacheFixture): void {
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
}
