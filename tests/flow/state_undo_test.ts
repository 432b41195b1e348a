import { assertEquals, assertRejects } from "@std/assert";
import { App, HandlerError, MemoryCache } from "../../mod.ts";
import { add, numbers } from "../_support/numbers.ts";

Deno.test("a failed call leaves nothing in the state when the flow goes on", async () => {
  for (
    const onError of [
      "skip",
      { deadLetter: () => {} },
      { retry: { attempts: 1, minMs: 0 }, otherwise: "skip" },
      () => "skip" as const,
    ] as const
  ) {
    await using state = new MemoryCache<number>({ maxBytes: Infinity });
    await state.set("kept", 7);
    const app = new App();
    app.handle(numbers(4).source, async ({ n }) => {
      await state.set(["half", n], n);
      await add(state, "sum", n);
      await state.delete("kept");
      await state.transaction(["sum", "kept"], async (tx) => {
        tx.set("sum", await tx.get("sum", 0) + 100);
        tx.set("kept", 8);
      });
      if (n === 3) throw new Error("three");
      await add(state, "sum", -100);
      await state.set("kept", 7);
    }, { name: "sum", state, onError });
    await app.stream();
    assertEquals(
      new Map(await Array.fromAsync(state.entries(), ([key, value]) => [String(key), value])),
      new Map([["kept", 7], ["sum", 7], ["half,1", 1], ["half,2", 2], ["half,4", 4]]),
    );
  }
});

Deno.test("a retry that succeeds counts once", async () => {
  await using state = new MemoryCache<number>({ maxBytes: Infinity });
  const app = new App();
  app.handle(numbers(4).source, async function* ({ n }, { attempt }) {
    yield n;
    await add(state, "sum", n);
    if (attempt < 3) throw new Error("not yet");
  }, {
    name: "sum",
    state,
    sink: (n) => add(state, "sunk", n),
    onError: { retry: { attempts: 3, minMs: 0 } },
  });
  await app.stream();
  assertEquals(await state.get("sum"), 10);
  assertEquals(await state.get("sunk"), 10);
});

Deno.test("a sink that fails leaves nothing of that output in the state", async () => {
  await using state = new MemoryCache<number>({ maxBytes: Infinity });
  const app = new App();
  app.handle(numbers(4).source, async ({ n }) => {
    await add(state, "sum", n);
    return n;
  }, {
    name: "sum",
    state,
    sink: async (n) => {
      await add(state, "sunk", n);
      if (n === 2) throw new Error("two");
    },
    onError: "skip",
  });
  await app.stream();
  assertEquals(await state.get("sum"), 10);
  assertEquals(await state.get("sunk"), 8);
});

Deno.test("a change that another flow wrote over cannot be taken back: the app stops", async () => {
  await using state = new MemoryCache<number>({ maxBytes: Infinity });
  const app = new App();
  const { source } = numbers(1);
  const written = Promise.withResolvers<void>();
  const over = Promise.withResolvers<void>();
  app.handle(source, async () => {
    await state.set("shared", 1);
    written.resolve();
    await over.promise;
    throw new Error("late");
  }, { name: "one", state, onError: "skip" });
  app.handle(source, async () => {
    await written.promise;
    await state.set("shared", 2);
    over.resolve();
  }, { name: "two", state });
  const error = await assertRejects(() => app.stream(), HandlerError, 'written by flow "two"');
  assertEquals((error.others[0] as HandlerError).message.includes("late"), true);
});
