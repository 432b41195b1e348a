import {
  assertEquals,
  assertGreater,
  assertLess,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
} from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { Cache, CacheHeldError, CacheStorageError, type Key, MemoryCache } from "../../mod.ts";
import { fromStateRow, STATE_KEY, toStateRow } from "../../src/cache/format.ts";
import type { State } from "../../src/cache/resident/journal.ts";
import { decodePage, encodePage, Page } from "../../src/cache/resident/page.ts";
import { openStores } from "../../src/flow/source/feed.ts";
import { ManualClock } from "../../src/testing/mod.ts";
import { slope } from "../../scripts/bench/heap.ts";
import { liveHeap } from "../_support/live_heap.ts";
import { temporaryFolder } from "../_support/temporary.ts";

const ALL = { maxBytes: Infinity };

async function content(path: string): Promise<[Key, unknown][]> {
  await using cache = await Cache.open(path, ALL);
  return await Array.fromAsync(cache.entries());
}

async function rows(path: string, kind: string): Promise<Deno.KvEntry<unknown>[]> {
  using kv = await Deno.openKv(path);
  return await Array.fromAsync(kv.list({ prefix: ["slipstream", kind] }));
}

Deno.test("A local Cache has what was written when it is opened again", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/not/there/yet/db`;
  const large = { text: "x".repeat(2_000_000), bytes: new Uint8Array(100_000).fill(7) };
  {
    await using cache = await Cache.open(path, ALL);
    await cache.set("gone", 1);
    await cache.set("large", large);
    await cache.set(["k", 1n], new Map([[1, new Date(5)]]));
    await cache.set("undefined", undefined);
    await cache.flush();
    await cache.delete("gone");
    await cache.space<number>("other").set("a", 1);
  }
  assertEquals(await content(path), [
    [["k", 1n], new Map([[1, new Date(5)]])],
    ["large", large],
    ["undefined", undefined],
  ]);
  await using cache = await Cache.open(path, ALL);
  assertEquals(await cache.space("other").get("a"), 1);
});

Deno.test("A local Cache keeps cycles on disk, in a page and in pieces", async () => {
  await using folder = await temporaryFolder();
  interface Node {
    self?: Node;
    text: string;
  }
  const lengths = { small: 1, large: 100_000 };
  {
    await using cache = await Cache.open<Node>(`${folder.path}/db`);
    for (const [key, length] of Object.entries(lengths)) {
      const node: Node = { text: "x".repeat(length) };
      node.self = node;
      await cache.set(key, node);
    }
  }
  await using cache = await Cache.open<Node>(`${folder.path}/db`);
  for (const [key, length] of Object.entries(lengths)) {
    const node = (await cache.get(key))!;
    assertStrictEquals(node.self, node);
    assertEquals(node.text.length, length);
  }
});

Deno.test("A local Cache goes to disk within flushInterval, at once when durable, or at a flush", async () => {
  await using folder = await temporaryFolder();
  const clock = new ManualClock(1_000);
  await using cache = await Cache.open<number>(`${folder.path}/db`, { clock, flushInterval: 50 });
  assertEquals(clock.pending, 0);
  await cache.set("a", 1);
  assertEquals(clock.next, 50);
  await cache.set("b", 1, { durable: true });
  assertEquals((await readBeside(`${folder.path}/db`)).length, 1);
  assertEquals(clock.pending, 0);
  await cache.set("c", 1);
  await clock.tick(50);
  await cache.flush();
  assertEquals((await readBeside(`${folder.path}/db`)).length, 2);
});

/** Reads the pages while the cache has the file open. */
async function readBeside(path: string): Promise<unknown[]> {
  return await rows(path, "l");
}

Deno.test("A local Cache is one store for the commit while it is open, with all its spaces", async () => {
  await using folder = await temporaryFolder();
  const cache = await Cache.open<number>(`${folder.path}/db`);
  const [store, ...others] = openStores;
  assertEquals(others, []);
  await cache.space<number>("other").set("a", 1);
  await store!.flush();
  assertEquals((await readBeside(`${folder.path}/db`)).length, 1);
  await cache.close();
  assertEquals([...openStores], []);
});

Deno.test("A local Cache names its holder when it is opened twice, and is free after close", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/db`;
  const cache = await Cache.open(path);
  const error = await assertRejects(() => Cache.open(path), CacheHeldError, path);
  assertStringIncludes(error.holder, "this process");
  await cache.close();
  await (await Cache.open(path)).close();
});

