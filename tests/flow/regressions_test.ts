import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import {
  App,
  batch,
  closeAtEnd,
  deadLetter,
  DrainError,
  HandlerError,
  merge,
  Proxy,
  ProxyEndedError,
  retry,
  SourceError,
  toWritable,
} from "../../mod.ts";
import { systemClock } from "../../src/clock.ts";
import { currentMessage } from "../../src/flow/run/attribution.ts";
import { gateOf } from "../../src/flow/source/gate.ts";
import { settle } from "../../src/testing/mod.ts";
import { Recorder } from "../_support/recorder.ts";

const fail = (message: string) => (): never => {
  throw new Error(message);
};

for (const type of ["started", "source_ended", "flow_ended", "ended"] as const) {
  Deno.test(`onStatus that throws at "${type}" ends the run with its error`, async () => {
    const app = new App({
      onStatus: (event) => {
        if (event.type === type) throw new Error("deaf");
      },
    });
    let closed = 0;
    app.handle([1], (n) => n, { sink: { write: () => {}, close: () => void closed++ } });
    await assertRejects(() => app.stream(), Error, "deaf");
    assertEquals(closed, 1);
  });
}

Deno.test("what is thrown may be anything, also what cannot become a string", async () => {
  const bare = Object.create(null);
  const app = new App();
  app.handle(
    (function* () {
      yield 1;
      throw bare;
    })(),
    () => {},
    { name: "reader" },
  );
  const error = await assertRejects(() => app.stream(), SourceError);
  assertEquals(error.cause, bare);
  assertStringIncludes(error.message, 'in flow "reader"');
});

Deno.test("a Proxy that a policy function chooses as dead-letter sink ends by itself", async () => {
  const app = new App();
  const letters = new Proxy<unknown>();
  const log: unknown[] = [];
  app.handle([1], fail("broken"), { onError: () => deadLetter(letters) });
  app.handle(letters, (error) => void log.push((error as HandlerError).input));
  await app.stream();
  assertEquals(log, [1]);
});

Deno.test("Proxy.writer() closed after a stop holds the Proxy open in the next run all the same", async () => {
  const app = new App();
  const proxy = new Proxy<number>();
  const log: number[] = [];
  app.handle([1], (n) => n, { sink: proxy });
  app.handle(proxy, (n) => void log.push(n));
  const before = proxy.writer();
  await app.stream({ signal: AbortSignal.abort() });
  before.close();
  const writer = proxy.writer();
  const streaming = app.stream();
  for (let turn = 0; turn < 5; turn++) await settle();
  await writer.send(2);
  writer.close();
  await streaming;
  assertEquals(log, [1, 2]);
});

Deno.test("Proxy.send() after its reader failed rejects with a ProxyEndedError", async () => {
  const app = new App();
  const proxy = new Proxy<number>();
  const going = Promise.withResolvers<void>();
  app.handle(proxy, fail("broken"));
  app.handle(proxy, () => going.promise);
  const streaming = app.stream();
  streaming.catch(() => {});
  await proxy.send(1);
  await settle();
  await assertRejects(() => proxy.send(2), ProxyEndedError);
  going.resolve();
  await assertRejects(() => streaming, HandlerError);
});

Deno.test("a batch that is held in a circle is passed on before the circle ends", async () => {
  const app = new App();
  const proxy = new Proxy<number>();
  const log: number[][] = [];
  app.handle([1, 2, 3], (n) => n, { sink: proxy });
  app.handle(proxy, batch<number>(2), function* (some) {
    log.push(some);
    if (some.length > 1) yield 10;
  }, { sink: proxy });
  await app.stream();
  assertEquals(log, [[1, 2], [3, 10], [10]]);
});

Deno.test("errors of exit hooks and of everything that is closed are in others", async () => {
  const app = new App();
  app.handle([1], fail("e1"));
  app.onExit(fail("hook"));
  const close = () => new WritableStream({ close: fail("close") });
  app.handle([], (n) => n, { sink: [closeAtEnd(close()), closeAtEnd(close())] });
  const error = await assertRejects(() => app.stream(), HandlerError, "e1");
  assertEquals(
    error.others.map((other) => (other as Error).message.replace(/.*: /, "")),
    ["hook", "close", "close"],
  );
});

Deno.test("systemClock.timer() waits longer than setTimeout can, and for ever", async () => {
  const fired: string[] = [];
  const cancels = [2 ** 31, 1e12, Infinity].map((ms) =>
    systemClock.timer(() => fired.push(String(ms)), ms)
  );
  await settle();
  await new Promise<void>((resolve) => systemClock.timer(resolve, 5));
  cancels.forEach((cancel) => cancel());
  assertEquals(fired, []);
});

Deno.test("a sink may return a thenable that answers at once", async () => {
  const app = new App();
  let written = 0;
  app.handle([1, 2], (n) => n, {
    sink: () => ({ then: (done: () => void) => (written++, done()) }),
  });
  await app.stream();
  assertEquals(written, 2);
});

