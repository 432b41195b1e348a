import { assertEquals, assertLess, assertRejects, assertStringIncludes } from "@std/assert";
import { Cache, CacheStorageError } from "../../mod.ts";
import { ManualClock } from "../../src/testing/mod.ts";
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

Deno.test("A large value that is overwritten while a shared Cache reads it is the new one, or a retriable error", async () => {
  using kv = await Deno.openKv(":memory:");
  await using other = await Cache.open<string>(kv);
  let overwritings = 0;
  /** Lists pieces only after their value was overwritten. */
  async function* list<T>(...args: Parameters<Deno.Kv["list"]>): AsyncGenerator<Deno.KvEntry<T>> {
    if (overwritings-- > 0) await other.set("a", `${overwritings}`.repeat(100_000));
    yield* kv.list<T>(...args);
  }
  const slow = new Proxy(kv, {
    get(kv, name: keyof Deno.Kv) {
      if (name === "list") return list;
      const found = kv[name];
      return typeof found === "function" ? found.bind(kv) : found;
    },
  });
  await using cache = await Cache.open<string>(slow);
  await other.set("a", "x".repeat(100_000));
  overwritings = 1;
  assertEquals(await cache.get("a"), "0".repeat(100_000));
  overwritings = Infinity;
  const error = await assertRejects(() => cache.get("a"), CacheStorageError, '"a"');
  assertEquals(error.retriable, true);
});

Deno.test("A new shared Cache that another process opens at the same time is opened by both", async () => {
  using kv = await Deno.openKv(":memory:");
  /** Lists rows only after the other one has opened it. */
  async function* list<T>(...args: Parameters<Deno.Kv["list"]>): AsyncGenerator<Deno.KvEntry<T>> {
    await using other = await Cache.open<string>(kv);
    await other.set("a", "of the other one");
    yield* kv.list<T>(...args);
  }
  const slow = new Proxy(kv, {
    get(kv, name: keyof Deno.Kv) {
      if (name === "list") return list;
      const found = kv[name];
      return typeof found === "function" ? found.bind(kv) : found;
    },
  });
  await using cache = await Cache.open<string>(slow);
  assertEquals(await cache.get("a"), "of the other one");
});

Deno.test("A large value whose pieces another process takes for abandoned is written again", async () => {
  using kv = await Deno.openKv(":memory:");
  let writes = 0;
  /** After some writes, opens the store by a clock that is two hours ahead. */
  const collect = async () => {
    if (--writes !== 0) return;
    const clock = new ManualClock(Date.now() + 2 * 3_600_000);
    await (await Cache.open(kv, { clock })).close();
  };
  const atomic = () => {
    const operation = kv.atomic();
    const commit = operation.commit.bind(operation);
    operation.commit = async () => {
      const result = await commit();
      await collect();
      return result;
    };
    return operation;
  };
  const watched = new Proxy(kv, {
    get(kv, name: keyof Deno.Kv) {
      if (name === "atomic") return atomic;
      const found = kv[name];
      return typeof found === "function" ? found.bind(kv) : found;
    },
  });
  const cache = await Cache.open<string>(watched);
  for (const [n, key] of ["a", "b", "c", "d"].entries()) {
    writes = n + 1;
    await cache.set(key, key.repeat(1_200_000));
    assertEquals(await cache.get(key), key.repeat(1_200_000));
    writes = n + 1;
    await cache.transaction([key], (tx) => tx.set(key, key.repeat(1_300_000)));
    assertEquals(await cache.get(key), key.repeat(1_300_000));
  }
  await cache.clear();
  await cache.close();
  const keys = await Array.fromAsync(kv.list({ prefix: [] }), ({ key }) => key);
  assertEquals(keys, [["slipstream", "state"]]);
});

Deno.test("A shared Cache that is cleared while others write ever higher keys is cleared of what was there", async () => {
  using kv = await Deno.openKv(":memory:");
  await using cache = await Cache.open<number>(kv);
  let next = 0;
  while (next < 200) await cache.set(next, next++);
  let cleared = false;
  const write = async () => {
    while (!cleared && next < 4_000) await cache.set(next, next++);
  };
  const writers = Array.from({ length: 20 }, write);
  await cache.clear();
  cleared = true;
  await Promise.all(writers);
  assertLess(next, 4_000);
  assertEquals(await cache.getMany([0, 199]), [undefined, undefined]);
});

Deno.test("A call to a server that is not there ends with an error", async () => {
  const url = "http://127.0.0.1:9";
  const token = Deno.env.get("DENO_KV_ACCESS_TOKEN");
  Deno.env.set("DENO_KV_ACCESS_TOKEN", token ?? "a token of twelve letters");
  try {
    await assertRejects(
      () => Cache.open(url, { callTimeout: 200 }),
      CacheStorageError,
      url,
    );
  } finally {
    if (token === undefined) Deno.env.delete("DENO_KV_ACCESS_TOKEN");
  }
});

for (const lacking of ["net", "env"]) {
  Deno.test({
    name: `Cache.open() of a server without --allow-${lacking} names the flags that it needs`,
    permissions: { [lacking === "net" ? "env" : "net"]: true },
    async fn() {
      if (lacking === "net") Deno.env.set("DENO_KV_ACCESS_TOKEN", "a token of twelve letters");
      const error = await assertRejects(() => Cache.open("http://user:pass@127.0.0.1:9/kv"), Error);
      if (lacking === "net") Deno.env.delete("DENO_KV_ACCESS_TOKEN");
      assertStringIncludes(
        error.message,
        'Cannot open cache "http://***@127.0.0.1:9/kv", ' +
          "allow it with --allow-net=127.0.0.1:9 --allow-env=DENO_KV_ACCESS_TOKEN: ",
      );
    },
  });
}
