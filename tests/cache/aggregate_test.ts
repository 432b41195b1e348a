import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { App, Cache, HandlerError, JsonCodec, MemoryCache, Proxy } from "../../mod.ts";
import { Topic } from "../../src/kafka/mod.ts";
import { MemoryBroker } from "../../src/kafka/memory/mod.ts";
import { settle } from "../../src/testing/mod.ts";
import { crashedCopy } from "../_support/crashed_copy.ts";
import { type Item, numbers } from "../_support/numbers.ts";
import { temporaryFolder } from "../_support/temporary.ts";

const ORDERS = [{ key: "ann", value: 5 }, { key: "bob", value: 1 }, { key: "ann", value: 2 }];

function memory(): MemoryCache<number> {
  return new MemoryCache<number>({ maxBytes: Infinity });
}

Deno.test("aggregate() gives each new value with its key, by the key of the messages or by a function", async () => {
  await using sums = memory();
  await using sizes = memory();
  const seen: unknown[] = [];
  const app = new App();
  const sink = (pair: unknown) => void seen.push(pair);
  app.handle(ORDERS, sums.aggregate((sum = 0, { value }) => sum + value), { sink });
  await app.stream();
  assertEquals(seen, [["ann", 5], ["bob", 1], ["ann", 7]]);
  const other = new App();
  other.handle(ORDERS, sizes.aggregate((n = 0) => n + 1, { by: ({ value }) => [value > 1, 1] }));
  await other.stream();
  assertEquals(await Array.fromAsync(sizes.entries()), [[[false, 1], 1], [[true, 1], 2]]);
});

Deno.test("what cannot be aggregated is an error that says what to write", async () => {
  await using cache = memory();
  assertThrows(
    () => cache.aggregate(undefined as never),
    TypeError,
    "Cannot aggregate by undefined: it must be a function that returns the new value",
  );
  assertThrows(
    () => cache.aggregate(() => 1, { key: () => 1 } as never),
    TypeError,
    'Cannot use option "key" of aggregate(): there is only "by"',
  );
  assertThrows(() => cache.aggregate(() => 1, {} as never), TypeError, '"by"');
  const refused: [source: Iterable<unknown>, change: () => unknown, text: string][] = [
    [[{ key: null, value: 1 }], () => 1, 'without a key: set option "by"'],
    [[1], () => 1, 'without a key: set option "by"'],
    [[{ key: { a: 1 } }], () => 1, "as a key part"],
    [ORDERS, () => Promise.reject(new Error("late")), "that returns a promise: wait for it in map"],
    [ORDERS, () => () => {}, "function"],
  ];
  for (const [source, change, text] of refused) {
    const app = new App();
    app.handle(source, cache.aggregate(change as () => number));
    const { cause } = await assertRejects(() => app.stream(), HandlerError);
    assertThrows(
      () => {
        throw cause;
      },
      TypeError,
      text,
    );
    assertEquals(cache.size, 0);
  }
});

Deno.test("aggregate() is a handler, and no pipe", () => {
  const app = new App();
  assertThrows(
    () => app.handle(ORDERS, memory().aggregate(() => 1) as never, () => {}, {}),
    TypeError,
    "aggregate() is a handler: write handle(source, cache.aggregate(…), options), and send its results to a Proxy",
  );
});

for (const onError of ["skip", { retry: { attempts: 2, minDelay: 0 } }] as const) {
  Deno.test(`an error in the function of aggregate() leaves nothing: ${typeof onError}`, async () => {
    await using state = memory();
    const last = state.space<number>("last", { maxBytes: Infinity });
    const attempts: number[] = [];
    const app = new App();
    const sum = state.aggregate((sum = 0, { n }: Item, { attempt }) => {
      attempts.push(attempt);
      if (n === 2 && attempt < 3) throw new Error("two");
      return sum + n;
    }, { by: () => "sum" });
    app.handle(numbers(3).source, sum, { name: "sum", state, sink: last, onError });
    await app.stream();
    const isSkipped = onError === "skip";
    assertEquals(attempts, isSkipped ? [1, 1, 1] : [1, 1, 2, 3, 1]);
    assertEquals(await state.get("sum"), isSkipped ? 4 : 6);
    assertEquals(await last.get("sum"), isSkipped ? 4 : 6);
  });
}

