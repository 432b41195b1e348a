import { assertEquals, assertRejects } from "@std/assert";
import { App, MemoryCache, Proxy } from "../../mod.ts";
import { currentMessage } from "../../src/flow/run/attribution.ts";
import { gateOf } from "../../src/flow/source/gate.ts";
import { settle } from "../../src/testing/mod.ts";
import { add, type Item, numbers } from "../_support/numbers.ts";

Deno.test("flush() and durable writes within a message of a flow with state reject", async () => {
  await using state = new MemoryCache<number>({ maxBytes: Infinity });
  const space = state.space<number>("other", { maxBytes: Infinity });
  const app = new App();
  const errors: string[] = [];
  const note = (error: Error) => void errors.push(error.message);
  app.handle(numbers(1).source, async () => {
    await state.flush().catch(note);
    await state.set("a", 1, { durable: true }).catch(note);
    await state.delete("a", { durable: true }).catch(note);
    await space.set("a", 1, { durable: true }).catch(note);
    await state.clear().catch(note);
    await state.set("a", 1, { ttl: 10 }).catch(note);
  }, { name: "sum", state });
  await app.stream();
  assertEquals(errors.map((message) => message.split(" in ")[0]!.split(" within ")[0]), [
    "Cannot flush a cache",
    "Cannot wait for a durable write",
    "Cannot wait for a durable write",
    "Cannot wait for a durable write",
    "Cannot clear a cache",
    "Cannot use ttl",
  ]);
  assertEquals(state.size, 0);
});

Deno.test("so they do behind a Proxy and in a sink: the message is not done before", async () => {
  await using state = new MemoryCache<number>({ maxBytes: Infinity });
  const app = new App();
  const proxy = new Proxy<number>();
  const errors: string[] = [];
  const note = (error: Error) => void errors.push(error.message);
  app.handle(numbers(1).source, ({ n }) => n, { name: "first", state, sink: proxy });
  app.handle(proxy, async (n) => {
    await state.flush().catch(note);
    return n;
  }, {
    name: "behind",
    sink: async (n) => {
      await state.set("sunk", n, { durable: true }).catch(note);
    },
  });
  await app.stream();
  assertEquals(errors.map((message) => message.split(":")[0]), [
    'Cannot flush a cache within a message of flow "behind"',
    'Cannot wait for a durable write within a message of flow "behind"',
  ]);
  assertEquals(state.size, 0);
});

Deno.test("a write for a message that is done rejects", async () => {
  await using state = new MemoryCache<number>({ maxBytes: Infinity });
  const late = Promise.withResolvers<void>();
  let written: Promise<void> | undefined;
  const app = new App();
  app.handle(numbers(1).source, () => {
    written = late.promise.then(() => state.set("late", 1));
    written.catch(() => {});
  }, { name: "sum", state, sink: () => {} });
  app.onExit(async () => {
    late.resolve();
    await assertRejects(() => written!, TypeError, "await every call in the handler");
  });
  await app.stream();
});

Deno.test("a late call of a flow with state and a checkpoint still knows its own message", async () => {
  await using state = new MemoryCache<number>({ maxBytes: Infinity });
  const { source } = numbers(3);
  gateOf(source).attributed = true;
  const app = new App();
  const late: Promise<unknown>[] = [];
  const seen: unknown[] = [];
  app.handle(source, async ({ n }) => {
    late.push(settle().then(() => (currentMessage()?.root as Item).n));
    await add(state, "sum", n);
    seen.push((currentMessage()?.root as Item).n);
  }, { name: "sum", state });
  await app.stream();
  assertEquals(seen, [1, 2, 3]);
  assertEquals(await Promise.all(late), [1, 2, 3]);
  assertEquals(currentMessage(), undefined);
});
