import { assertEquals, assertRejects } from "@std/assert";
import { App, CommitError, HandlerError, MemoryCache } from "../../mod.ts";
import { crashedCopy } from "../_support/crashed_copy.ts";
import { numbers, openState } from "../_support/numbers.ts";
import { temporaryFolder } from "../_support/temporary.ts";

Deno.test("flush() from outside, during a commit, resolves only when what was written is on disk", async () => {
  await using folder = await temporaryFolder();
  await using state = await openState(folder.path);
  const flushing = Promise.withResolvers<void>();
  const [second, begun, over] = [0, 0, 0].map(() => Promise.withResolvers<void>());
  const go = Promise.withResolvers<void>();
  const app = new App({ commit: { interval: 1 } });
  app.handle(numbers(1, "first").source, ({ n }) => n, {
    name: "first",
    state,
    sink: {
      write: () => {},
      flush: () => {
        flushing.resolve();
        return go.promise;
      },
    },
  });
  const later = numbers(1, "second", second!.promise);
  app.handle(later.source, async () => {
    begun!.resolve();
    await over!.promise;
  }, { name: "second", state });
  const streaming = app.stream();
  await flushing.promise; // a commit is in flight, and no message
  await state.set("mine", 42);
  const flushed = state.flush();
  second!.resolve();
  await begun!.promise; // and now there is one
  go.resolve();
  await flushed;
  await using left = await crashedCopy(`${folder.path}/state`);
  assertEquals(await left.get("mine"), 42);
  over!.resolve();
  await streaming;
});

Deno.test("an exit hook that flushes after an error is told at once that it cannot", async () => {
  await using state = new MemoryCache<number>({ maxBytes: Infinity });
  const app = new App();
  app.handle(numbers(1).source, () => {
    throw new Error("broken");
  }, { name: "f", state });
  const refused: string[] = [];
  app.onExit(async () => {
    for (const call of [() => state.flush(), () => state.set("a", 1, { durable: true })]) {
      await call().catch((error) => void refused.push(error.message));
    }
  });
  const error = await assertRejects(
    () => app.stream({ drainTimeout: 10_000 }),
    HandlerError,
    "broken",
  );
  assertEquals(error.others, []);
  assertEquals(refused.length, 2);
  assertEquals(refused[0]!.includes("within a message"), true);
});

Deno.test("flush() that waits for a message is refused when the message fails", async () => {
  await using state = new MemoryCache<number>({ maxBytes: Infinity });
  const [begun, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const app = new App();
  app.handle(numbers(1).source, async () => {
    begun.resolve();
    await go.promise;
    throw new Error("broken");
  }, { name: "f", state });
  app.onExit(async () => {
    await assertRejects(() => flushed, TypeError, "within a message");
  });
  const streaming = app.stream({ drainTimeout: 10_000 });
  await begun.promise;
  const flushed = state.flush();
  flushed.catch(() => {});
  go.resolve();
  const error = await assertRejects(() => streaming, HandlerError, "broken");
  assertEquals(error.others, []);
});

Deno.test("flush() and durable writes in the flush() of a sink reject: the commit would wait for itself", async () => {
  for (const durable of [false, true]) {
    await using state = new MemoryCache<number>({ maxBytes: Infinity });
    const app = new App({ commit: { interval: 1, flushTimeout: 1 } });
    app.handle(numbers(2).source, ({ n }) => n, {
      name: "f",
      state,
      sink: {
        write: () => {},
        flush: () => durable ? state.set("a", 1, { durable }) : state.flush(),
      },
    });
    const error = await assertRejects(() => app.stream({ drainTimeout: 10_000 }), CommitError);
    assertEquals((error.cause as Error).message.includes("within a commit"), true);
  }
});

Deno.test("a sink may write to the state in its flush()", async () => {
  await using state = new MemoryCache<number>({ maxBytes: Infinity });
  const app = new App({ commit: { interval: 1 } });
  app.handle(numbers(2).source, ({ n }) => n, {
    name: "f",
    state,
    sink: { write: () => {}, flush: () => state.set("flushed", 1) },
  });
  await app.stream();
  assertEquals(await state.get("flushed"), 1);
});
