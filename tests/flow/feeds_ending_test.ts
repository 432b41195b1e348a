import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { App, DrainError, SourceError } from "../../mod.ts";
import { ManualClock, settle } from "../../src/testing/mod.ts";
import { messagesOf } from "../_support/messages_of.ts";

Deno.test("an iterator without return() is left alone when the app stops early", async () => {
  const controller = new AbortController();
  const endless: AsyncIterable<number> = {
    [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve({ done: false, value: 1 }) }),
  };
  let handled = 0;
  const app = new App();
  app.handle(endless, () => {
    if (++handled === 3) controller.abort();
  });
  await app.stream({ signal: controller.signal });
  assertEquals(handled, 3);
});

Deno.test("a source is closed once, and awaited, when the app stops early", async () => {
  for (const kind of ["sync", "async", "stream"]) {
    const controller = new AbortController();
    let closed = 0;
    const numbers = function* () {
      try {
        for (;;) yield 1;
      } finally {
        closed++;
      }
    };
    const later = async function* () {
      try {
        for (;;) yield 1;
      } finally {
        await settle();
        closed++;
      }
    };
    const stream = new ReadableStream<number>({
      pull: (stream) => stream.enqueue(1),
      cancel: async () => {
        await settle();
        closed++;
      },
    });
    const app = new App();
    app.handle(kind === "sync" ? numbers() : kind === "async" ? later() : stream, () => {
      controller.abort();
    });
    await app.stream({ signal: controller.signal });
    assertEquals([kind, closed], [kind, 1]);
  }
});

Deno.test("an async iterator that answers with something else than a result is an error", async () => {
  const broken = {
    [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve(undefined) }),
  } as unknown as AsyncIterable<number>;
  await assertRejects(() => messagesOf(broken), SourceError, "undefined");
});

Deno.test("an error of a source ends the app with a SourceError that keeps the cause", async () => {
  const cause = new Error("no more fish");
  const failing = {
    "sync, first": () =>
      // deno-lint-ignore require-yield
      (function* (): Generator<number> {
        throw cause;
      })(),
    "sync, in the middle": () =>
      (function* () {
        yield 1;
        throw cause;
      })(),
    "async, first": () =>
      // deno-lint-ignore require-yield
      (async function* (): AsyncGenerator<number> {
        throw cause;
      })(),
    "async, in the middle": () =>
      (async function* () {
        yield 1;
        throw cause;
      })(),
    "stream, first": () => new ReadableStream<number>({ pull: (stream) => stream.error(cause) }),
    "stream, in the middle": () => {
      let pulled = 0;
      return new ReadableStream<number>({
        pull: (stream) => ++pulled === 1 ? stream.enqueue(1) : stream.error(cause),
      }, { highWaterMark: 0 });
    },
    "next() of a hand-written async iterator": (): AsyncIterable<number> => ({
      [Symbol.asyncIterator]: () => ({
        next: () => {
          throw cause;
        },
      }),
    }),
  };
  for (const [place, source] of Object.entries(failing)) {
    const messages: number[] = [];
    const app = new App();
    app.handle(source(), async (message) => {
      await settle();
      messages.push(message);
    });
    const error = await assertRejects(() => app.stream(), SourceError, "no more fish");
    assertStrictEquals(error.cause, cause, place);
    assertEquals([place, error.others], [place, []]);
    assertEquals([place, messages], [place, place.endsWith("middle") ? [1] : []]);
  }
});

Deno.test("an error of a source stops the other sources, whose messages in flight finish", async () => {
  const started = Promise.withResolvers<void>();
  const failed = Promise.withResolvers<void>();
  const finished: string[] = [];
  const app = new App({ onStatus: ({ type }) => type === "error" && failed.resolve() });
  app.handle(
    // deno-lint-ignore require-yield
    (async function* (): AsyncGenerator<number> {
      await started.promise;
      throw new Error("broken");
    })(),
    () => {},
  );
  app.handle(["a", "b", "c"], async (letter) => {
    started.resolve();
    await failed.promise;
    finished.push(letter);
  });
  await assertRejects(() => app.stream(), SourceError);
  assertEquals(finished, ["a"]);
});

Deno.test("opening a source that throws is a SourceError naming the flow", async () => {
  const app = new App();
  const locked = ReadableStream.from([1]);
  locked.getReader();
  app.handle(locked, () => {}, { name: "numbers" });
  const error = await assertRejects(() => app.stream(), SourceError, "locked");
  assertEquals(error.flow, "numbers");
});

