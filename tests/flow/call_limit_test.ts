import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import {
  App,
  type Context,
  HandlerError,
  type OnError,
  retry,
  type StatusEvent,
} from "../../mod.ts";
import { ManualClock, settle } from "../../src/testing/mod.ts";

/** An app on a clock that is moved by hand, and what it tells. */
function world(options: { onError?: OnError } = {}) {
  const clock = new ManualClock();
  const events: StatusEvent[] = [];
  const app = new App({ clock, onStatus: (event) => events.push(event), ...options });
  const failures = () => events.filter(({ type }) => ["skipped", "retry"].includes(type));
  return { clock, app, events, failures };
}

/** Resolves after `ms` of a clock, whatever happens. */
function after(clock: ManualClock, ms: number): Promise<void> {
  return new Promise((resolve) => clock.timer(resolve, ms));
}

const policies = ["skip", retry({ attempts: 2, minDelay: 0 }, "skip")] as const;
for (const onError of policies) {
  const times = onError === "skip" ? 1 : 3;
  Deno.test(`a call past its limit yields nothing and fails once: ${times} times`, async () => {
    const { clock, app, failures } = world({ onError });
    const sunk: number[] = [];
    app.handle([1], async (_, { attempt }) => {
      await after(clock, 300);
      return attempt;
    }, { handlerTimeout: 100, sink: (attempt) => sunk.push(attempt) });
    const streaming = app.stream();
    for (let n = 0; n < 12; n++) await clock.tick(100);
    await streaming;
    assertEquals(sunk, []);
    assertEquals(failures().length, times);
    const last = failures().at(-1) as { error: HandlerError };
    assertEquals((last.error.cause as Error).name, "TimeoutError");
    assertEquals(clock.pending, 0);
  });
}

Deno.test("a retry waits until the call that was late is over", async () => {
  const { clock, app } = world({ onError: retry({ attempts: 1, minDelay: 0 }, "skip") });
  const begun: number[] = [];
  const sunk: number[] = [];
  app.handle([1], async (_, { attempt }) => {
    begun.push(clock.monotonic());
    await after(clock, attempt === 1 ? 500 : 50);
    return attempt;
  }, { handlerTimeout: 100, sink: (attempt) => sunk.push(attempt) });
  const streaming = app.stream();
  for (let n = 0; n < 12; n++) await clock.tick(50);
  await streaming;
  assertEquals([begun, sunk], [[0, 500], [2]]);
});

Deno.test("context.signal aborts at the limit, with the reason, and is one for each call", async () => {
  const { clock, app } = world({ onError: "skip" });
  const signals: AbortSignal[] = [];
  app.handle([1, 2, 3], async (n, { signal }) => {
    signals.push(signal);
    if (n === 2) await new Promise((_, reject) => signal.onabort = () => reject(signal.reason));
  }, { handlerTimeout: 100 });
  const streaming = app.stream();
  await clock.tick(99);
  assertEquals(signals.map(({ aborted }) => aborted), [false, false]);
  await clock.tick(1);
  await streaming;
  assertEquals(signals[1]!.reason.name, "TimeoutError");
  assert(signals[0] !== signals[2]);
  assert(signals[0]!.reason?.name !== "TimeoutError"); // what is left of others is not to blame
});

Deno.test("context.signal follows the hard end where there is a limit, too", async () => {
  const { clock, app } = world();
  let given: AbortSignal | undefined;
  const begun = Promise.withResolvers<void>();
  app.handle([1], (_, { signal }) => {
    given = signal;
    begun.resolve();
    return new Promise(() => {});
  }, { handlerTimeout: 100_000 });
  const streaming = app.stream({ drainTimeout: 10 }).catch(() => {});
  await begun.promise;
  app.close();
  await clock.tick(10);
  await streaming;
  assert(given!.aborted);
  assertEquals(clock.pending, 0);
});

Deno.test("a context that is copied has the signal of its call", async () => {
  const { clock, app } = world({ onError: "skip" });
  let copied: Context | undefined;
  app.handle([1], async (_, context) => {
    copied = { ...context };
    await after(clock, 200);
  }, { handlerTimeout: 100 });
  const streaming = app.stream();
  await clock.tick(150);
  assert(copied!.signal.aborted);
  await clock.tick(50);
  await streaming;
});

