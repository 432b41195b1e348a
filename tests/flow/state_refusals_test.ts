import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  App,
  batch,
  Cache,
  type FlowFailure,
  MemoryCache,
  type OnError,
  Proxy,
  replayable,
  sequential,
  SinkError,
  SourceError,
} from "../../mod.ts";
import { type Item, numbers } from "../_support/numbers.ts";
import { Recorder } from "../_support/recorder.ts";
import { temporaryFolder } from "../_support/temporary.ts";

Deno.test("handle() refuses a state that cannot be exact, and says what to change", async () => {
  await using folder = await temporaryFolder();
  const app = new App();
  const { source } = numbers(1);
  const handler = () => {};
  await using finite = new MemoryCache();
  await using dying = new MemoryCache({ maxBytes: Infinity, ttl: 1 });
  await using shared = await Cache.open(`${folder.path}/shared`, { shared: true });
  await using state = new MemoryCache({ maxBytes: Infinity });
  const refused = (given: unknown, options: object, text: string) =>
    assertThrows(
      () => app.handle(source, handler, { name: "f", state: given as Cache, ...options }),
      TypeError,
      text,
    );
  refused(finite, {}, "maxBytes: Infinity");
  refused(dying, {}, "ttl: Infinity");
  refused(shared, {}, "without shared");
  refused({}, {}, "must be a Cache");
  refused(state, { name: undefined }, 'without the option "name"');
  state.space("small", { maxBytes: 1_000_000 });
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
      app.handle(
        numbers(1).source,
        sequential(async function* (source: AsyncIterable<Item>) {
          yield* source;
        }),
        handler,
        {
          name: "f",
          state,
        },
      ),
    "hold messages back",
  );
  await refused((app) => {
    const { source } = numbers(1);
    const proxy = new Proxy<number>();
    app.handle(source, handler, { name: "f", state });
    app.handle(source, ({ n }) => n, { name: "beside", sink: proxy });
    app.handle(proxy, batch(10, 1000), handler, { name: "behind" });
  }, 'flow "behind": batch()');
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

Deno.test("a space that could not be exact cannot be opened while flows keep their state", async () => {
  await using state = new MemoryCache<number>({ maxBytes: Infinity });
  const app = new App();
  const errors: string[] = [];
  app.handle(numbers(1).source, () => {
    try {
      state.space("small", { maxBytes: 1_000_000 });
    } catch (error) {
      errors.push((error as Error).message);
    }
    state.space("large");
  }, { name: "f", state });
  await app.stream();
  assertEquals(errors.map((message) => message.includes('space "small" has maxBytes')), [true]);
});

Deno.test("nor can it between handle() and stream()", async () => {
  await using state = new MemoryCache<number>({ maxBytes: Infinity });
  new App().handle(numbers(1).source, () => {}, { name: "f", state });
  assertThrows(
    () => state.space("small", { maxBytes: 1_000_000 }),
    TypeError,
    'space "small" has maxBytes',
  );
  assertThrows(() => state.space("brief", { ttl: 1, maxBytes: Infinity }), TypeError, "ttl");
  state.space("large");
});

Deno.test("a state in which something expires is refused when the app starts", async () => {
  await using state = new MemoryCache<number>({ maxBytes: Infinity });
  const app = new App();
  app.handle(numbers(1).source, () => {}, { name: "f", state });
  await state.set("brief", 1, { ttl: 60_000 });
  await assertRejects(
    () => app.stream(),
    TypeError,
    "delete the entries that were written with ttl",
  );
  await state.delete("brief");
  await app.stream();
});

Deno.test("a Proxy for dead letters is known when the app starts, and its reader belongs to the state", async () => {
  await using state = new MemoryCache<number>({ maxBytes: Infinity });
  await using other = new MemoryCache<number>({ maxBytes: Infinity });
  let end = 0; // each run has one more message
  const proxy = new Proxy<FlowFailure>();
  const fail = () => {
    throw new Error("broken");
  };
  const half = async () => {
    await state.set("half", 1);
    throw new Error("broken too");
  };
  const run = (onError: OnError, reader: { state?: Cache<number> }) => {
    const app = new App();
    app.handle(numbers(++end).source, fail, { name: "a", state, onError });
    app.handle(proxy, half, { name: "b", onError: "skip", ...reader });
    return app.stream();
  };
  await assertRejects(
    () => run({ deadLetter: proxy }, { state: other }),
    TypeError,
    'it reads a Proxy that flow "a" writes to',
  );
  await run({ deadLetter: proxy }, {});
  assertEquals(await state.get("half"), undefined);
  const error = await assertRejects(() => run(() => ({ deadLetter: proxy }), {}), SinkError);
  assertEquals((error.cause as Error).message.includes("onError: { deadLetter: proxy }"), true);
});

Deno.test("two apps cannot keep their state in one cache at a time", async () => {
  await using state = new MemoryCache<number>({ maxBytes: Infinity });
  const begun = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const first = new App();
  first.handle(numbers(1).source, () => {
    begun.resolve();
    return go.promise;
  }, { name: "first", state });
  const streaming = first.stream();
  await begun.promise;
  const second = new App();
  second.handle(numbers(1, "other").source, () => {}, { name: "second", state });
  await assertRejects(() => second.stream(), TypeError, "state of two apps in one cache");
  go.resolve();
  await streaming;
  await second.stream(); // one after the other they may
});

Deno.test("flows that were at different positions, which are no numbers, cannot share a source", async () => {
  await using one = new MemoryCache<string>({ maxBytes: Infinity });
  await using two = new MemoryCache<string>({ maxBytes: Infinity });
  const letters = (end: number) =>
    replayable<string, string>({
      name: "letters",
      read: async function* (position = "") {
        yield* [..."abc"].slice(0, end).filter((letter) => letter > position);
      },
      position: (letter) => letter,
    });
  const stream = async (end: number, states: Record<string, MemoryCache<string>>) => {
    const app = new App();
    const source = letters(end);
    for (const [name, state] of Object.entries(states)) {
      app.handle(source, () => {}, { name, state });
    }
    await app.stream();
  };
  await stream(1, { one });
  await stream(2, { two });
  await assertRejects(
    () => stream(3, { one, two }),
    SourceError,
    "give each flow a source of its own",
  );
});
