import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import {
  App,
  Cache,
  CacheStorageError,
  CommitError,
  MemoryCache,
  type StatusEvent,
} from "../../mod.ts";
import type { Commit } from "../../src/flow/source/host.ts";
import { ManualClock, settle } from "../../src/testing/mod.ts";
import { crashedCopy } from "../_support/crashed_copy.ts";
import { Recorder } from "../_support/recorder.ts";
import { temporaryFolder } from "../_support/temporary.ts";

/** So long that only a commit brings anything to disk. */
const NEVER_MS = 1e9;

Deno.test("A Cache is a sink of which the handler of the next message reads", async () => {
  await using sums = new MemoryCache<number>();
  const app = new App();
  app.handle([1, 2, 3, 4], async (n) => ["sum", await sums.get("sum", 0) + n] as const, {
    sink: sums,
  });
  await app.stream();
  assertEquals(await sums.get("sum"), 10);
});

Deno.test("cache.updates() is a source: it has every write of the other flows, and ends with the run", async () => {
  await using words = new MemoryCache<number>();
  const app = new App();
  const seen: unknown[] = [];
  const stop = new AbortController();
  app.handle(words.updates({ overflow: "wait" }), ([word, count]) => {
    if (word === "end") stop.abort();
    return `${word} ${count}`;
  }, { sink: (text) => seen.push(text) });
  app.handle(["a", "b", "a", "end"], async (word) => {
    return [word, await words.get(word, 0) + 1] as const;
  }, { sink: words });
  await app.stream({ signal: stop.signal });
  assertEquals(seen, ["a 1", "b 1", "a 2", "end 1"]);
  // Nobody reads them any more, so nobody holds the writer.
  for (let n = 0; n < 3_000; n++) await words.set(n, n);
});

Deno.test('updates({ overflow: "wait" }) whose reader hangs holds its writers, and running apps are told who it is', async () => {
  await using folder = await temporaryFolder();
  const clock = new ManualClock(0);
  const path = `${folder.path}/db`;
  await using cache = await Cache.open<number>(path, { clock });
  const totals = cache.space<number>("totals");
  const hung = totals.updates({ overflow: "wait", bound: 2, name: "dashboard" });
  const told: StatusEvent[] = [];
  const app = new App({ onStatus: (event) => told.push(event) });
  let handled = 0;
  app.handle([1, 2, 3], async (n) => {
    await totals.set("a", n);
    handled++;
  });
  const running = app.stream();
  while (clock.pending < 2) await settle(); // that of the flush and that of the wait
  await clock.tick(10_000);
  const waits = told.filter(({ type }) => type === "updates_waiting");
  const wait = {
    type: "updates_waiting",
    cache: `space "totals" of cache ${JSON.stringify(path)}`,
    reader: "dashboard",
    updates: 2,
  };
  assertEquals([handled, waits], [1, [{ ...wait, waitedMs: 5_000 }, {
    ...wait,
    waitedMs: 10_000,
  }]]);
  await hung.return!();
  await running;
  assertEquals(handled, 3);
  await totals.set("after", 1);
  await cache.flush();
  assertEquals(clock.pending, 0);
});

Deno.test("updates() whose reader hangs holds nobody", async () => {
  await using cache = new MemoryCache<number>();
  const hung = cache.updates();
  const app = new App();
  app.handle(Array(5_000).keys(), (n) => cache.set(n % 10, n));
  await app.stream();
  const values = [];
  for (let n = 0; n < 10; n++) values.push((await hung.next()).value![1]);
  assertEquals(values, Array.from({ length: 10 }, (_, n) => 4_990 + n));
});

Deno.test("cache.updates() as a source ends when the cache is closed", async () => {
  const cache = new MemoryCache<number>();
  const app = new App();
  const seen: unknown[] = [];
  app.handle(cache.updates(), async ([key]) => {
    seen.push(key);
    await cache.close();
  });
  app.handle([1], (n) => [n, n] as const, { sink: cache });
  await app.stream();
  assertEquals(seen, [1]);
});

Deno.test("A value that is not a pair of key and value meets onError at a Cache as a sink", async () => {
  await using cache = new MemoryCache<number>();
  const app = new App({ onError: "skip" });
  const wrong = ["not a pair", ["a", 1], ["b"]] as [string, number][];
  app.handle(wrong, (pair) => pair, { sink: cache });
  await app.stream();
  assertEquals(await Array.fromAsync(cache.entries()), [["a", 1]]);
});

/** A source that lets `check` look at each position before it is committed. */
class Checked extends Recorder<number> {
  readonly #check: (position: number) => Promise<void>;

  constructor(messages: Iterable<number>, check: (position: number) => Promise<void>) {
    super(messages);
    this.#check = check;
  }

  override snapshot(): Commit | undefined {
    const position = this.ackedTo;
    const commit = super.snapshot();
    if (commit === undefined) return undefined;
    return async () => {
      await this.#check(position);
      await commit();
    };
  }
}

Deno.test("Positions are committed only when the state of their messages is on disk", async () => {
  await using folder = await temporaryFolder();
  const open = (name: string) =>
    Cache.open<number>(`${folder.path}/${name}`, { flushInterval: NEVER_MS });
  await using sink = await open("sink");
  // No flow names this one: only its handler knows it.
  await using state = await open("state");
  const source = new Checked(Array(2_000).keys(), async (position) => {
    for (const name of ["sink", "state"]) {
      await using left = await crashedCopy<number>(`${folder.path}/${name}`);
      const stored = await Array.fromAsync(left.values({ limit: position }));
      // More is what came after the snapshot.
      assertEquals(stored, Array.from({ length: position }, (_, n) => n));
    }
  });
  const app = new App({ commit: { messages: 300 } });
  app.handle(source, async (n) => {
    await state.set(n, n);
    return [n, n] as const;
  }, { sink });
  await app.stream();
  assertEquals(source.committed.at(-1), 2_000);
  assertEquals(source.committed.length > 1, true);
});

Deno.test("A disk that fails surfaces at the commit: nothing is committed, lost or half there", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/db`;
  const clock = new ManualClock(1_000);
  const cache = await Cache.open<number>(path, { clock, flushInterval: NEVER_MS });
  const source = new Recorder([1, 2, 3]);
  // Its time stands still: a flush may take as long as it does, and is not tried again.
  const app = new App({ clock: new ManualClock(), commit: { flushTimeout: 1 } });
  app.handle(source, (n) => [n, n] as const, { sink: cache });

  using other = new DatabaseSync(path);
  other.exec("BEGIN EXCLUSIVE");
  const failed = assertRejects(() => app.stream(), CommitError);
  // Each attempt is real: time moves on whenever one has failed.
  const moved = setInterval(() => clock.tick(1_000), 5);
  const { cause } = await failed;
  clearInterval(moved);
  assertInstanceOf(cause, CacheStorageError);
  assertEquals(source.committed, []);
  assertEquals(await Array.fromAsync(cache.values()), [1, 2, 3]);

  other.exec("COMMIT");
  await cache.flush();
  await app.stream();
  assertEquals(source.committed, [3]);
  await cache.close();
  await using again = await Cache.open<number>(path);
  assertEquals(await Array.fromAsync(again.values()), [1, 2, 3]);
});