Deno.test("A local Cache names the process that holds it", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/db`;
  const script = `import { Cache } from "@slipstream/slipstream";
    await Cache.open(${JSON.stringify(path)});
    console.log("open");
    await new Promise((resolve) => setTimeout(resolve, 60_000));`;
  await Deno.writeTextFile(`${folder.path}/holder.ts`, script);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--config", "deno.json", `${folder.path}/holder.ts`],
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  const error = await assertRejects(() => Cache.open(path), CacheHeldError);
  assertStringIncludes(error.holder, String(child.pid));
  child.kill("SIGKILL");
  await child.status;
  await reader.cancel();
  await (await Cache.open(path)).close();
});

Deno.test("A local Cache that another process took over writes nothing more", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/db`;
  const cache = await Cache.open<number>(path);
  await cache.set("a", 1, { durable: true });
  {
    using kv = await Deno.openKv(path);
    const { value } = await kv.get(STATE_KEY);
    const state = fromStateRow(value, "resident", path) as State;
    await kv.set(STATE_KEY, toStateRow("resident", { ...state, owner: "someone else" }));
  }
  await assertRejects(
    () => cache.set("b", 2, { durable: true }),
    CacheStorageError,
    "taken the store over",
  );
  await assertRejects(() => cache.set("c", 3), CacheStorageError);
  assertEquals(await cache.get("b"), 2);
  await assertRejects(() => cache.close(), CacheStorageError);
  assertEquals(await content(path), [["a", 1]]);
});

