import { assert, assertEquals, assertThrows } from "@std/assert";
import { MemoryCache } from "../../mod.ts";
import { type Host, openSink } from "../../src/flow/feed.ts";
import { systemClock } from "../../src/clock.ts";

const never = new AbortController().signal;
const host: Host = {
  clock: systemClock,
  stopping: never,
  signal: never,
  fail: (error) => {
    throw error;
  },
  barrier: () => Promise.resolve(),
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
