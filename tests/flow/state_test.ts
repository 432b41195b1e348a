import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { App, Cache, HandlerError, MemoryCache, Proxy, replayable } from "../../mod.ts";
import { currentMessage } from "../../src/flow/attribution.ts";
import { gateOf } from "../../src/flow/gate.ts";
import { settle } from "../../src/testing/mod.ts";
import { Recorder } from "../_support/recorder.ts";
import { temporaryFolder } from "../_support/temporary.ts";

interface Item {
  readonly n: number;
  readonly next: number;
}

/** A source of the numbers from 1 to `end` that notes from where it was read. */
function numbers(end: number, name = "numbers") {
  const begins: (number | undefined)[] = [];
  const source = replayable<Item, number>({
    name,
    read: async function* (position) {
      begins.push(position);
      for (let n = (position ?? 0) + 1; n <= end; n++) yield { n, next: n };
    },
    position: ({ next }) => next,
  });
  return { source, begins };
}

const open = (path: string) => Cache.open<number>(`${path}/state`, { maxBytes: Infinity });
const add = (cache: Cache<number>, key: string, n: number) =>
  cache.update(key, (sum = 0) => sum + n).then(() => {});

Deno.test("a flow with state goes on where its state ends", async () => {
  await using folder = await temporaryFolder();
  const seen: number[] = [];
  for (const end of [3, 5]) {
    await using state = await open(folder.path);
    const { source, begins } = numbers(end);
    const app = new App();
    app.handle(source, async ({ n }) => {
      seen.push(n);
      await add(state, "sum", n);
    }, { name: "sum", state });
    await app.stream();
    assertEquals(begins, [end === 3 ? undefined : 3]);
    assertEquals(await state.get("sum"), end === 3 ? 6 : 15);
    assertEquals(state.size, 1);
  }
  assertEquals(seen, [1, 2, 3, 4, 5]);
});