Deno.test("A local Cache waits for a locked file, and loses nothing when that takes too long", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/db`;
  const clock = new ManualClock(1_000);
  const cache = await Cache.open<number>(path, { ...ALL, clock });
  using database = new DatabaseSync(path);
  database.exec("BEGIN EXCLUSIVE");
  const durable = cache.set("a", 1, { durable: true });
  const failed = assertRejects(() => durable, CacheStorageError, "locked");
  // Each attempt is real: time moves on whenever one has failed.
  const moved = setInterval(() => clock.tick(1_000), 5);
  const error = await failed;
  clearInterval(moved);
  assertEquals(error.retriable, true);
  await assertRejects(() => cache.set("b", 2), CacheStorageError, "locked");
  assertEquals(await cache.get("a"), 1);
  database.exec("COMMIT");
  await cache.flush();
  await cache.set("c", 3);
  await cache.close();
  assertEquals(await content(path), [["a", 1], ["c", 3]]);
});

Deno.test("A local Cache says what is wrong with a file, a folder or a format", async () => {
  await using folder = await temporaryFolder();
  const at = (name: string) => `${folder.path}/${name}`;
  await assertRejects(() => Cache.open(folder.path), CacheStorageError, "it is a folder");
  await Deno.writeTextFile(at("foreign"), "no database at all, ".repeat(100));
  await assertRejects(() => Cache.open(at("foreign")), CacheStorageError, "not a Deno KV file");
  {
    using kv = await Deno.openKv(at("newer"));
    await kv.set(["slipstream", "state"], { format: 99, layout: "resident" });
  }
  await assertRejects(() => Cache.open(at("newer")), CacheStorageError, "format 99");
  {
    using kv = await Deno.openKv(at("older"));
    await kv.set(["slipstream", "state"], { format: 1, layout: "resident" });
  }
  await assertRejects(() => Cache.open(at("older")), CacheStorageError, "format 1");
  await assertRejects(
    () => Cache.open(at("older"), { damaged: "salvage" }),
    CacheStorageError,
    "format 1",
  );
  await (await Cache.open(at("shared"), { shared: true })).close();
  await assertRejects(() => Cache.open(at("shared")), CacheStorageError, "{ shared: true }");
  await assertRejects(() => Cache.open(""), TypeError);
});

Deno.test("Cache.open() at a URL that is not a store's makes no folder, and names what is supported", async () => {
  await using folder = await temporaryFolder();
  const before = Deno.cwd();
  Deno.chdir(folder.path);
  try {
    for (const target of ["ftp://user:secret@host/db", "redis://host", "S3://bucket/a"]) {
      for (const given of [target, new URL(target)]) {
        const error = await assertRejects(() => Cache.open(given), TypeError, "http: or https:");
        assertEquals(error.message.includes("secret"), false);
      }
    }
    assertEquals(await Array.fromAsync(Deno.readDir(".")), []);
    await (await Cache.open("a:b")).close(); // a name that a file can have
  } finally {
    Deno.chdir(before);
  }
});

Deno.test("A Cache says which flags are missing", async () => {
  await using folder = await temporaryFolder();
  const script = `import { Cache } from "${new URL("../../mod.ts", import.meta.url)}";
    await Cache.open(${JSON.stringify(`${folder.path}/db`)}).catch((e) => console.log(e.message));`;
  await Deno.writeTextFile(`${folder.path}/open.ts`, script);
  const config = new URL("../../deno.json", import.meta.url).pathname;
  const run = async (...flags: string[]) => {
    const args = ["run", "--no-check", "--no-prompt", ...flags, `${folder.path}/open.ts`];
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
    return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  };
  assertStringIncludes(await run("--config", config), "--allow-read and --allow-write");
  const plain = JSON.parse(await Deno.readTextFile(config));
  delete plain.unstable;
  const root = new URL("../../", import.meta.url);
  plain.links = plain.links.map((link: string) => new URL(link, root).pathname);
  await Deno.writeTextFile(`${folder.path}/deno.json`, JSON.stringify(plain));
  const withoutKv = await run("-A", "--config", `${folder.path}/deno.json`);
  assertStringIncludes(withoutKv, "--unstable-kv");
});

Deno.test("A local Cache deletes the pieces of values that were overwritten, also after a crash", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/db`;
  {
    await using cache = await Cache.open<string>(path);
    await cache.set("a", "x".repeat(200_000), { durable: true });
    await cache.set("a", "y".repeat(200_000), { durable: true });
    await cache.set("a", "z".repeat(100_000));
  }
  assertEquals((await rows(path, "p")).length, 2);
  const pages = await rows(path, "l");
  {
    using kv = await Deno.openKv(path);
    await kv.set(["slipstream", "p", "left by a crash", 0], new Uint8Array(10));
    const { value } = await kv.get(STATE_KEY);
    const { sequence, last } = fromStateRow(value, "resident", path) as State;
    const torn = encodePage("", new Page(last + 1), { sequence: sequence + 1, ends: false });
    await kv.set(["slipstream", "l", last + 1], torn);
  }
  assertEquals((await content(path)).length, 1);
  assertEquals((await rows(path, "p")).length, 2);
  assertEquals(await rows(path, "l"), pages);
});

