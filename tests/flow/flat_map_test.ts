import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { App, batch, flatMap, HandlerError, Proxy, retry, SinkError } from "../../mod.ts";
import { settle } from "../../src/testing/mod.ts";
import { Recorder } from "../_support/recorder.ts";

/** Ways to give 1 to n. */
const ways: Record<
  string,
  (n: number) => ReturnType<Parameters<typeof flatMap<number, number>>[0]>
> = {
  "an array": (n) => upTo(n),
  "a promise of an array": (n) => Promise.resolve(upTo(n)),
  "an array of promises": (n) => upTo(n).map((each) => Promise.resolve(each)),
  "a set": (n) => new Set(upTo(n)),
  "a generator": function* (n) {
    yield* upTo(n);
  },
  "an async generator": async function* (n) {
    yield* upTo(n);
  },
  "a ReadableStream": (n) => ReadableStream.from(upTo(n)),
  "an iterator made by hand": (n) => {
    let given = 0;
    const next = () => given < n ? { done: false, value: ++given } : { done: true, value: 0 };
    return { [Symbol.iterator]: () => ({ next }) } as Iterable<number>;
  },
  "an async iterator made by hand": (n) => {
    let given = 0;
    const next = () => given < n ? { done: false, value: ++given } : { done: true, value: 0 };
    return { [Symbol.asyncIterator]: () => ({ next }) } as unknown as AsyncIterable<number>;
  },
};

function fail(error: Error): never {
  throw error;
}

function upTo(n: number): number[] {
  return Array.from({ length: n }, (_, index) => index + 1);
}

for (const [way, elements] of Object.entries(ways)) {
  Deno.test(`flatMap() passes on the elements of ${way}, in order, each done before the next`, async () => {
    const source = new Recorder([2, 0, 3]);
    const seen: unknown[] = [];
    const app = new App();
    app.handle(source, flatMap(elements), async (n: number) => {
      await settle();
      seen.push([n, source.ackedTo]);
    });
    app.handle([2, 3], flatMap(elements), (n: number) => void seen.push(n));
    await app.stream();
    assertEquals(seen.filter(Array.isArray), [[1, 0], [2, 0], [1, 2], [2, 2], [3, 2]]);
    assertEquals(seen.filter((n) => !Array.isArray(n)), [1, 2, 1, 2, 3]);
    assertEquals(source.acknowledged, [0, 1, 2]);
  });
}

Deno.test("flatMap() passes undefined on: it is a message, not a result", async () => {
  const seen: unknown[] = [];
  const app = new App();
  app.handle([1], flatMap(() => [undefined, null]), (message) => void seen.push(message));
  await app.stream();
  assertEquals(seen, [undefined, null]);
});

Deno.test("flatMap() of very many elements keeps nothing of those that are done, and lets timers run", async () => {
  let timers = 0;
  const timer = setInterval(() => timers++, 1);
  let seen = 0;
  const app = new App();
  app.handle(
    [1],
    flatMap(function* () {
      for (let n = 0; timers < 3; n++) yield n % 100 === 0 ? Promise.resolve(n) : n;
    }),
    () => void seen++,
  );
  await app.stream();
  clearInterval(timer);
  assertEquals(seen > 64, true);
});

Deno.test("flatMap() in front of batch(), and behind it, acknowledges exactly", async () => {
  const source = new Recorder([2, 3, 1]);
  const seen: unknown[] = [];
  const app = new App();
  app.handle(
    source,
    flatMap((n: number) => upTo(n)),
    batch<number>(4),
    flatMap((some: number[]) => some),
    (n: number) => void seen.push([n, source.ackedTo]),
  );
  await app.stream();
  assertEquals(seen, [[1, 0], [2, 0], [1, 0], [2, 0], [3, 1], [1, 1]]);
  assertEquals(source.acknowledged, [0, 1, 2]);
});

Deno.test("flatMap() in front of a Proxy: a message is done when all of its elements are", async () => {
  const source = new Recorder([3]);
  const proxy = new Proxy<number>({ bound: 1 });
  const ackedTo: number[] = [];
  const app = new App();
  app.handle(source, flatMap(upTo), (n: number) => n, { sink: proxy });
  app.handle(proxy, async () => {
    await settle();
    ackedTo.push(source.ackedTo);
  });
  await app.stream();
  assertEquals([ackedTo, source.ackedTo], [[0, 0, 0], 1]);
});

Deno.test("flatMap() closes what it leaves before its end, and tells what that throws", async () => {
  for (const kind of ["now", "later"]) {
    const app = new App();
    const closing = new Error("cannot close");
    app.handle(
      [1],
      kind === "now"
        ? flatMap(function* (n: number) {
          try {
            yield n;
          } finally {
            fail(closing);
          }
        })
        : flatMap(async function* (n: number) {
          try {
            yield n;
          } finally {
            fail(closing);
          }
        }),
      (n: number) => n,
      {
        sink: () => {
          throw new Error("full");
        },
      },
    );
    const error = await assertRejects(() => app.stream(), SinkError, "full");
    assertEquals([kind, error.others.map((other) => (other as Error).cause)], [kind, [closing]]);
  }
});

Deno.test("flatMap() passes everything on again when its call is repeated", async () => {
  const source = new Recorder([1]);
  const seen: number[] = [];
  let failures = 1;
  const app = new App({ onError: retry({ minDelay: 0.01 }) });
  app.handle(
    source,
    flatMap(function* () {
      yield 1;
      if (failures-- > 0) throw new Error("not yet");
      yield 2;
    }),
    (n: number) => void seen.push(n),
  );
  await app.stream();
  assertEquals([seen, source.acknowledged], [[1, 1, 2], [0]]);
});

Deno.test("a handler or sink behind flatMap() that fails meets the policy once, with its element", async () => {
  const source = new Recorder([3]);
  const failures: unknown[] = [];
  const app = new App({
    onError: (error) => {
      failures.push([error.name, error.input, error.origin]);
      return "skip";
    },
  });
  app.handle(source, flatMap(upTo), (n: number) => {
    if (n === 1) throw new Error("no");
    return n;
  }, {
    sink: (n) => {
      if (n === 2) throw new Error("full");
    },
  });
  await app.stream();
  assertEquals(failures, [["HandlerError", 1, 3], ["SinkError", 3, 3]]);
  assertEquals(source.acknowledged, [0]);
});

Deno.test("flatMap() refuses values that are not a function, and what gives no elements", async () => {
  assertThrows(() => flatMap([1] as never), TypeError, "must be a function");
  for (const given of [undefined, null, 1, {}]) {
    const app = new App();
    app.handle([1], flatMap(() => given as never), () => {});
    await assertRejects(() => app.stream(), HandlerError, "flatMap() needs an iterable, got");
  }
  const broken = { [Symbol.iterator]: () => ({ next: () => 1 }) };
  const app = new App();
  app.handle([1], flatMap(() => broken as never), () => {});
  await assertRejects(() => app.stream(), HandlerError, "next() must return an object, got 1");
});
