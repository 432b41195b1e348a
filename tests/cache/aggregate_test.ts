import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import {
  App,
  Cache,
  closeAtEnd,
  HandlerError,
  JsonCodec,
  type Keyed,
  map,
  MemoryCache,
  Proxy,
  type Source,
} from "../../mod.ts";
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
  assertThrows(
    () => cache.aggregate((async () => await 1) as never),
    TypeError,
    "Cannot aggregate by a function that returns a promise",
  );
  for (const key of [undefined, Promise.resolve("ann")]) {
    const app = new App();
    app.handle(ORDERS, cache.aggregate(() => 1, { by: () => key as never }));
    const { cause } = await assertRejects(() => app.stream(), HandlerError);
    assertStringIncludes((cause as Error).message, 'option "by" must return its key, and has');
  }
  const other = memory();
  assertThrows(
    () => new App().handle(ORDERS, cache.aggregate(() => 1), { name: "sum", state: other }),
    TypeError,
    'Cannot aggregate in flow "sum" into another store than its state',
  );
  assertThrows(
    () =>
      new App().handle(ORDERS, map((order) => order), cache.aggregate(() => 1, { by: () => 1 }), {
        concurrency: { max: 2 },
      }),
    TypeError,
    'without the option "by" of concurrency',
  );
  const refused: [source: Iterable<unknown>, change: () => unknown, text: string][] = [
    [[{ key: null, value: 1 }], () => 1, 'without a key: set option "by"'],
    [[1], () => 1, 'without a key: set option "by"'],
    [[{ key: { a: 1 } }], () => 1, "as a key part"],
    [ORDERS, () => Promise.reject(new Error("late")), "that returns a promise: wait for it in map"],
    [ORDERS, () => () => {}, "function"],
    [
      ORDERS,
      () => {},
      "Cannot aggregate to undefined: the function must return the new value; is a return missing?",
    ],
  ];
  for (const [source, change, text] of refused) {
    const app = new App();
    app.handle(source as Iterable<Keyed>, cache.aggregate(change as () => number));
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
  assertThrows(
    () => app.handle(ORDERS, () => {}, { sink: memory().aggregate(() => 1) as never }),
    TypeError,
    "aggregate() is a handler",
  );
});

/** What is read: a source of which a flow enters each message, and one of which it enters each turn. */
const KINDS = ["replayable", "topic"] as const;

/** A message of either. */
interface Numbered {
  readonly n?: number;
  readonly value?: Item;
}

const nOf = ({ n, value }: Numbered): number => n ?? value!.n;

/** The numbers from 1 to `end`. */
async function source(
  kind: typeof KINDS[number],
  broker: MemoryBroker,
  end: number,
): Promise<Source<Numbered>> {
  if (kind === "replayable") return numbers(end).source as Source<unknown> as Source<Numbered>;
  const codec = new JsonCodec<Item>();
  const topic = new Topic("in", { broker, groupId: "g", offset: "earliest", codec });
  for (let n = 1; n <= end; n++) await topic.send(["k", { n, next: n }]);
  return topic as Source<unknown> as Source<Numbered>;
}

/** A topic for results. */
function results(broker: MemoryBroker, name = "out"): Topic<string, number> {
  return new Topic(name, { broker, codec: new JsonCodec(), groupId: "w", offset: "earliest" });
}

/** What a topic for results has got. */
async function written(topic: Topic<string, number>, count: number): Promise<number[]> {
  const values: number[] = [];
  for await (const { value } of topic) if (values.push(value) === count) break;
  assertEquals((await topic.offsets()).get(0)?.high, count);
  return values;
}

