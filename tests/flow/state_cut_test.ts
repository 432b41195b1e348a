import { assertEquals, assertRejects } from "@std/assert";
import { App, type Cache, HandlerError } from "../../mod.ts";
import { settle } from "../../src/testing/mod.ts";
import { crashedCopy } from "../_support/crashed_copy.ts";
import { add, numbers, openState } from "../_support/numbers.ts";
import { temporaryFolder } from "../_support/temporary.ts";

Deno.test("a flow with state that stops drops what came after the last cut", async () => {
  await using folder = await temporaryFolder();
  {
    await using state = await openState(folder.path);
    const app = new App({ commit: { messages: 2 } });
    app.handle(numbers(9).source, async ({ n }) => {
      assertEquals([state.driven, state.dropped], [true, false]);
      await state.set("half", n);
      if (n === 5) throw new Error("five");
      await add(state, "sum", n);
      if (n % 2 === 1) await new Promise((resolve) => setTimeout(resolve, 20));
    }, { name: "sum", state });
    await assertRejects(() => app.stream(), HandlerError, "five");
    assertEquals([state.driven, state.dropped], [false, true]);
    await assertRejects(() => state.set("after", 1), TypeError, "close it and open it again");
    await assertRejects(() => app.stream(), TypeError, "close it and open it again");
  }
  await using state = await openState(folder.path);
  const sum = await state.get("sum", 0);
  const { source, begins } = numbers(9);
  const app = new App();
  app.handle(source, ({ n }) => add(state, "sum", n), { name: "sum", state });
  const half = await state.get("half");
  await app.stream();
  const begin = begins[0] ?? 0;
  assertEquals([sum, half], [begin * (begin + 1) / 2, begin || undefined]);
  assertEquals(await state.get("sum"), 45);
});

Deno.test("flush() from outside waits for the message in flight, and brings everything to disk", async () => {
  await using folder = await temporaryFolder();
  await using state = await openState(folder.path);
  const begun = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const app = new App({ commit: { interval: 1e6 } });
  app.handle(numbers(2).source, async ({ n }) => {
    await add(state, "sum", n);
    begun.resolve();
    if (n === 1) await go.promise;
  }, { name: "sum", state });
  const streaming = app.stream();
  await begun.promise;
  let flushed = false;
  const flushing = state.flush().then(() => flushed = true);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assertEquals(flushed, false);
  await assertRejects(() => state.close(), TypeError, "await app.close() and stream() first");
  go.resolve();
  await flushing;
  await streaming;
  assertEquals(await state.get("sum"), 3);
});

Deno.test("two flows of two sources in one store: the cut waits for both, and both are exact", async () => {
  await using folder = await temporaryFolder();
  for (const end of [20, 50]) {
    await using state = await openState(folder.path);
    const app = new App({ commit: { messages: 3 } });
    const slow = numbers(end, "slow"), fast = numbers(end, "fast");
    for (const [name, { source }] of Object.entries({ slow, fast })) {
      app.handle(source, async ({ n }) => {
        await add(state, name, n);
        if (name === "slow") await new Promise((resolve) => setTimeout(resolve, n % 3));
        await add(state, "both", n);
      }, { name, state });
    }
    await app.stream();
    const sum = end * (end + 1) / 2;
    assertEquals(await state.getMany(["slow", "fast", "both"]), [sum, sum, 2 * sum]);
  }
});

Deno.test("a cut that is taken during a commit goes to disk with the next one, after its outputs", async () => {
  await using folder = await temporaryFolder();
  await using state = await openState(folder.path);
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const flushing = Promise.withResolvers<void>();
  const [held, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let copy: Promise<Cache<number>> | undefined;
  const commit = Promise.withResolvers<void>();
  let flushes = 0;
  const app = new App({
    commit: { messages: 1 },
    onStatus: ({ type }) => {
      if (type !== "commit") return;
      copy ??= crashedCopy(`${folder.path}/state`);
      commit.resolve();
    },
  });
  app.handle(numbers(2).source, async ({ n }) => {
    await add(state, "sum", n);
    if (n === 1) return n;
    held.resolve();
    await go.promise;
    return n;
  }, {
    name: "sum",
    state,
    sink: {
      write: () => {},
      flush: async () => {
        flushing.resolve();
        await gates[flushes++]?.promise;
      },
    },
  });
  const streaming = app.stream();
  await Promise.all([flushing.promise, held.promise]);
  const flushed = state.flush(); // has a cut taken when the second message is done
  go.resolve();
  await settle();
  gates[0]!.resolve();
  await commit.promise;
  await using left = await copy!;
  assertEquals(await left.get("sum"), 1); // the second output is not flushed yet
  gates[1]!.resolve();
  await Promise.all([flushed, streaming]);
  assertEquals(await state.get("sum"), 3);
});
