import { assertEquals, assertRejects } from "@std/assert";
import { Cache, CacheStorageError } from "../../mod.ts";
import { temporaryFolder } from "../_support/temporary.ts";

const INCREMENTS = 10_000;

Deno.test("Two processes that increment one key of a shared Cache lose none", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/db`;
  const script = `import { Cache } from "@slipstream/slipstream";
    await using cache = await Cache.open(${JSON.stringify(path)}, { shared: true });
    for (let i = 0; i < ${INCREMENTS}; i++) await cache.update("n", (n = 0) => n + 1);`;
  await Deno.writeTextFile(`${folder.path}/increment.ts`, script);
  const args = ["run", "-A", "--no-check", "--config", "deno.json", `${folder.path}/increment.ts`];
  const runs = [1, 2].map(() => new Deno.Command(Deno.execPath(), { args }).output());
  for (const { code, stderr } of await Promise.all(runs)) {
    assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
  }
  await using cache = await Cache.open<number>(path, { shared: true });
  assertEquals(await cache.get("n"), 2 * INCREMENTS);
});

Deno.test("A Cache on an open Deno.Kv leaves it open, and leaves its other rows alone", async () => {
  using kv = await Deno.openKv(":memory:");
  await kv.set(["mine"], 1);
  const cache = await Cache.open<number>(kv);
  await cache.set("a", 1);
  await cache.clear();
  await cache.close();
  assertEquals((await kv.get(["mine"])).value, 1);
});

Deno.test("A shared Cache leaves no rows of its writer and no pieces behind", async () => {
  using kv = await Deno.openKv(":memory:");
  {
    await using cache = await Cache.open<string>(kv);
    await cache.set("a", "x".repeat(200_000));
    await cache.set("a", "y");
    await assertRejects(() =>
      cache.transaction(["a", "b"], async (tx) => {
        await tx.get("a");
        tx.set("b", "z".repeat(200_000));
        throw new Error("no");
      })
    );
  }
  const keys = await Array.fromAsync(kv.list({ prefix: [] }), ({ key }) => key);
  assertEquals(keys, [["slipstream", "e", "", "a"], ["slipstream", "state"]]);
});

Deno.test("A call to a server that is not there ends with an error", async () => {
  const url = "http://127.0.0.1:9";
  const token = Deno.env.get("DENO_KV_ACCESS_TOKEN");
  Deno.env.set("DENO_KV_ACCESS_TOKEN", token ?? "a token of twelve letters");
  try {
    await assertRejects(
      () => Cache.open(url, { deadlineMs: 200 }),
      CacheStorageError,
      url,
    );
  } finally {
    if (token === undefined) Deno.env.delete("DENO_KV_ACCESS_TOKEN");
  }
});
