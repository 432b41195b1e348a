import {
  assertEquals,
  assertGreater,
  assertNotEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { TextLineStream } from "@std/streams/text-line-stream";
import { DatabaseSync } from "node:sqlite";
import { isDeepStrictEqual } from "node:util";
import { App, Cache, CacheDamagedError, CacheStorageError } from "../../mod.ts";
import { ManualClock, Random } from "../../src/testing/mod.ts";
import { openResident } from "../../src/cache/resident/open.ts";
import { dyingKv } from "../_support/dying_kv.ts";
import { contentOf, fillCache } from "../_support/filled_cache.ts";
import { add, numbers } from "../_support/numbers.ts";
import { temporaryFolder } from "../_support/temporary.ts";

const ALL = { maxBytes: Infinity };
/** How many bits are flipped; a longer run sets it. */
const FLIPS = Number(Deno.env.get("CACHE_FLIPS") ?? 240);
const SQLITE_PAGE_BYTES = 4_096;
/** Files that one process opens: each leaves some memory of SQLite behind. */
const FILES_PER_PROCESS = 120;

/** A file of a cache, and what is in it. */
async function filled(folder: string): Promise<{ path: string; content: string }> {
  const path = `${folder}/db`;
  await fillCache(path);
  await using cache = await Cache.open(path, ALL);
  return { path, content: await contentOf(cache) };
}

/** Runs statements on a copy of a file. */
async function altered(path: string, ...statements: string[]): Promise<string> {
  const copy = `${path}.${crypto.randomUUID()}`;
  await Deno.copyFile(path, copy);
  await Deno.copyFile(`${path}-wal`, `${copy}-wal`).catch(() => {}); // it goes when the file is closed
  using database = new DatabaseSync(copy);
  for (const statement of statements) database.exec(statement);
  return copy;
}

/** A value of which one byte is another one, in SQL. */
function changedAt(byte: number): string {
  const other = `iif(substr(v, ${byte + 1}, 1) = x'00', x'01', x'00')`;
  return `CAST(substr(v, 1, ${byte}) || ${other} || substr(v, ${byte + 2}) AS BLOB)`;
}

/** The rows of the library in a file, as SQL calls their keys. */
function rowsOf(path: string): { key: string; kind: string }[] {
  using database = new DatabaseSync(path, { readOnly: true });
  const rows = database.prepare("SELECT k, 'x''' || hex(k) || '''' AS key FROM kv ORDER BY k")
    .all();
  return rows.map(({ k, key }) => ({
    key: key as string,
    kind: new TextDecoder().decode((k as Uint8Array).slice(13, 14)),
  }));
}

Deno.test(`A local Cache whose file had a bit flipped has the right content or is refused (${FLIPS} bits)`, async () => {
  await using folder = await temporaryFolder();
  const { path, content } = await filled(folder.path);
  const { size } = await Deno.stat(path);
  const random = new Random(12);
  const bits = Array.from({ length: FLIPS }, (_, n) => {
    // Every third one where SQLite says what is in a page of its own.
    const page = random.integer(size / SQLITE_PAGE_BYTES) * SQLITE_PAGE_BYTES;
    const byte = n % 3 === 0 ? page + random.integer(100) : random.integer(size);
    return byte * 8 + random.integer(8);
  });
  const outcomes = new Map<string, number>();
  const wrong: number[] = [];
  for (let at = 0; at < bits.length;) {
    for await (
      const [bit, outcome] of outcomesOf(path, content, bits.slice(at, at + FILES_PER_PROCESS))
    ) {
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      if (outcome === "wrong") wrong.push(bit);
      at++;
    }
  }
  if (Deno.env.has("CACHE_FLIPS")) console.log(Object.fromEntries(outcomes), `${size} bytes`);
  assertEquals(wrong, []);
  assertGreater(outcomes.get("CacheDamagedError"), FLIPS / 2);
  assertGreater(outcomes.get("right"), 0);
});

/** Opens copies with one bit flipped each, until all are done or one has ended the process. */
async function* outcomesOf(
  path: string,
  content: string,
  bits: readonly number[],
): AsyncGenerator<[bit: number, outcome: string]> {
  const program = new URL("../_support/flip_bits.ts", import.meta.url).pathname;
  const args = ["run", "-A", "--no-check", program, path, content, ...bits.map(String)];
  await using child = new Deno.Command(Deno.execPath(), { args, stdout: "piped", stderr: "null" })
    .spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
  let last: number | undefined;
  for await (const line of lines) {
    const [bit, outcome] = line.split(" ");
    last = Number(bit);
    yield [last, outcome || "panic"];
  }
  const { success } = await child.status;
  // It ended between two bits: the next one would be opened again and again.
  if (!success && last === undefined) throw new Error("the program that opens files does not run");
}

Deno.test("A local Cache whose file lost any one row is refused, and the file is left as it is", async () => {
  await using folder = await temporaryFolder();
  const { path } = await filled(folder.path);
  const rows = rowsOf(path);
  assertEquals(new Set(rows.map(({ kind }) => kind)), new Set(["l", "p", "s"]));
  for (const { key } of rows) {
    const copy = await altered(path, `DELETE FROM kv WHERE k = ${key}`);
    const before = rowsOf(copy);
    await assertRejects(() => Cache.open(copy, ALL), CacheDamagedError, "damaged");
    assertEquals(rowsOf(copy), before, key);
  }
});

Deno.test("A local Cache whose file lost all of its rows is refused", async () => {
  await using folder = await temporaryFolder();
  const { path } = await filled(folder.path);
  const copy = await altered(path, "DELETE FROM kv");
  const error = await assertRejects(() => Cache.open(copy), CacheDamagedError, "is missing");
  assertEquals(error.damage.entries, Infinity);
});

Deno.test("A local Cache takes a file in which a crash left nothing yet for an empty one", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/db`;
  await Deno.writeTextFile(`${path}.lock`, '{"pid":1,"since":"2026-01-01","fresh":true}');
  (await Deno.openKv(path)).close();
  await (await Cache.open(path)).close();
  const copy = await altered(path, "DELETE FROM kv");
  await Deno.copyFile(`${path}.lock`, `${copy}.lock`);
  await assertRejects(() => Cache.open(copy), CacheDamagedError, "is missing");
});

Deno.test("A local Cache with one row of an earlier time is refused", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/db`;
  /** Fills two pages; then they are merged with what is written over them. */
  {
    await using cache = await Cache.open(path, ALL);
    for (let n = 0; n < 1_000; n++) await cache.set(n, "x".repeat(500));
  }
  const earlier = await altered(path);
  {
    await using cache = await Cache.open(path, ALL);
    for (let n = 0; n < 1_000; n++) if (n % 9 > 0) await cache.set(n, "y".repeat(500));
  }
  const now = new Set(rowsOf(path).map(({ key }) => key));
  const changed = rowsOf(earlier).filter(({ key }) => now.has(key));
  let different = 0;
  for (const { key } of changed) {
    const copy = await altered(
      path,
      `ATTACH '${earlier}' AS earlier`,
      `UPDATE kv SET v = (SELECT v FROM earlier.kv WHERE k = ${key}) WHERE k = ${key} ` +
        `AND v <> (SELECT v FROM earlier.kv WHERE k = ${key})`,
      "CREATE TABLE changed AS SELECT changes() AS n",
    );
    using database = new DatabaseSync(copy, { readOnly: true });
    if (database.prepare("SELECT n FROM changed").get()!.n === 0) continue;
    different++;
    await assertRejects(() => Cache.open(copy, ALL), CacheDamagedError, "damaged");
  }
  assertGreater(different, 1);
});

