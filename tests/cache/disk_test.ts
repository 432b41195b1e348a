import { assertEquals, assertRejects } from "@std/assert";
import { Cache, CacheStorageError } from "../../mod.ts";
import { smallDisk } from "../_support/small_disk.ts";

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
