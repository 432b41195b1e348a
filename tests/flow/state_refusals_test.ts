import { assertRejects, assertThrows } from "@std/assert";
import { App, batch, Cache, MemoryCache, Proxy } from "../../mod.ts";
import { type Item, numbers } from "../_support/numbers.ts";
import { Recorder } from "../_support/recorder.ts";
import { temporaryFolder } from "../_support/temporary.ts";

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
    const { source } = numbers(1);
    const proxy = new Proxy<number>();
    app.handle(source, handler, { name: "f", state });
    app.handle(source, ({ n }) => n, { name: "beside", sink: proxy });
    app.handle(proxy, handler, { name: "behind", pipe: batch(10, 1000) });
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
