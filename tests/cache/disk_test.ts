import { assertEquals, assertRejects } from "@std/assert";
import { Cache, CacheStorageError } from "../../mod.ts";
import { failingWrites } from "../_support/failing_writes.ts";
import { smallDisk } from "../_support/small_disk.ts";
import { temporaryFolder } from "../_support/temporary.ts";

const probe = await smallDisk(1);
await probe?.[Symbol.asyncDispose]();

Deno.test({
  name: "A local Cache on a full disk says so, keeps everything, and goes on when there is room",
  ignore: probe === undefined,
  async fn() {
    await using disk = (await smallDisk(4))!;
    const path = `${disk.path}/db`;
    const text = "x".repeat(3_000);
    const cache = await Cache.open<string>(path, { maxBytes: Infinity });
    let accepted = 0;
    const fill = async () => {
      for (; accepted < 10_000; accepted++) await cache.set(accepted, text);
    };
    const error = await assertRejects(fill, CacheStorageError, "full");
    assertEquals(error.retriable, true);
    await assertRejects(() => cache.set("next", text), CacheStorageError, "full");
    await assertRejects(() => cache.flush(), CacheStorageError, "full");
    assertEquals(await cache.get(accepted - 1), text);
    const size = cache.size;

    await disk.grow(100);
    await cache.flush();
    await cache.set("after", "ok");
    await cache.close();
    await using again = await Cache.open<string>(path, { maxBytes: Infinity });
    assertEquals([again.size, await again.get("after")], [size + 1, "ok"]);
  },
});

Deno.test({
  name: "A Cache on a read-only disk says at its opening that it cannot be written",
  ignore: probe === undefined,
  async fn() {
    await using disk = (await smallDisk(4))!;
    const path = `${disk.path}/db`;
    await (await Cache.open(path)).close();
    assertEquals(await disk.protect(), true);
    for (const options of [{}, { shared: true }]) {
      const open = () => Cache.open(path, options);
      const error = await assertRejects(open, CacheStorageError, "check that it can be written");
      assertEquals(error.retriable, false);
    }
    const inNewFolder = () => Cache.open(`${disk.path}/new/db`);
    await assertRejects(inNewFolder, CacheStorageError, "check that it can be written");
  },
});

const run = await failingWrites();

Deno.test({
  name:
    "A local Cache whose disk takes no more writes says so, serves reads, and goes on when it does",
  ignore: run === undefined,
  async fn() {
    await using folder = await temporaryFolder();
    const path = `${folder.path}/db`;
    const error =
      `CacheStorageError, retriable: Cannot write cache ${JSON.stringify(path)} to disk, ` +
      "it stays in memory and is tried again: disk I/O error";
    const result = await run!(`
      const cache = await Cache.open(${JSON.stringify(path)}, { maxBytes: Infinity });
      await cache.set("before", 1, { durable: true });
      await refuseWrites();
      const errors = [
        await rejection(cache.set("durable", 2, { durable: true })),
        await rejection(cache.set("refused", 3)),
        await rejection(cache.delete("before")),
        await rejection(cache.update("before", () => 4)),
        await rejection(cache.clear()),
        await rejection(cache.flush()),
      ];
      const entries = await Array.fromAsync(cache.entries());
      await takeWrites();
      await cache.flush();
      await cache.set("after", 5);
      await cache.close();
      report({ errors, entries });
    `);
    assertEquals(result, {
      errors: Array(6).fill(error),
      // What the durable write was told is that it is not durable: it can be read, and gets there later.
      entries: [["before", 1], ["durable", 2]],
    });
    await using cache = await Cache.open<number>(path);
    assertEquals(await Array.fromAsync(cache.entries()), [
      ["after", 5],
      ["before", 1],
      ["durable", 2],
    ]);
  },
});

Deno.test({
  name:
    "A local Cache that ends while its disk takes no writes keeps all that was durable, and can be opened",
  ignore: run === undefined,
  async fn() {
    await using folder = await temporaryFolder();
    for (const end of ["Deno.exit()", "await rejection(cache.close())"]) {
      const path = `${folder.path}/${end.length}`;
      const durable = await run!(`
        const cache = await Cache.open(${JSON.stringify(path)}, { maxBytes: Infinity });
        const durable = [];
        const write = async (key) => {
          await cache.set(key, "x".repeat(key % 10 === 0 ? 100_000 : 1_000), { durable: true });
          durable.push(key);
        };
        for (let key = 0; key < 50; key++) await write(key);
        const more = rejection((async () => { for (let key = 50;; key++) await write(key); })());
        await refuseWrites();
        await more;
        report(durable);
        ${end};
      `) as number[];
      await using cache = await Cache.open<string>(path, { maxBytes: Infinity });
      const lost = [];
      for (const key of durable) if (!await cache.has(key)) lost.push(key);
      assertEquals([lost, durable.length >= 50], [[], true]);
    }
  },
});

Deno.test({
  name:
    "A shared Cache whose disk takes no more writes says so, serves reads, and goes on when it does",
  ignore: run === undefined,
  async fn() {
    await using folder = await temporaryFolder();
    const path = `${folder.path}/db`;
    const error =
      `CacheStorageError, retriable: Cannot use the shared cache ${JSON.stringify(path)}: ` +
      "disk I/O error";
    const result = await run!(`
      const cache = await Cache.open(${JSON.stringify(path)}, { shared: true });
      await cache.set("before", 1);
      await cache.set("large", "x".repeat(100_000));
      await refuseWrites();
      const errors = [
        await rejection(cache.set("refused", 2)),
        await rejection(cache.set("large", "y".repeat(100_000))),
        await rejection(cache.delete("before")),
        await rejection(cache.update("before", () => 3)),
        await rejection(cache.clear()),
      ];
      const entries = await Array.fromAsync(cache.entries(), ([key, value]) => [key, value[0] ?? value]);
      await takeWrites();
      await cache.set("after", 4);
      await cache.close();
      report({ errors, entries });
    `);
    const entries = [["before", 1], ["large", "x"]];
    assertEquals(result, { errors: Array(5).fill(error), entries });
    await using cache = await Cache.open(path, { shared: true });
    assertEquals(await Array.fromAsync(cache.keys()), ["after", "before", "large"]);
  },
});