Deno.test("a flow with state that stops drops what came after the last cut", async () => {
  await using folder = await temporaryFolder();
  {
    await using state = await open(folder.path);
    const app = new App({ barrier: { messages: 2 } });
    app.handle(numbers(9).source, async ({ n }) => {
      await state.set("half", n);
      if (n === 5) throw new Error("five");
      await add(state, "sum", n);
      if (n % 2 === 1) await new Promise((resolve) => setTimeout(resolve, 20));
    }, { name: "sum", state });
    await assertRejects(() => app.stream(), HandlerError, "five");
    await assertRejects(() => state.set("after", 1), TypeError, "close it, and open it again");
    await assertRejects(() => app.stream(), TypeError, "close it, and open it again");
  }
  await using state = await open(folder.path);
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
    await state.set("a", 1, { ttlMs: 10 }).catch(note);
  }, { name: "sum", state });
  await app.stream();
  assertEquals(errors.map((message) => message.split(" in ")[0]!.split(" within ")[0]), [
    "Cannot flush a cache",
    "Cannot wait for a durable write",
    "Cannot wait for a durable write",
    "Cannot wait for a durable write",
    "Cannot clear a cache",
    "Cannot use ttlMs",
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

Deno.test("flush() from outside waits for the message under way, and brings everything to disk", async () => {
  await using folder = await temporaryFolder();
  await using state = await open(folder.path);
  const begun = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const app = new App({ barrier: { intervalMs: 1e6 } });
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
  await assertRejects(() => state.close(), TypeError, "stop the app first");
  go.resolve();
  await flushing;
  await streaming;
  assertEquals(await state.get("sum"), 3);
});

Deno.test("messages behind a Proxy belong to the message that they were made from", async () => {
  await using folder = await temporaryFolder();
  for (const end of [3, 6]) {
    await using state = await open(folder.path);
    const other = state.space<number>("other", { maxBytes: Infinity });
    const app = new App();
    const proxy = new Proxy<number>();
    const { source, begins } = numbers(end);
    app.handle(source, async function* ({ n }) {
      await add(state, "sum", n);
      yield n;
      yield n;
    }, { name: "first", state, sink: proxy });
    app.handle(proxy, (n) => add(other, "twice", n));
    await app.stream();
    assertEquals(begins, [end === 3 ? undefined : 3]);
    assertEquals(await other.get("twice"), end * (end + 1));
  }
});

Deno.test("in a fan-out a flow that is past a message does not see it again", async () => {
  await using ahead = new MemoryCache<number>({ maxBytes: Infinity });
  await using behind = new MemoryCache<number>({ maxBytes: Infinity });
  const first = new App();
  first.handle(numbers(4).source, ({ n }) => add(ahead, "sum", n), { name: "a", state: ahead });
  await first.stream();
  const third = new App();
  third.handle(numbers(2).source, ({ n }) => add(behind, "sum", n), { name: "b", state: behind });
  await third.stream();

  const second = new App();
  const { source, begins } = numbers(6);
  const seen: Record<string, number[]> = { a: [], b: [] };
  second.handle(source, ({ n }) => {
    seen.a!.push(n);
    return add(ahead, "sum", n);
  }, { name: "a", state: ahead });
  second.handle(source, ({ n }) => {
    seen.b!.push(n);
    return add(behind, "sum", n);
  }, { name: "b", state: behind });
  await second.stream();
  assertEquals(begins, [2]);
  assertEquals(seen, { a: [5, 6], b: [3, 4, 5, 6] });
  assertEquals(await ahead.get("sum"), 21);
  assertEquals(await behind.get("sum"), 21);
});

Deno.test("two flows of two sources in one store: the cut waits for both, and both are exact", async () => {
  await using folder = await temporaryFolder();
  for (const end of [20, 50]) {
    await using state = await open(folder.path);
    const app = new App({ barrier: { messages: 3 } });
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

Deno.test("handle() refuses a state that cannot be exact, and says what to change", async () => {
  await using folder = await temporaryFolder();
  const app = new App();
  const { source } = numbers(1);
  const handler = () => {};
  await using finite = new MemoryCache();
  await using dying = new MemoryCache({ maxBytes: Infinity, ttlMs: 1 });
  await using shared = await Cache.open(`${folder.path}/shared`, { shared: true });
  await using state = new MemoryCache({ maxBytes: Infinity });
  const refused = (given: unknown, options: object, text: string) =>
    assertThrows(
      () => app.handle(source, handler, { name: "f", state: given as Cache, ...options }),
      TypeError,
      text,
    );
  refused(finite, {}, "maxBytes: Infinity");
  refused(dying, {}, "ttlMs: Infinity");
  refused(shared, {}, "without shared");
  refused({}, {}, "must be a Cache");
  refused(state, { name: undefined }, "without a name");
  state.space("small");
  refused(state, {}, 'space "small" has maxBytes');
});

Deno.test("stream() refuses flows whose state could not be exact, and says what to change", async () => {
  await using state = new MemoryCache<number>({ maxBytes: Infinity });
  const handler = () => {};
  const refused = async (bind: (app: App) => void, text: string) => {
    const app = new App();
    bind(app);
    await assertRejects(() => app.stream(), Error, text);
  };
  await refused(
    (app) => app.handle([1], handler, { name: "f", state }),
    "its source (Array) cannot begin at a position",
  );
  await refused(
    (app) => app.handle(new Recorder([1]), handler, { name: "f", state }),
    "cannot begin at a position",
  );
  await refused(
    (app) =>
      app.handle(numbers(1).source, handler, {
        name: "f",
        state,
        pipe: async function* (source: AsyncIterable<Item>) {
          yield* source;
        },
      }),
    "hold messages back",
  );
  await refused((app) => {
    const proxy = new Proxy<number>();
    app.handle([1], (n) => n, { sink: proxy });
    app.handle(proxy, handler, { name: "f", state });
  }, "it reads a Proxy that flow");
  await refused((app) => {
    const proxy = new Proxy<number>();
    app.handle(numbers(1).source, ({ n }) => n, { name: "g", state, sink: proxy, onError: "skip" });
    app.handle(proxy, handler, { name: "f", state });
  }, 'use "stop" there');
  await refused((app) => {
    app.handle(numbers(1).source, handler, { name: "g", state });
    app.handle(numbers(1).source, handler, { name: "f", state });
  }, 'two sources are named "numbers"');
  await refused((app) => {
    const proxy = new Proxy<number>();
    app.handle(proxy, handler, { name: "f", state });
    proxy.send(1).catch(() => {});
  }, "user code sent it to a Proxy");
});