Deno.test("an async generator is closed at the limit, and its later yields go nowhere", async () => {
  const { clock, app, failures } = world({ onError: "skip" });
  const sunk: string[] = [];
  const steps: string[] = [];
  app.handle([1], async function* () {
    try {
      yield "in time";
      await after(clock, 300);
      steps.push("went on");
      yield "late";
      steps.push("never");
    } finally {
      steps.push("closed");
    }
  }, { handlerTimeout: 100, sink: (text) => sunk.push(text) });
  const streaming = app.stream();
  for (let n = 0; n < 4; n++) await clock.tick(100);
  await streaming;
  assertEquals([sunk, steps, failures().length], [["in time"], ["went on", "closed"], 1]);
});

Deno.test("a generator is closed at the limit, while a sink is slow", async () => {
  const { clock, app, failures } = world({ onError: "skip" });
  const sunk: number[] = [];
  let closed: number | undefined;
  app.handle([1], function* () {
    try {
      yield 1;
      yield 2;
    } finally {
      closed = clock.monotonic();
    }
  }, {
    handlerTimeout: 100,
    sink: async (n: number) => {
      await after(clock, 300);
      sunk.push(n);
    },
  });
  const streaming = app.stream();
  for (let n = 0; n < 4; n++) await clock.tick(100);
  await streaming;
  assertEquals([sunk, closed, failures().length], [[1], 100, 1]);
});

Deno.test("of several sinks those get nothing that have not begun at the limit", async () => {
  const { clock, app } = world({ onError: "skip" });
  const second: number[] = [];
  app.handle([1], (n) => n, {
    handlerTimeout: 100,
    sink: [() => after(clock, 300), (n: number) => second.push(n)],
  });
  const streaming = app.stream();
  for (let n = 0; n < 4; n++) await clock.tick(100);
  await streaming;
  assertEquals(second, []);
});

Deno.test("a sink that fails after the limit meets no policy of its own", async () => {
  const { clock, app, failures } = world({ onError: retry({ attempts: 1, minDelay: 0 }, "skip") });
  let calls = 0;
  app.handle([1], (n) => n, {
    handlerTimeout: 100,
    sink: async () => {
      if (++calls > 1) return;
      await after(clock, 300);
      throw new Error("gone");
    },
  });
  const streaming = app.stream();
  for (let n = 0; n < 4; n++) await clock.tick(100);
  await streaming;
  assertEquals(calls, 2);
  const [retried, ...others] = failures() as { error: unknown }[];
  assertInstanceOf(retried!.error, HandlerError);
  assertEquals(others, []);
});

Deno.test("what a late call throws comes second, and the abort that it was told does not", async () => {
  const { clock, app } = world();
  app.handle([1], async () => {
    await after(clock, 300);
    throw new Error("gone");
  }, { handlerTimeout: 100 });
  const streaming = app.stream().catch((error) => error);
  for (let n = 0; n < 4; n++) await clock.tick(100);
  const error = await streaming;
  assertInstanceOf(error, HandlerError);
  assertEquals((error.cause as Error).name, "TimeoutError");
  assertEquals(error.others.map((other) => ((other as Error).cause as Error).message), ["gone"]);

  const second = world();
  second.app.handle(
    [1],
    (_, { signal }) =>
      new Promise<void>((_, reject) => signal.onabort = () => reject(signal.reason)),
    { handlerTimeout: 100 },
  );
  const stopped = second.app.stream().catch((error) => error);
  await second.clock.tick(100);
  assertEquals((await stopped).others, []);
});

Deno.test("a call that is over in time is not a failure, however many there are, and one timer watches", async () => {
  const { clock, app, failures } = world({ onError: "skip" });
  const sunk: number[] = [];
  app.handle(Array.from({ length: 50 }, (_, n) => n), async (n) => {
    await after(clock, 90);
    return n;
  }, { handlerTimeout: 100, sink: (n) => sunk.push(n) });
  const streaming = app.stream();
  for (let n = 0; n < 50; n++) {
    await clock.tick(90);
    assert(clock.pending <= 3); // the call, its limit, and the progress that is told
  }
  await settle();
  await streaming;
  assertEquals([sunk.length, failures()], [50, []]);
});