Deno.test("an endless source that never lets go of the event loop leaves timers their turn", async () => {
  function* sync() {
    for (;;) yield 1;
  }
  async function* async() {
    for (;;) yield 1;
  }
  const always = new ReadableStream<number>({ pull: (stream) => stream.enqueue(1) });
  for (const source of [sync(), async(), always]) {
    let handled = 0;
    const app = new App();
    app.handle(source, () => void handled++);
    const begin = performance.now();
    await app.stream({ signal: AbortSignal.timeout(30) });
    const took = performance.now() - begin;
    assert(took < 1000, `the signal was heard after ${took} ms`);
    assert(handled > 64);
  }
});

Deno.test("an endless source in front of async handlers leaves timers their turn", async () => {
  let handled = 0;
  const app = new App();
  app.handle(
    (function* () {
      for (;;) yield 1;
    })(),
    async () => {
      await null;
      handled++;
    },
  );
  await app.stream({ signal: AbortSignal.timeout(30) });
  assert(handled > 64);
});

Deno.test("a source is cancelled with the reason of the signal", async () => {
  const reasons: unknown[] = [];
  const stream = new ReadableStream<number>({
    pull: (stream) => stream.enqueue(1),
    cancel: (reason) => void reasons.push(reason),
  });
  const iterator: AsyncIterable<number> = {
    [Symbol.asyncIterator]: () => ({
      next: () => Promise.resolve({ done: false, value: 1 }),
      return: (reason) => {
        reasons.push(reason);
        return Promise.resolve({ done: true, value: undefined });
      },
    }),
  };
  for (const source of [stream, iterator]) {
    const controller = new AbortController();
    const app = new App();
    app.handle(source, () => controller.abort("enough"));
    await app.stream({ signal: controller.signal });
  }
  assertEquals(reasons, ["enough", "enough"]);
});

Deno.test("a source whose next() never settles is abandoned when the signal aborts", async () => {
  const controller = new AbortController();
  const waiting = Promise.withResolvers<void>();
  async function* source() {
    yield 1;
    waiting.resolve();
    await new Promise(() => {});
  }
  const seen: number[] = [];
  const app = new App();
  app.handle(source(), (n) => void seen.push(n));
  const streaming = app.stream({ signal: controller.signal });
  await waiting.promise;
  controller.abort();
  await streaming;
  assertEquals(seen, [1]);
});

Deno.test("a hand-written iterator whose next() never settles is told by return(), not awaited", async () => {
  const controller = new AbortController();
  const asked = Promise.withResolvers<void>();
  let returned = 0;
  const silent: AsyncIterable<number> = {
    [Symbol.asyncIterator]: () => ({
      next: () => {
        asked.resolve();
        return new Promise(() => {});
      },
      return: () => {
        returned++;
        return new Promise(() => {});
      },
    }),
  };
  const app = new App();
  app.handle(silent, () => {});
  const streaming = app.stream({ signal: controller.signal });
  await asked.promise;
  controller.abort();
  await streaming;
  assertEquals(returned, 1);
});

Deno.test("a ReadableStream that never gives a chunk again is cancelled when the signal aborts", async () => {
  const controller = new AbortController();
  const asked = Promise.withResolvers<void>();
  let cancelled = 0;
  const silent = new ReadableStream<number>({
    pull: () => {
      asked.resolve();
      return new Promise(() => {});
    },
    cancel: () => void cancelled++,
  }, { highWaterMark: 0 });
  const app = new App();
  app.handle(silent, () => {});
  const streaming = app.stream({ signal: controller.signal });
  await asked.promise;
  controller.abort();
  await streaming;
  assertEquals(cancelled, 1);
});

Deno.test("an idle source whose return() never settles is ended by drainTimeout", async () => {
  const clock = new ManualClock();
  const controller = new AbortController();
  const stuck: AsyncIterable<number> = {
    [Symbol.asyncIterator]: () => ({
      next: () => Promise.resolve({ done: false, value: 1 }),
      return: () => new Promise(() => {}),
    }),
  };
  const app = new App({ clock });
  app.handle(stuck, () => controller.abort());
  const ended = app.stream({ signal: controller.signal, drainTimeout: 500 }).catch((error) =>
    error
  );
  await clock.tick(499);
  assertEquals(clock.pending, 1);
  await clock.tick(1);
  assertInstanceOf(await ended, DrainError);
});

Deno.test("a source whose next() never settles does not hold up another one that fails", async () => {
  const app = new App();
  app.handle(
    (async function* () {
      yield 1;
      await new Promise(() => {});
    })(),
    () => {},
  );
  app.handle(
    (async function* () {
      yield 1;
      await settle();
      throw new Error("broken");
    })(),
    () => {},
  );
  await assertRejects(() => app.stream(), SourceError, "broken");
});
