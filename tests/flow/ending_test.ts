import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { App, DrainError, type ExactPipe, map, Proxy, type StatusEvent } from "../../mod.ts";
import { ManualClock, settle } from "../../src/testing/mod.ts";
import { Recorder } from "../_support/recorder.ts";

async function* endless() {
  for (let n = 0;; n++) {
    yield n;
    await settle();
  }
}

Deno.test("App.stream() of an app with nothing bound ends at once", async () => {
  await new App().stream();
});

Deno.test("App.stream() with a signal that aborted before handles nothing", async () => {
  const app = new App();
  let handled = 0;
  app.handle([1, 2], () => void handled++);
  await app.stream({ signal: AbortSignal.abort() });
  assertEquals(handled, 0);
});

Deno.test("App.stream() ends when its signal aborts: what is in flight is finished and committed", async () => {
  const app = new App();
  const stop = new AbortController();
  const source = new Recorder([0, 1, 2, 3]);
  const proxy = new Proxy<number>();
  const log: number[] = [];
  app.handle(source, async (n) => {
    if (n === 1) stop.abort();
    await settle();
    return n;
  }, { sink: proxy });
  app.handle(proxy, async (n) => {
    await settle();
    log.push(n);
  });
  await app.stream({ signal: stop.signal });
  assertEquals(log, [0, 1]);
  assertEquals(source.committed.at(-1), 2);
  assertEquals(source.cancelled, 1);
});

Deno.test("App.stream() ignores a signal that aborts after its end", async () => {
  const app = new App();
  const stop = new AbortController();
  app.handle([1], () => {});
  await app.stream({ signal: stop.signal });
  stop.abort();
});

Deno.test("App.stream() abandons a generator that waits for ever, and closes one that is idle", async () => {
  const app = new App();
  const stop = new AbortController();
  const closed: string[] = [];
  async function* stuck() {
    try {
      yield 1;
      await new Promise(() => {});
    } finally {
      closed.push("stuck");
    }
  }
  async function* idle() {
    try {
      yield 1;
      yield 2;
    } finally {
      await settle();
      closed.push("idle");
    }
  }
  app.handle(stuck(), () => {});
  app.handle(idle(), async () => {
    await settle();
    stop.abort();
  });
  await app.stream({ signal: stop.signal });
  assertEquals(closed, ["idle"]);
});

Deno.test("App.stream() ends an endless source that never lets go of the event loop", async () => {
  const app = new App();
  let handled = 0;
  app.handle(
    (function* () {
      for (;;) yield 1;
    })(),
    () => void handled++,
  );
  await app.stream({ signal: AbortSignal.timeout(30) });
  assertEquals(handled > 0, true);
});

Deno.test("App.stream() ends endless flows through a Proxy that never let go of the event loop", async () => {
  const app = new App();
  const proxy = new Proxy<number>();
  let handled = 0;
  app.handle(
    (async function* () {
      for (;;) yield 1;
    })(),
    (n) => n,
    { sink: proxy },
  );
  app.handle(proxy, () => void handled++);
  await app.stream({ signal: AbortSignal.timeout(30) });
  assertEquals(handled > 0, true);
});

Deno.test("App.stream() gives up after drainTimeout: DrainError, no commit, context.signal aborted", async () => {
  const clock = new ManualClock();
  const app = new App({ clock });
  const stop = new AbortController();
  const source = new Recorder([1]);
  const aborted: string[] = [];
  app.handle(source, (_, { stopping, signal }) => {
    stopping.addEventListener("abort", () => aborted.push("stopping"));
    signal.addEventListener("abort", () => aborted.push("signal"));
    return new Promise(() => {});
  });
  const streaming = app.stream({ signal: stop.signal, drainTimeout: 1000 });
  streaming.catch(() => {});
  await settle();
  stop.abort();
  await clock.tick(999);
  assertEquals(aborted, ["stopping"]);
  await clock.tick(1);
  const error = await assertRejects(() => streaming, DrainError, "drainTimeout (1000 ms)");
  assertInstanceOf(error, DrainError);
  assertEquals(aborted, ["stopping", "signal"]);
  assertEquals(source.committed, []);
  assertEquals(clock.pending, 0);
});

Deno.test("App.stream() waits with a retry no longer than the hard end", async () => {
  const clock = new ManualClock();
  const app = new App({ clock, onError: { retry: { minDelay: 60_000, maxDelay: 60_000 } } });
  const stop = new AbortController();
  app.handle([1], () => {
    throw new Error("broken");
  });
  const streaming = app.stream({ signal: stop.signal, drainTimeout: 10 });
  streaming.catch(() => {});
  await settle();
  stop.abort();
  await clock.tick(10);
  await assertRejects(() => streaming, DrainError);
  assertEquals(clock.pending, 0);
});

