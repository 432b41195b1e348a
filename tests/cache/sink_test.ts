import { assert, assertEquals, assertThrows } from "@std/assert";
import { App, JsonCodec, MemoryCache, type Tombstone, tombstone } from "../../mod.ts";
import { openSink } from "../../src/flow/source/feed.ts";
import type { Host } from "../../src/flow/source/host.ts";
import { systemClock } from "../../src/clock.ts";
import { Topic } from "../../src/kafka/mod.ts";
import { MemoryBroker } from "../../src/kafka/memory/mod.ts";

const never = new AbortController().signal;
const host: Host = {
  clock: systemClock,
  stopping: never,
  signal: never,
  fail: (error) => {
    throw error;
  },
  commit: () => Promise.resolve(),
};

Deno.test("A Cache as a sink takes pairs without a promise, and can be read at once", async () => {
  await using cache = new MemoryCache<number>();
  const port = cache[openSink](host);
  assertEquals(port.write(["a", 1]), undefined);
  assertEquals(await cache.get("a"), 1);
  await port.flush!();
  assertThrows(
    () => port.write("no pair" as unknown as [string, number]),
    TypeError,
    "[key, value]",
  );
});

Deno.test("A Cache as a sink holds its flow back for a slow reader of its updates", async () => {
  await using cache = new MemoryCache<number>();
  const updates = cache.updates({ overflow: "wait", bound: 1 });
  const first = updates.next();
  const port = cache[openSink](host);
  port.write(["a", 1]);
  await first;
  const held = port.write(["a", 2]);
  assert(held instanceof Promise);
  await updates.next();
  await held;
  await updates.return!();
});

Deno.test("A Cache as the sink of a compacted topic is its table: tombstones delete, null is a value", async () => {
  await using broker = new MemoryBroker();
  await using users = new Topic<string, string | null | Tombstone>("users", {
    broker,
    groupId: "table",
    offset: "earliest",
    codec: new JsonCodec<string | null>(),
  });
  await users.send(["ada", "Ada"]);
  await users.send(["bob", "Bob"]);
  await users.send(["ada", tombstone]);
  await users.send(["bob", null]);
  await users.send(["cy", tombstone]);
  await users.send(["dee", "Dee"]);
  await using table = new MemoryCache<string | null>();
  const updates = table.updates({ overflow: "wait" });
  const app = new App();
  const stop = new AbortController();
  app.handle(users, ({ key, value }) => {
    if (key === "dee") stop.abort();
    return [key!, value] as const;
  }, { sink: table });
  await app.stream({ signal: stop.signal });
  assertEquals(await Array.fromAsync(table.entries()), [["bob", null], ["dee", "Dee"]]);
  await table.close();
  assertEquals(await Array.fromAsync(updates), [
    ["ada", "Ada"],
    ["bob", "Bob"],
    ["ada", undefined],
    ["bob", null],
    ["cy", undefined],
    ["dee", "Dee"],
  ]);
});