Deno.test("each message counts once after a crash, with a Topic as the sink", async () => {
  await using folder = await temporaryFolder();
  await using broker = new MemoryBroker({ partitions: 1 });
  const path = `${folder.path}/db`;
  {
    await using state = await Cache.open<number>(path, { maxBytes: Infinity });
    await using out = new Topic<string, number>("out", { broker, codec: new JsonCodec() });
    const app = new App();
    const sum = state.aggregate((sum = 0, { n }: Item) => sum + n, { by: () => "sum" });
    app.handle(numbers(3).source, sum, { name: "sum", state, sink: out });
    await app.stream();
  }
  await using state = await crashedCopy<number>(path);
  await using out = new Topic<string, number>("out", {
    broker,
    codec: new JsonCodec(),
    groupId: "g",
    offset: "earliest",
  });
  const app = new App();
  const { source, begins } = numbers(7);
  const sum = state.aggregate((sum = 0, { n }: Item) => sum + n, { by: () => "sum" });
  app.handle(source, sum, { name: "sum", state, sink: out });
  await app.stream();
  assertEquals([await state.get("sum"), begins], [28, [3]]);
  const sums: number[] = [];
  for await (const { value } of out) {
    sums.push(value);
    if (value === 28) break;
  }
  assertEquals(sums, [1, 3, 6, 10, 15, 21, 28]);
});

Deno.test("aggregate() waits for a transaction that holds its key", async () => {
  await using cache = memory();
  const [held, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const transaction = cache.transaction(["ann"], async (tx) => {
    tx.set("ann", await tx.get("ann", 0) + 100);
    held.resolve();
    await go.promise;
  });
  await held.promise;
  const app = new App();
  app.handle(ORDERS, cache.aggregate((sum = 0, { value }) => sum + value), {});
  const running = app.stream();
  await settle();
  assertEquals(cache.size, 0);
  go.resolve();
  await Promise.all([running, transaction]);
  assertEquals(await Array.fromAsync(cache.entries()), [["ann", 107], ["bob", 1]]);
});

Deno.test("several flows aggregate one source into one store, beside each other and concurrently", async () => {
  for (const concurrency of [undefined, { max: 4, by: "none" }] as const) {
    await using state = memory();
    const app = new App();
    const { source } = numbers(100);
    for (const name of ["a", "b"]) {
      app.handle(source, state.aggregate((sum = 0, { n }) => sum + n, { by: () => name }), {
        name,
        state,
        sink: state.space<number>(name, { maxBytes: Infinity }),
        concurrency,
      });
    }
    await app.stream();
    assertEquals(await state.getMany(["a", "b"]), [5_050, 5_050]);
    for (const name of ["a", "b"]) {
      assertEquals(await state.space<number>(name).get(name), 5_050);
    }
  }
});

Deno.test("what is called and not awaited in the function is a part of the message", async () => {
  await using state = memory();
  await using other = memory();
  const app = new App();
  const go = Promise.withResolvers<void>();
  const count = state.aggregate((count = 0, _message: Item) => {
    void other.update("n", async (n = 0) => {
      await go.promise;
      return n + 1;
    });
    return count + 1;
  }, { by: () => "count" });
  app.handle(numbers(3).source, count, { name: "count", state });
  let isOver = false;
  const running = app.stream().then(() => isOver = true);
  await settle();
  assertEquals([await state.get("count"), isOver], [3, false]);
  go.resolve();
  await running;
  assertEquals(await other.get("n"), 3);
});

Deno.test("a sink that is a function still belongs to each message alone: what it writes late is refused", async () => {
  await using state = memory();
  const [go, late] = [Promise.withResolvers<void>(), Promise.withResolvers<unknown>()];
  const app = new App();
  app.handle(numbers(2).source, state.aggregate((n = 0) => n + 1, { by: () => "n" }), {
    name: "n",
    state,
    sink: ([_, n]) => {
      if (n === 2) {
        go.resolve();
        return late.promise.catch(() => {});
      }
      return void go.promise.then(() => state.set("late", 1)).then(late.resolve, late.reject);
    },
  });
  const [running, refused] = [app.stream(), assertRejects(() => late.promise, TypeError, "done")];
  await Promise.all([running, refused]);
  assertEquals(await state.has("late"), false);
});

Deno.test("aggregate() behind a Proxy, and in front of one", async () => {
  await using state = memory();
  const proxy = new Proxy<{ n: number }>();
  const results = new Proxy<readonly [string, number]>();
  const seen: number[] = [];
  const app = new App();
  app.handle(numbers(4).source, (message) => message, { name: "first", state, sink: proxy });
  app.handle(proxy, state.aggregate((sum = 0, { n }) => sum + n, { by: () => "sum" }), {
    name: "sum",
    state,
    sink: results,
  });
  app.handle(results, ([_, sum]) => void seen.push(sum), { name: "last" });
  await app.stream();
  assertEquals(seen, [1, 3, 6, 10]);
});

Deno.test("what user code sends to a Proxy cannot be aggregated exactly, and is refused", async () => {
  await using state = memory();
  const proxy = new Proxy<Item>();
  const app = new App();
  app.handle(numbers(1).source, async (message) => await proxy.send(message), {
    name: "first",
    state,
  });
  app.handle(proxy, state.aggregate((sum = 0, { n }) => sum + n, { by: () => "sum" }), {
    name: "sum",
    state,
  });
  const { cause } = await assertRejects(() => app.stream(), HandlerError);
  assertStringIncludes((cause as Error).message, "user code sent it to a Proxy");
  assertEquals(state.size, 0);
});
