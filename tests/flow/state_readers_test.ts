import { assertEquals, assertRejects } from "@std/assert";
import { App, type Cache, HandlerError, MemoryCache, type OnError } from "../../mod.ts";
import { numbers, openState } from "../_support/numbers.ts";
import { temporaryFolder } from "../_support/temporary.ts";

type State = Cache<number>;

/** How a flow reads what is there under keys that begin with "a". */
const READS: Record<string, (state: State) => Promise<unknown>> = {
  "get()": (state) => state.get(["a", 1]),
  "get() of what was deleted": (state) => state.get(["a", 2]),
  "get() of what was deleted without a trace": (state) => state.get(["a", 3]),
  "getMany()": (state) => state.getMany([["b"], ["a", 1]]),
  "has()": (state) => state.has(["a", 1]),
  "entries()": (state) => Array.fromAsync(state.entries({ prefix: ["a"] })),
  "keys() backwards": (state) => Array.fromAsync(state.keys({ prefix: ["a"], reverse: true })),
  "entries() where all was deleted": (state) => Array.fromAsync(state.entries({ from: ["a", 2] })),
  "transaction()": (state) => state.transaction([], (tx) => tx.get(["a", 1])),
};

/**
 * Two flows of one source: the first one writes, and fails after the second one has read; by default for good.
 */
async function run(
  state: State,
  read: (state: State) => Promise<unknown>,
  { onError = "skip", failures = Infinity }: { onError?: OnError; failures?: number } = {},
): Promise<void> {
  await state.set(["a", 2], 2);
  await state.flush();
  await state.set(["a", 3], 3);
  const app = new App();
  const { source } = numbers(1);
  const [written, over] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  app.handle(source, async (_, { attempt }) => {
    await state.set(["a", 1], 100);
    await state.delete(["a", 2]);
    await state.delete(["a", 3]);
    written.resolve();
    await over.promise;
    if (attempt <= failures) throw new Error("late");
  }, { name: "one", state, onError });
  app.handle(source, async () => {
    await written.promise;
    await read(state);
    over.resolve();
  }, { name: "two", state });
  await app.stream();
}

for (const [call, read] of Object.entries(READS)) {
  Deno.test(`a flow cannot give up what another has read by ${call}: the app stops`, async () => {
    await using folder = await temporaryFolder();
    await using state = await openState(folder.path);
    await assertRejects(
      () => run(state, read),
      HandlerError,
      'flow "two" has read writes that were undone',
    );
  });
}

Deno.test("what another flow has read may be tried again, and not be given up", async () => {
  for (const failures of [1, 2, 3]) {
    await using state: State = new MemoryCache({ maxBytes: Infinity });
    const onError = { retry: { attempts: 2, minDelay: 0 }, otherwise: "skip" } as const;
    const running = run(state, (state) => state.get(["a", 1]), { onError, failures });
    if (failures === 3) await assertRejects(() => running, HandlerError, "has read");
    else await running;
    assertEquals(await state.has(["a", 1]), failures < 3);
  }
});

Deno.test("a flow cannot give up what another has read of its sink: the app stops", async () => {
  for (const last of ["sink", "handler"]) {
    await using state: State = new MemoryCache({ maxBytes: Infinity });
    const app = new App();
    const { source } = numbers(1);
    const [written, over] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    app.handle(source, async function* ({ n }) {
      yield n;
      throw new Error("handler");
    }, {
      name: "one",
      state,
      onError: "skip",
      sink: async (n) => {
        await state.set(["a", n], n);
        written.resolve();
        await over.promise;
        if (last === "sink") throw new Error("sink");
      },
    });
    app.handle(source, async () => {
      await written.promise;
      await state.get(["a", 1]);
      over.resolve();
    }, { name: "two", state });
    await assertRejects(() => app.stream(), HandlerError, 'flow "two" has read');
  }
});

Deno.test("a flow may give up what another has read beside", async () => {
  await using state: State = new MemoryCache({ maxBytes: Infinity });
  await state.set("b", 7);
  await run(state, async () => {
    assertEquals(await state.getMany(["b", "c"]), [7, undefined]);
    assertEquals(await Array.fromAsync(state.keys({ from: ["a", 4] })), ["b"]);
    const space = state.space<number>("other", { maxBytes: Infinity });
    assertEquals(await Array.fromAsync(space.keys()), []);
  });
  assertEquals(await state.getMany([["a", 1], ["a", 2], ["a", 3]]), [undefined, 2, 3]);
});

Deno.test("a flow may give up what code outside of flows has read", async () => {
  await using state: State = new MemoryCache({ maxBytes: Infinity });
  const app = new App();
  const [written, over] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  app.handle(numbers(1).source, async () => {
    await state.set("a", 100);
    written.resolve();
    await over.promise;
    throw new Error("late");
  }, { name: "one", state, onError: "skip" });
  const streaming = app.stream();
  await written.promise;
  assertEquals(await state.get("a"), 100);
  over.resolve();
  await streaming;
  assertEquals(await state.get("a"), undefined);
});

Deno.test("a flow may read what calls of another one have written that have succeeded", async () => {
  await using state: State = new MemoryCache({ maxBytes: Infinity });
  const app = new App();
  const { source } = numbers(2);
  const read = Promise.withResolvers<void>();
  app.handle(source, async ({ n }) => {
    await state.set(["a", n], n);
    if (n === 1) return;
    await read.promise;
    throw new Error("two");
  }, { name: "one", state, onError: "skip" });
  app.handle(source, async ({ n }) => {
    if (n === 1) return;
    assertEquals(await state.get(["a", 1]), 1);
    read.resolve();
  }, { name: "two", state });
  await app.stream();
  assertEquals(await Array.fromAsync(state.entries()), [[["a", 1], 1]]);
});