Deno.test("Cache.open() with damaged: salvage keeps what is not damaged and tells what is lost", async () => {
  await using folder = await temporaryFolder();
  const { path } = await filled(folder.path);
  const all = await entriesOf(path);
  const rows = rowsOf(path);
  const page = rows.filter(({ kind }) => kind === "l").at(-4)!;
  const piece = rows.find(({ kind }) => kind === "p")!;
  const damage = [
    `UPDATE kv SET v = ${changedAt(1000)} WHERE k = ${piece.key}`,
    `DELETE FROM kv WHERE k = ${page.key}`,
  ];
  const copy = await altered(path, ...damage);
  const refused = await assertRejects(() => Cache.open(copy, ALL), CacheDamagedError);
  assertStringIncludes(refused.message, "1 page with up to");
  assertStringIncludes(refused.message, 'key [ "large", ');
  assertStringIncludes(refused.message, '{ damaged: "salvage" }');
  {
    await using cache = await Cache.open(copy, { ...ALL, damaged: "salvage" });
    assertEquals(cache.damage, refused.damage);
  }
  const salvaged = await entriesOf(copy);
  const lost = [...all.keys()].filter((key) => !salvaged.has(key));
  const older = [...salvaged].filter(([key, value]) => !isDeepStrictEqual(value, all.get(key)));
  assertEquals(lost.filter((key) => key.startsWith("large")).length, 1);
  assertGreater(lost.length, 1);
  assertEquals(refused.damage.pages, 1);
  assertGreater(refused.damage.entries + 1, lost.length + older.length);
  assertGreater(1_000, refused.damage.entries);
});