for (const kind of KINDS) {
  for (const policy of ["skip", "retry", "deadLetter"] as const) {
    Deno.test(`an error in the function of aggregate() leaves nothing: ${policy}, ${kind}`, async () => {
      await using broker = new MemoryBroker();
      await using state = memory();
      await using sink = results(broker);
      await using dead = new Topic("dead", { broker });
      const attempts: number[] = [];
      const app = new App();
      const sum = state.aggregate((sum = 0, message: Numbered, { attempt }) => {
        attempts.push(attempt);
        const n = nOf(message);
        if (n === 2 && attempt < 3) throw new Error("two");
        if (n === 3) void app.close();
        return sum + n;
      }, { by: () => "sum" });
      const onError = policy === "skip"
        ? policy
        : policy === "retry"
        ? { retry: { attempts: 2, minDelay: 0 } }
        : { deadLetter: kind === "topic" ? dead : () => {} };
      app.handle(await source(kind, broker, 3), sum, { name: "sum", state, sink, onError });
      await app.stream();
      const isRetried = policy === "retry";
      assertEquals(attempts, isRetried ? [1, 1, 2, 3, 1] : [1, 1, 1]);
      assertEquals(await state.get("sum"), isRetried ? 6 : 4);
      assertEquals(await written(sink, isRetried ? 3 : 2), isRetried ? [1, 3, 6] : [1, 4]);
    });
  }

  Deno.test(`what the function of aggregate() leaves running cannot write for a later message: ${kind}`, async () => {
    await using broker = new MemoryBroker();
    await using state = memory();
    await using sink = results(broker);
    const [held, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const late = Promise.withResolvers<unknown>();
    const app = new App();
    const count = state.aggregate((count = 0, message: Numbered) => {
      if (nOf(message) === 2) void app.close();
      else go.promise.then(() => state.set("late", 1)).then(late.resolve, late.reject);
      return count + 1;
    }, { by: (message) => `k${nOf(message)}` });
    // Message 2 is open while message 1 goes on.
    const transaction = state.transaction(["k2"], () => held.promise);
    app.handle(await source(kind, broker, 2), count, { name: "count", state, sink });
    const running = app.stream();
    while (!(await state.has("k1"))) await settle();
    go.resolve();
    await assertRejects(() => late.promise, TypeError, "for a message that is done");
    held.resolve();
    await Promise.all([running, transaction]);
    assertEquals(await Array.fromAsync(state.entries()), [["k1", 1], ["k2", 1]]);
    assertEquals(await written(sink, 2), [1, 1]);
  });

  Deno.test(`what the function of aggregate() calls and does not await is a part of the message: ${kind}`, async () => {
    await using broker = new MemoryBroker();
    await using state = memory();
    const app = new App();
    const go = Promise.withResolvers<void>();
    const count = state.aggregate((count = 0, message: Numbered) => {
      const n = nOf(message);
      void state.update("sum", async (sum = 0) => {
        await go.promise;
        return sum + n;
      });
      if (n === 3) void app.close();
      return count + 1;
    }, { by: () => "count" });
    app.handle(await source(kind, broker, 3), count, { name: "count", state });
    let isOver = false;
    const running = app.stream().then(() => isOver = true);
    while (await state.get("count") !== 3) await settle();
    for (let turn = 0; turn < 100; turn++) await settle();
    assertEquals(isOver, false);
    go.resolve();
    await running;
    assertEquals(await state.get("sum"), 6);
  });

  Deno.test(`aggregate() waits for a slow reader of updates, and gives each of several sinks all results: ${kind}`, async () => {
    await using broker = new MemoryBroker();
    await using state = memory();
    await using first = results(broker);
    await using second = results(broker, "second");
    const app = new App();
    const sum = state.aggregate((sum = 0, message: Numbered) => {
      const n = nOf(message);
      if (n === 50) void app.close();
      return sum + n;
    }, { by: () => "sum" });
    const updates = state.updates({ overflow: "wait", bound: 2 });
    const sums = Array.from({ length: 50 }, (_, n) => (n + 1) * (n + 2) / 2);
    const seen: unknown[] = [];
    const reading = (async () => {
      for await (const [_, value] of updates) {
        await settle();
        if (seen.push(value) === 50) break;
      }
    })();
    app.handle(await source(kind, broker, 50), sum, { name: "sum", state, sink: [first, second] });
    await Promise.all([app.stream(), reading]);
    assertEquals(seen, sums);
    for (const sink of [first, second]) assertEquals(await written(sink, 50), sums);
  });

  Deno.test(`a sink of the user's writes for the message that it was given, and late for none: ${kind}`, async () => {
    for (const wrap of ["function", "closeAtEnd()"]) {
      await using broker = new MemoryBroker();
      await using state = memory();
      const [go, late] = [Promise.withResolvers<void>(), Promise.withResolvers<unknown>()];
      const app = new App();
      const write = async ([_, n]: readonly [string, number]) => {
        await settle();
        await state.set(`sunk ${n}`, n);
        if (n === 1) go.promise.then(() => state.set("late", 1)).then(late.resolve, late.reject);
        else {
          go.resolve();
          await late.promise.catch(() => {});
          void app.close();
        }
      };
      app.handle(
        await source(kind, broker, 2),
        state.aggregate((n = 0) => n + 1, { by: () => "n" }),
        {
          name: "n",
          state,
          sink: wrap === "function" ? write : closeAtEnd(new WritableStream({ write })),
        },
      );
      const refused = assertRejects(() => late.promise, TypeError, "for a message that is done");
      await Promise.all([app.stream(), refused]);
      assertEquals(await Array.fromAsync(state.keys()), ["n", "sunk 1", "sunk 2"]);
    }
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

Deno.test("in a concurrent flow the values of a key reach the sinks in their order, whatever the key is", async () => {
  await using state = memory();
  await using last = memory();
  const slow = async ([_, sum]: readonly [string, number]) => {
    if (sum % 3 === 1) await settle();
  };
  const app = new App();
  app.handle(numbers(40).source, state.aggregate((n = 0, _: Item) => n + 1, { by: () => "all" }), {
    name: "count",
    state,
    sink: [slow, ([key, sum]: readonly [string, number]) => last.set(key, sum)],
    concurrency: { max: 4 },
  });
  await app.stream();
  assertEquals([await state.get("all"), await last.get("all")], [40, 40]);
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