Deno.test("App.pause() of a merge pauses all of it; what has no gate is an error", async () => {
  const app = new App();
  const both = merge([1], [2]);
  const log: number[] = [];
  app.handle(both, (n) => void log.push(n));
  app.pause(both);
  const streaming = app.stream();
  for (let turn = 0; turn < 3; turn++) await settle();
  assertEquals(log, []);
  app.resume(both);
  await streaming;
  assertEquals(log, [1, 2]);
  assertThrows(() => app.pause("text"), TypeError, "not a source that can be paused");
});

Deno.test("App.close() in an exit hook does not wait for itself", async () => {
  const app = new App();
  app.onExit(() => app.close());
  await app.stream();
});

Deno.test("context.attempt of a generator survives a retry of its sink", async () => {
  const app = new App({ onError: retry({ minDelay: 1 }) });
  const attempts: number[] = [];
  let failures = 1;
  app.handle([1], function* (n, context) {
    if (context.attempt === 1) throw new Error("not yet");
    yield n;
    attempts.push(context.attempt);
  }, {
    sink: () => {
      if (failures-- > 0) throw new Error("full");
    },
  });
  await app.stream();
  assertEquals(attempts, [2]);
});

Deno.test("nothing is written and nothing told after the hard end", async () => {
  const events: string[] = [];
  const app = new App({ onStatus: ({ type }) => events.push(type) });
  const late = Promise.withResolvers<number>();
  const written: number[] = [];
  const begun = new AbortController();
  app.handle([1], () => {
    begun.abort();
    return late.promise;
  }, { sink: (n) => void written.push(n) });
  await assertRejects(() => app.stream({ signal: begun.signal, drainTimeout: 1 }), DrainError);
  late.resolve(1);
  await settle();
  assertEquals(written, []);
  assertEquals(events.at(-1), "ended");
});

Deno.test("toWritable() gives chunks to its sink as they are, also promises and generators", async () => {
  const seen: unknown[] = [];
  const writer = toWritable((chunk: unknown) => void seen.push(chunk)).getWriter();
  const chunks = [Promise.resolve(1), (function* () {})(), null];
  for (const chunk of chunks) await writer.write(chunk);
  await writer.close();
  assertEquals(seen.map((chunk, index) => chunk === chunks[index]), [true, true, true]);
});

Deno.test("flows that share a handler's name are numbered", async () => {
  const events: unknown[] = [];
  const app = new App({
    onStatus: (event) => event.type === "started" && events.push(event.flows),
  });
  const count = () => {};
  app.handle([1], count);
  app.handle([2], count);
  await app.stream();
  assertEquals(events, [["count", "count 2"]]);
});

Deno.test("a policy function that gives no policy ends the app and says so", async () => {
  const app = new App({ onError: () => "skpi" as "skip" });
  app.handle([1], fail("broken"));
  const error = await assertRejects(() => app.stream(), HandlerError);
  assertStringIncludes((error.cause as Error).message, "onError must return a policy");
  assertStringIncludes((error.cause as Error).message, 'policies are "stop"');
});

for (
  const [what, endless] of [
    ["a pipe", (app: App) => {
      app.handle([1], async function* () {
        for (;;) yield 1;
      }, () => {});
    }],
    ["a generator handler", (app: App) => {
      app.handle([1], function* () {
        for (;;) yield 1;
      }, { sink: () => {} });
    }],
    ["an async generator handler", (app: App) => {
      app.handle([1], async function* () {
        for (;;) yield 1;
      }, { sink: () => {} });
    }],
  ] as [string, (app: App) => void][]
) {
  Deno.test(`${what} that yields for ever lets the app end`, async () => {
    const app = new App();
    endless(app);
    await assertRejects(
      () => app.stream({ signal: AbortSignal.timeout(10), drainTimeout: 10 }),
      DrainError,
    );
  });
}

Deno.test("currentMessage() tells the message, in the handler, after its awaits and in its generators", async () => {
  const app = new App();
  const source = new Recorder([1, 2]);
  const plain = [3];
  const seen: unknown[] = [];
  const note = () => seen.push(currentMessage()?.root);
  gateOf(source).attributed = true;
  app.handle(source, async (n) => {
    await settle();
    note();
    return n;
  }, { name: "async" });
  app.handle(source, async function* (n) {
    note();
    yield n;
    await settle();
    note();
  }, { name: "generator", sink: async () => await settle() });
  app.handle(plain, note);
  await app.stream();
  assertEquals(seen.filter((message) => message === 1).length, 3);
  assertEquals(seen.filter((message) => message === 2).length, 3);
  assertEquals(seen.filter((message) => message === undefined).length, 1);
  assertEquals(currentMessage(), undefined);
});