Deno.test("App.onExit() hooks run last to first, after the commit and while sinks are open", async () => {
  const app = new App();
  const source = new Recorder([1]);
  const log: string[] = [];
  source.onCommit = () => void log.push("commit");
  app.handle(source, (n) => n, { sink: { write: () => {}, close: () => void log.push("close") } });
  app.onExit(() => log.push("first"));
  app.onExit(async () => {
    await settle();
    log.push("second");
  });
  await app.stream();
  assertEquals(log, ["commit", "second", "first", "close"]);
});

Deno.test("App.onExit() hooks that fail reject stream(), and the others still run", async () => {
  const app = new App();
  const log: string[] = [];
  app.onExit(() => log.push("ran"));
  app.onExit(() => {
    throw new Error("broken");
  });
  await assertRejects(() => app.stream(), Error, "broken");
  assertEquals(log, ["ran"]);
});

Deno.test("App[Symbol.asyncDispose]() stops the app and waits for its end", async () => {
  let ended = false;
  let streaming: Promise<void>;
  {
    await using app = new App();
    app.handle(endless(), () => {});
    streaming = app.stream().then(() => void (ended = true));
    await settle();
  }
  assertEquals(ended, true);
  await streaming;
});

Deno.test("App.stream() twice at once is an error, and so is handle() meanwhile", async () => {
  const app = new App();
  app.handle(endless(), () => {});
  const streaming = app.stream();
  await assertRejects(() => app.stream(), TypeError, "Cannot stream twice at once");
  try {
    app.handle([1], () => {});
    throw new Error("handle() was accepted");
  } catch (error) {
    assertInstanceOf(error, TypeError);
  }
  await app.close();
  await streaming;
});

Deno.test("App.stream() again streams the same bindings: iterables from their start, generators from their end", async () => {
  const app = new App();
  const log: string[] = [];
  app.handle(["a"], (letter) => void log.push(letter));
  app.handle(
    (function* () {
      yield "once";
    })(),
    (word) => void log.push(word),
  );
  await app.stream();
  await app.stream();
  assertEquals(log, ["a", "once", "a"]);
});

Deno.test("App.stream() passes args, and gives up nothing of one app to another beside it", async () => {
  const [left, right] = [new App<string>(), new App<string>()];
  const source = [1, 2];
  const log: string[] = [];
  for (const app of [left, right]) {
    app.handle(source, async (n, { args }) => {
      await settle();
      if (args === "left" && n === 1) throw new Error("left only");
      log.push(args + n);
    });
  }
  const results = await Promise.allSettled([
    left.stream({ args: "left" }),
    right.stream({ args: "right" }),
  ]);
  assertEquals(results.map(({ status }) => status), ["rejected", "fulfilled"]);
  assertEquals(log, ["right1", "right2"]);
});

Deno.test("onStatus is told from the start to the end", async () => {
  const events: StatusEvent[] = [];
  const app = new App({ onStatus: (event) => events.push(event) });
  app.handle([1, 2], () => {}, { name: "only" });
  await app.stream();
  assertEquals(events.filter(({ type }) => type !== "commit"), [
    { type: "started", flows: ["only"] },
    { type: "source_ended", source: "Array", messages: 2 },
    { type: "flow_ended", flow: "only" },
    { type: "progress", source: "Array", messages: 2, lag: undefined, inFlight: 0, waiting: 0 },
    { type: "ended", error: undefined },
  ]);
});

Deno.test("App.stream() that was ended at once lets nothing go on of what was in flight", async () => {
  const handlers = {
    async: async (n: number) => {
      await late.promise;
      return n;
    },
    "async generator": async function* (n: number) {
      try {
        await late.promise;
        yield n;
      } finally {
        closed.push(n);
      }
    },
    "async, behind a map": async (n: number) => {
      await late.promise;
      return n;
    },
  };
  let late: PromiseWithResolvers<void>;
  const closed: number[] = [];
  for (const [name, handler] of Object.entries(handlers)) {
    late = Promise.withResolvers();
    const clock = new ManualClock();
    const app = new App({ clock });
    const stop = new AbortController();
    const written: number[] = [];
    const source = new Recorder([1, 2]);
    const pipes = name.endsWith("map") ? [map((n: number) => Promise.resolve(n))] : [];
    const sinks = [(n: number) => void written.push(n), (n: number) => void written.push(n)];
    app.handle(source, ...pipes as unknown as [ExactPipe<number, number>], handler, {
      sink: sinks,
    });
    const streaming = assertRejects(
      () => app.stream({ signal: stop.signal, drainTimeout: 10 }),
      DrainError,
    );
    await settle();
    stop.abort();
    await clock.tick(10);
    await streaming;
    late.resolve();
    await settle();
    assertEquals(written, [], name);
    assertEquals([source.acknowledged, source.committed], [[], []], name);
  }
  assertEquals(closed, [1]);
});