Deno.test("A local Cache keeps heap and disk flat through 1,000,000 writes with eviction", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/db`;
  const maxBytes = 25_000_000;
  const random = randomNumbers(1);
  const heap: { x: number; y: number }[] = [];
  let before: [Key, unknown][];
  {
    await using cache = await Cache.open<unknown>(path, { maxBytes });
    for (let i = 1; i <= 1_000_000; i++) {
      const key = random(300_000);
      if (random(5) === 0) await cache.delete(key);
      else await cache.set(key, { i, text: "some text ".repeat(random(20)) });
      if (i < 600_000 || i % 50_000 > 0) continue;
      await cache.flush();
      heap.push({ x: i, y: liveHeap() });
    }
    assertLess(400_000 * slope(heap), 0.03 * heap[0]!.y);
    assertLess(cache.bytes, maxBytes + 1);
    assertGreater(cache.evictions, 0);
    before = await Array.fromAsync(cache.entries());
  }
  const pages = await rows(path, "l");
  const stored = pages.reduce((sum, { key, value }) => {
    return sum + decodePage(key[2] as number, value).records.length;
  }, 0);
  assertLess(stored, 2 * before.length);
  assertLess((await Deno.stat(path)).size, 2 * maxBytes);
  await using cache = await Cache.open<unknown>(path, { maxBytes });
  assertEquals(cache.evictions, 0);
  assertEquals(await Array.fromAsync(cache.entries()), before);
});

/** Returns what makes whole numbers from 0 to below `n`, the same ones for the same seed. */
function randomNumbers(seed: number): (n: number) => number {
  return (n) => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor(seed / 2 ** 32 * n);
  };
}

Deno.test("Many caches in one process, opened and closed again and again, leave nothing open", async () => {
  await using folder = await temporaryFolder();
  for (let round = 0; round < 3; round++) {
    const open = Array.from({ length: 5 }, (_, i) => Cache.open<number>(`${folder.path}/${i}`));
    const caches = await Promise.all(open);
    await Promise.all(caches.map((cache) => cache.update("n", (n = 0) => n + 1)));
    await Promise.all(caches.map((cache) => cache.close()));
  }
  assertEquals(await content(`${folder.path}/4`), [["n", 3]]);
});

Deno.test("update() of a MemoryCache is done when it returns, unless its function wrote the entry itself", async () => {
  await using cache = new MemoryCache<number>();
  const updates = cache.updates({ overflow: "wait" });
  const first = updates.next();
  const add = cache.update("n", (n = 0) => n + 1);
  const set = cache.set("n", 10);
  assertEquals(await Promise.all([add, set, cache.get("n")]), [1, undefined, 10]);
  let calls = 0;
  const again = cache.update("n", (n = 0) => {
    if (++calls === 1) void cache.set("n", 20);
    return n + 1;
  });
  const read: unknown[] = [(await first).value];
  for (let i = 0; i < 3; i++) read.push((await updates.next()).value);
  assertEquals([await again, calls], [21, 2]);
  assertEquals(read, [["n", 1], ["n", 10], ["n", 20], ["n", 21]]);
});

Deno.test("update() of a MemoryCache calls its function one time after the other, also when that was in vain", async () => {
  await using cache = new MemoryCache<number>();
  const seen: unknown[] = [];
  let running = 0;
  const updating = cache.update("n", (n = 0) => {
    seen.push(n, ++running);
    return Promise.resolve().then(() => {
      running--;
      if (seen.length === 2) throw new Error("of a value that is gone");
      return n + 1;
    });
  });
  await cache.set("n", 7);
  // The second call sees what its transaction has read, and is repeated where that has changed.
  assertEquals([await updating, seen], [8, [0, 1, 7, 1]]);
});

Deno.test("update() that closes its cache, or is given no function, is an error", async () => {
  const cache = new MemoryCache<number>();
  for (const change of [undefined, null, 5]) {
    const update = () => cache.update("n", change as unknown as () => number);
    await assertRejects(update, TypeError, `Cannot update an entry by ${change}`);
  }
  let closing: Promise<void> | undefined;
  const update = () =>
    cache.update("n", () => {
      closing = cache.close();
      return 1;
    });
  await assertRejects(update, TypeError, "closed");
  await closing;
  await assertRejects(() => cache.update("n", () => 1, { timeout: 1_000 }), TypeError, "closed");
});
