import { assertEquals, assertRejects } from "@std/assert";
import { App, type ExactPipe, filter, flatMap, HandlerError, map, MemoryCache } from "../../mod.ts";
import { add, type Item, numbers, openState } from "../_support/numbers.ts";
import { temporaryFolder } from "../_support/temporary.ts";

Deno.test("a failed call leaves nothing in the state when the flow goes on", async () => {
  for (
    const onError of [
      "skip",
      { deadLetter: () => {} },
      { retry: { attempts: 1, minDelay: 0 }, otherwise: "skip" },
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
    onError: { retry: { attempts: 3, minDelay: 0 } },
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

for (const kind of ["map", "filter", "flatMap"]) {
  Deno.test(`a call of ${kind}() that failed leaves nothing in the state, and its retry counts once`, async () => {
    for (
      const onError of [
        "skip",
        { deadLetter: () => {} },
        { retry: { attempts: 2, minDelay: 0 } },
      ] as const
    ) {
      await using state = new MemoryCache<number>({ maxBytes: Infinity });
      let calls = 0;
      const call = async ({ n }: Item) => {
        await add(state, "piped", n);
        if (n === 2 && calls++ < 2) throw new Error("two");
        return n;
      };
      const pipe = kind === "map"
        ? map(call)
        : kind === "filter"
        ? filter(async (item: Item) => await call(item) > 0)
        : flatMap(async function* (item: Item) {
          yield item; // handled before the call fails
          yield call(item);
        });
      const app = new App();
      app.handle(
        numbers(3).source,
        pipe as ExactPipe<Item, unknown>,
        () => add(state, "handled", 1),
        { name: "sum", state, onError },
      );
      await app.stream();
      const passed = onError === "skip" || "deadLetter" in onError ? [1, 3] : [1, 2, 3];
      assertEquals(await state.get("piped"), passed.reduce((sum, n) => sum + n));
      assertEquals(await state.get("handled"), passed.length * (kind === "flatMap" ? 2 : 1));
    }
  });
}

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

Deno.test("a key that another flow deleted, with or without a trace, is not put back", async () => {
  for (const before of ["deleted", "written"]) {
    for (const memory of [true, false]) {
      await using folder = await temporaryFolder();
      await using state = memory
        ? new MemoryCache<number>({ maxBytes: Infinity })
        : await openState(folder.path);
      await state.set("shared", 1);
      const app = new App();
      const { source } = numbers(1);
      const changed = Promise.withResolvers<void>();
      const over = Promise.withResolvers<void>();
      app.handle(source, async () => {
        if (before === "deleted") await state.delete("shared");
        else await state.set("shared", 2);
        changed.resolve();
        await over.promise;
        throw new Error("late");
      }, { name: "one", state, onError: "skip" });
      app.handle(source, async () => {
        await changed.promise;
        await state.set("shared", 3);
        await state.delete("shared");
        over.resolve();
      }, { name: "two", state });
      await assertRejects(() => app.stream(), HandlerError, 'written by flow "two"');
    }
  }
});

Deno.test("what code outside of flows cleared is not put back", async () => {
  await using state = new MemoryCache<number>({ maxBytes: Infinity });
  await state.set("kept", 1);
  const written = Promise.withResolvers<void>();
  const over = Promise.withResolvers<void>();
  const app = new App();
  app.handle(numbers(1).source, async () => {
    await state.set("kept", 2);
    written.resolve();
    await over.promise;
    throw new Error("late");
  }, { name: "one", state, onError: "skip" });
  const streaming = app.stream();
  await written.promise;
  await state.clear();
  over.resolve();
  await assertRejects(() => streaming, HandlerError, "written by code outside of it");
});

Deno.test("keys that are written and deleted again leave nothing behind after a cut", async () => {
  await using folder = await temporaryFolder();
  for (const end of [1, 2]) {
    await using state = await openState(folder.path);
    const app = new App();
    app.handle(numbers(end).source, async ({ n }) => {
      await state.set("brief", n);
      await state.delete("brief");
      await state.set("kept", n);
    }, { name: "one", state });
    await app.stream();
    assertEquals(await Array.fromAsync(state.entries()), [["kept", end]]);
  }
});

Deno.test("updates() tells what was taken back", async () => {
  await using state = new MemoryCache<number>({ maxBytes: Infinity });
  const seen: unknown[] = [];
  const updates = state.updates({ overflow: "wait" });
  const reading = (async () => {
    for await (const update of updates) seen.push(update);
  })();
  await state.set("old", 7);
  const app = new App();
  app.handle(numbers(2).source, async ({ n }) => {
    await state.set("new", n);
    await state.delete("old");
    if (n === 1) throw new Error("one");
  }, { name: "sum", state, onError: "skip" });
  await app.stream();
  await state.close();
  await reading;
  assertEquals(seen, [
    ["old", 7],
    ["new", 1],
    ["old", undefined],
    ["old", 7], // taken back, the last first
    ["new", undefined],
    ["new", 2],
    ["old", undefined],
  ]);
});
