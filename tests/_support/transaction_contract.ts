/** What transactions do in every layout of a Cache. */
import {
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import type { Cache } from "../../mod.ts";
import { settle } from "../../src/testing/mod.ts";
import type { CacheFixture } from "./cache_layout.ts";

/** Registers the tests. */
export function testTransactionContract({ test, open, can }: CacheFixture): void {
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

  test("update() by a function that waits for nothing takes its turn, and sees each value once", async () => {
    await using cache = await open<{ n: number }>();
    const add = (before = { n: 0 }) => {
      before.n += 1; // a copy
      return before;
    };
    const gate = Promise.withResolvers<void>();
    const holder = cache.transaction(["k"], async (tx) => {
      const { n } = await tx.get("k", { n: 0 });
      await gate.promise;
      tx.set("k", { n: n + 1 });
    });
    await settle();
    const adding = Array.from({ length: 20 }, () => cache.update("k", add));
    gate.resolve();
    const results = (await Promise.all(adding)).map(({ n }) => n);
    await holder;
    results[0] = 0; // nor is the result what is stored
    assertEquals(
      results.toSorted((a, b) => a - b).slice(1),
      Array.from(Array(19), (_, i) => i + 3),
    );
    assertEquals(await cache.get("k"), { n: 21 });
    const failing = (before?: { n: number }) => {
      before!.n = 0;
      throw new Error("no");
    };
    await assertRejects(() => cache.update("k", failing), Error, "no");
    assertEquals(await cache.get("k"), { n: 21 });
  });

  test("update() by a function that is not async calls it once, also where it returns a promise", async () => {
    await using cache = await open<number>();
    const gate = Promise.withResolvers<void>();
    let calls = 0;
    const later = (n = 0) => {
      calls++;
      return gate.promise.then(() => n + 1);
    };
    const updating = [cache.update("n", later), cache.update("n", (n = 0) => n * 10)];
    await settle();
    assertEquals(await cache.get("n"), undefined);
    gate.resolve();
    assertEquals([await Promise.all(updating), await cache.get("n")], [[1, 10], 10]);
    const refused = cache.update("n", () => Promise.reject(new Error("no")));
    await assertRejects(() => refused, Error, "no");
    assertEquals([calls, await cache.get("n")], [1, 10]);
  });

  test("update() calls a function again when the entry was written meanwhile, by itself too", async () => {
    await using cache = await open<number>();
    const gate = Promise.withResolvers<void>();
    const seen: (number | undefined)[] = [];
    const changing = cache.update("n", (n = 0) => {
      if (seen.push(n) > 1) return n + 1;
      return cache.set("n", 5).then(() => n + 1);
    });
    assertEquals([await changing, seen, await cache.get("n")], [6, [0, 5], 6]);
    const waiting = cache.update("n", (n = 0) => {
      seen.push(n);
      return gate.promise.then(() => n + 1);
    });
    await settle();
    await cache.set("n", 7);
    gate.resolve();
    assertEquals([await waiting, seen.at(-1), await cache.get("n")], [8, 7, 8]);
  });

  test("update() within update() of the same key is an error, also where neither waits", async () => {
    await using cache = await open<number>();
    const inner: Promise<unknown>[] = [];
    const nest = (n = 0) => {
      inner.push(
        assertRejects(() => cache.update("a", () => 7), TypeError, "wait for itself"),
        assertRejects(() => cache.transaction(["b", "a"], () => {}), TypeError, 'on key "a"'),
        cache.update("c", () => 1),
      );
      return n + 1;
    };
    await cache.update("a", () => 1);
    assertEquals(await cache.update("a", nest), 2);
    assertEquals(inner.length, 3); // it was called once
    await Promise.all(inner);
    assertEquals(await cache.getMany(["a", "c"]), [2, 1]);
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
      }, { timeout: 20_000 });
    const ended = await Promise.allSettled([nest(0, cache, space), nest(1, space, cache)]);
    assertEquals(ended.map(({ status }) => status).toSorted(), ["fulfilled", "rejected"]);
    const { reason } = ended.find((result) => result.status === "rejected")!;
    assertInstanceOf(reason, TypeError);
    assertStringIncludes(
      reason.message,
      'on key "k": the transaction that holds the key is waiting',
    );
    // The outer transaction that failed has written nothing.
    const left = [await cache.get("k"), await space.get("k")];
    assertEquals(left.toSorted(), ended[0].status === "fulfilled" ? [0, 10] : [1, 10]);
  });

  test("transaction() ends by its time limit and by its signal, and lets the next one in", async () => {
    await using cache = await open<number>();
    const never = () => new Promise<number>(() => {});
    const error = await assertRejects(
      () => cache.update("a", never, { timeout: 20 }),
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

  test("update() of a value that is larger than maxTransactionBytes is refused", async () => {
    await using cache = await open<string>({ maxTransactionBytes: 1_000 });
    const update = () => cache.update("k", () => "x".repeat(1_000));
    await assertRejects(update, RangeError, "in a transaction: maxTransactionBytes is 1000");
    assertEquals(await cache.has("k"), false);
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
}