Deno.test("Cache.open() with damaged: salvage has everything when only the state row is lost", async () => {
  await using folder = await temporaryFolder();
  const { path } = await filled(folder.path);
  const all = await entriesOf(path);
  const state = rowsOf(path).find(({ kind }) => kind === "s")!;
  const lost = `DELETE FROM kv WHERE k = ${state.key}`;
  const changed =
    `UPDATE kv SET v = substr(v, 1, 90) || x'00' || substr(v, 92) WHERE k = ${state.key}`;
  for (const statement of [lost, changed]) {
    const copy = await altered(path, statement);
    {
      await using cache = await Cache.open(copy, { ...ALL, damaged: "salvage" });
      assertEquals([cache.damage?.pages, cache.damage?.entries], [0, Infinity]);
    }
    assertEquals(await entriesOf(copy), all);
  }
});

Deno.test("A local Cache that was salvaged keeps no exact state any more, also after a crash", async () => {
  await using folder = await temporaryFolder();
  const { path } = await filled(folder.path);
  const page = rowsOf(path).find(({ kind }) => kind === "l")!;
  const copy = await altered(path, `DELETE FROM kv WHERE k = ${page.key}`);
  await using cache = await Cache.open<number>(copy, { ...ALL, damaged: "salvage" });
  await using crashed = await Cache.open<number>(await altered(copy), ALL);
  for (const state of [cache, crashed]) {
    const app = new App();
    const handler = ({ n }: { n: number }) => add(state, "sum", n);
    app.handle(numbers(200).source, handler, { name: "sum", state });
    await assertRejects(() => app.stream(), TypeError, "it was damaged and salvaged");
  }
});

Deno.test("Cache.open() with damaged: salvage that is killed after any write has the same after another one", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/db`;
  {
    await using cache = await Cache.open<string>(path, ALL);
    await cache.set("first", "x".repeat(100_000));
    for (let batch = 0; batch < 2; batch++) {
      for (let n = 0; n < 1_000; n++) await cache.set(n, `${batch}`.repeat(100));
      await cache.flush();
    }
  }
  const rows = rowsOf(path);
  const key = (kind: string, at: number) => rows.filter((row) => row.kind === kind).at(at)!.key;
  const damages = [
    // No end of the last batch, of which pages are left: with and without a state.
    [`DELETE FROM kv WHERE k IN (${key("s", 0)}, ${key("l", -1)})`],
    [`DELETE FROM kv WHERE k = ${key("l", -1)}`],
    [`UPDATE kv SET v = ${changedAt(100)} WHERE k IN (${key("l", 2)}, ${key("p", 0)})`],
  ];
  for (const damage of damages) {
    const damaged = await altered(path, ...damage);
    const salvage = async (path: string) => {
      await using cache = await Cache.open(path, { ...ALL, damaged: "salvage" });
      return await Array.fromAsync(cache.entries());
    };
    const whole = await salvage(await altered(damaged));
    for (let writes = 0, killed = true; killed; writes++) {
      const copy = await altered(damaged);
      const clock = new ManualClock(0);
      const openKv = async () => dyingKv(await Deno.openKv(copy), writes);
      const options = { clock, flushIntervalMs: 100, damaged: "salvage" } as const;
      const opening = openResident(copy, openKv, options);
      killed = await opening.then(() => false, () => true);
      assertEquals(clock.pending, 0);
      if (!killed) await (await opening).close();
      assertEquals(await salvage(copy), whole, `${damage} ${writes}`);
    }
  }
});

Deno.test("Cache.open() that fails at its first write leaves nothing open", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/db`;
  {
    await using cache = await Cache.open<number>(path, { clock: new ManualClock(0) });
    await cache.set("a", 1, { ttl: 1_000 });
    await cache.set("b", 1, { ttl: 10_000 });
  }
  const clock = new ManualClock(5_000);
  const openKv = async () => dyingKv(await Deno.openKv(path), 0);
  await assertRejects(
    () => openResident(path, openKv, { clock, flushIntervalMs: 100 }),
    Error,
    "killed",
  );
  assertEquals(clock.pending, 0);
  await using cache = await Cache.open<number>(path, { clock });
  assertEquals(await Array.fromAsync(cache.keys()), ["b"]);
});

Deno.test("A shared Cache reads no entry that is not as it was written, and takes a new one in its place", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/db`;
  const large = "text ".repeat(30_000);
  {
    await using cache = await Cache.open<unknown>(path, { shared: true });
    await cache.set("a", { text: "some text" });
    await cache.set("b", large);
    await cache.set("c", 1);
  }
  const change = (kind: string) => {
    const row = rowsOf(path).find((row) => row.kind === kind)!;
    return `UPDATE kv SET v = ${changedAt(20)} WHERE k = ${row.key}`;
  };
  const copy = await altered(path, change("e"), change("p"));
  {
    await using cache = await Cache.open<unknown>(copy, { shared: true });
    for (const key of ["a", "b"]) {
      const error = await assertRejects(() => cache.get(key), CacheDamagedError, `"${key}"`);
      assertEquals([error.retriable, error.damage.entries], [false, 1]);
    }
    assertEquals(await cache.get("c"), 1);
    await assertRejects(() => Array.fromAsync(cache.entries()), CacheDamagedError);
    await cache.set("a", 2);
    await cache.delete("b");
    assertEquals(await Array.fromAsync(cache.entries()), [["a", 2], ["c", 1]]);
  }
  const stateless = await altered(path, change("s"));
  const open = () => Cache.open(stateless, { shared: true });
  await assertRejects(open, CacheDamagedError, '{ damaged: "salvage" }');
  await assertRejects(
    () => Cache.open(stateless, { damaged: "salvage" }),
    CacheStorageError,
    "{ shared: true }",
  );
  await using cache = await Cache.open(stateless, { shared: true, damaged: "salvage" });
  assertNotEquals(cache.damage, undefined);
  assertEquals(await cache.get("b"), large);
});

Deno.test("updates({ initial: true }) that meets a damaged entry ends, and holds no writer", async () => {
  using kv = await Deno.openKv(":memory:");
  await using cache = await Cache.open<number>(kv);
  await cache.set("a", 1);
  await kv.set(["slipstream", "e", "", "b"], new Uint8Array(20));
  const updates = cache.updates({ initial: true, overflow: "wait", bound: 1 });
  const read = async () => {
    for await (const [key] of updates) assertEquals(key, "a");
  };
  await assertRejects(read, CacheDamagedError, '"b"');
  await cache.set("c", 1);
  await cache.set("c", 2);
  assertEquals(await updates.next(), { done: true, value: undefined });
});

/** What is in a file, without its spaces. */
async function entriesOf(path: string): Promise<Map<string, unknown>> {
  await using cache = await Cache.open(path, ALL);
  return new Map(await Array.fromAsync(cache.entries(), ([key, value]) => [`${key}`, value]));
}
