import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { App, DrainError, PipeError, sequential, toTransform } from "../../mod.ts";
import { ManualClock, settle } from "../../src/testing/mod.ts";
import { Recorder } from "../_support/recorder.ts";
import { identity } from "../_support/identity.ts";

function take(count: number) {
  return async function* <T>(source: AsyncIterable<T>): AsyncGenerator<T> {
    let taken = 0;
    for await (const message of source) {
      yield message;
      if (++taken === count) return;
    }
  };
}

Deno.test("a pipe that ends early ends its flow only: the others of the source go on", async () => {
  const source = new Recorder([1, 2, 3, 4]);
  const seen: string[] = [];
  const app = new App();
  app.handle(source, sequential(take(2)<number>), (n: number) => void seen.push(`first ${n}`));
  app.handle(source, (n) => void seen.push(`all ${n}`));
  await app.stream();
  assertEquals(seen.filter((line) => line.startsWith("first")), ["first 1", "first 2"]);
  assertEquals(seen.filter((line) => line.startsWith("all")), ["all 1", "all 2", "all 3", "all 4"]);
  assertEquals([source.handedOut, source.ackedTo], [4, 4]);
});

Deno.test("a source whose last flow has ended early is closed, with what was given to it done", async () => {
  let closed = 0;
  function* endless() {
    try {
      for (let n = 1;; n++) yield n;
    } finally {
      closed++;
    }
  }
  const seen: number[] = [];
  const app = new App();
  app.handle(endless(), take(2), (n: number) => void seen.push(n));
  await app.stream();
  assertEquals([seen, closed], [[1, 2], 1]);

  const source = new Recorder([1, 2, 3, 4]);
  const other = new App();
  other.handle(source, sequential(take(2)<number>), () => {});
  other.handle(source, sequential(take(3)<number>), () => {});
  await other.stream();
  assertEquals([source.handedOut, source.ackedTo, source.cancelled], [3, 3, 1]);
});

Deno.test("a pipe that takes nothing ends its flow without a message", async () => {
  const seen: number[] = [];
  const app = new App();
  app.handle([1, 2], async function* () {}, (n: number) => void seen.push(n));
  await app.stream();
  assertEquals(seen, []);
});

Deno.test("a TransformStream that terminates ends its flow", async () => {
  const seen: number[] = [];
  const source = new Recorder([1, 2, 3]);
  const app = new App();
  app.handle(
    source,
    sequential(
      new TransformStream<number, number>({
        transform(n, controller) {
          controller.enqueue(n);
          if (n === 2) controller.terminate();
        },
      }),
    ),
    (n: number) => void seen.push(n),
  );
  await app.stream();
  assertEquals([seen, source.ackedTo], [[1, 2], 2]);
});

Deno.test("a pipe that throws stops the app with a PipeError, whatever the policy", async () => {
  const cause = new Error("no gzip");
  const pipes = {
    function: async function* (source: AsyncIterable<number>) {
      for await (const n of source) {
        if (n === 2) throw cause;
        yield n;
      }
    },
    stream: new TransformStream<number, number>({
      transform(n, controller) {
        if (n === 2) throw cause;
        controller.enqueue(n);
      },
    }),
    "flush of a stream": new TransformStream<number, number>({
      transform: (n, controller) => controller.enqueue(n),
      flush: () => Promise.reject(cause),
    }),
    "function, at the end": async function* (source: AsyncIterable<number>) {
      yield* source;
      throw cause;
    },
  };
  for (const [kind, pipe] of Object.entries(pipes)) {
    const source = new Recorder([1, 2, 3]);
    const [seen, beside]: number[][] = [[], []];
    const app = new App();
    app.handle(source, sequential(pipe), (n: number) => void seen!.push(n), {
      name: "zip",
      onError: "skip",
    });
    app.handle(source, (n) => void beside!.push(n));
    const error = await assertRejects(() => app.stream(), PipeError, 'in flow "zip": no gzip');
    assertStrictEquals(error.cause, cause);
    assertEquals([kind, error.others], [kind, []]);
    const atEnd = kind.includes("flush") || kind.includes("end");
    assertEquals([kind, seen], [kind, atEnd ? [1, 2, 3] : [1]]);
    assertEquals([kind, beside], [kind, atEnd ? [1, 2, 3] : [1, 2]]);
    assertEquals([kind, source.ackedTo], [kind, atEnd ? 3 : 1]);
  }
});

Deno.test("a pipe function that throws at once, or returns no stream, is a PipeError", async () => {
  const app = new App();
  app.handle([1], () => {
    throw new Error("no");
  }, (n: number) => n);
  await assertRejects(() => app.stream(), PipeError, "no");
  const other = new App();
  other.handle([1], (() => [1]) as never, (n: number) => n);
  await assertRejects(
    () => other.stream(),
    PipeError,
    "a pipe function must return an async iterable or a TransformStream",
  );
});

Deno.test("a TransformStream used for a second run is an error that says what to do", async () => {
  const advice =
    "a TransformStream serves one flow in one run: give a pipe function that creates one";
  const asPipe = new App();
  asPipe.handle([1], identity<number>(), (n: number) => n);
  await asPipe.stream();
  await assertRejects(() => asPipe.stream(), PipeError, advice);
  const asHandler = new App();
  asHandler.handle([1], identity<number>());
  await asHandler.stream();
  await assertRejects(() => asHandler.stream(), PipeError, advice);
});

Deno.test("a TransformStream used by two flows is an error that says what to do", async () => {
  const stream = identity<number>();
  const app = new App();
  app.handle([1], stream, (n: number) => n);
  app.handle([2], stream, (n: number) => n);
  await assertRejects(() => app.stream(), PipeError, "a TransformStream serves one flow");
});

Deno.test("a pipe function makes a pipe for each run", async () => {
  const seen: number[] = [];
  const app = new App();
  app.handle([1, 2], () => identity<number>(), (n: number) => void seen.push(n));
  app.handle([3, 4], take(1), (n: number) => void seen.push(n));
  await app.stream();
  await app.stream();
  assertEquals(seen.toSorted(), [1, 1, 2, 2, 3, 3]);
});

Deno.test("a pipe that never ends after its source is ended by drainTimeout", async () => {
  const clock = new ManualClock();
  const controller = new AbortController();
  const stuck = Promise.withResolvers<void>();
  const app = new App({ clock });
  app.handle([1], async function* (source: AsyncIterable<number>) {
    yield* source;
    stuck.resolve();
    await new Promise(() => {});
  }, (n: number) => n);
  const ended = assertRejects(
    () => app.stream({ signal: controller.signal, drainTimeout: 100 }),
    DrainError,
  );
  await stuck.promise;
  controller.abort();
  await clock.tick(100);
  await ended;
});

Deno.test("a pipe may ask for several messages at once", async () => {
  const source = new Recorder([1, 2, 3, 4]);
  const seen: unknown[] = [];
  const app = new App();
  app.handle(
    source,
    sequential(async function* (source: AsyncIterable<number>) {
      const messages = source[Symbol.asyncIterator]();
      for (;;) {
        const [a, b] = await Promise.all([messages.next(), messages.next()]);
        if (a.done) return;
        yield [a.value, b.value];
      }
    }),
    async (pair: unknown[]) => {
      await settle();
      seen.push([pair, source.ackedTo]);
    },
  );
  await app.stream();
  assertEquals(seen, [[[1, 2], 0], [[3, 4], 2]]);
  assertEquals(source.ackedTo, 4);
});

Deno.test("toTransform() serves as pipe and as handler", async () => {
  const seen: number[] = [];
  const twice = function* (n: number) {
    yield n;
    yield n;
  };
  const app = new App();
  app.handle([1, 2], toTransform(twice), (n: number) => void seen.push(n));
  app.handle([3, 4], toTransform(twice), { sink: (n) => void seen.push(n) });
  await app.stream();
  assertEquals(seen.toSorted(), [1, 1, 2, 2, 3, 3, 4, 4]);
});

Deno.test("the generator of a pipe is closed when its handler fails", async () => {
  let closed = false;
  const app = new App();
  app.handle([1, 2], async function* (source: AsyncIterable<number>) {
    try {
      yield* source;
    } finally {
      closed = true;
    }
  }, (_n: number) => {
    throw new Error("no");
  });
  await assertRejects(() => app.stream(), Error, "no");
  assertEquals(closed, true);
});

Deno.test("a pipe keeps nothing of the messages that are done", async () => {
  const script = `
    import { App } from ${JSON.stringify(import.meta.resolve("../../mod.ts"))};
    for (const pipe of [(source) => source, new TransformStream()]) {
      const heap = [];
      function* numbers() {
        for (let n = 0; n <= 100_000; n++) {
          if (n % 50_000 === 0) {
            gc();
            heap.push(Deno.memoryUsage().heapUsed);
          }
          yield n;
        }
      }
      const app = new App();
      app.handle(numbers(), pipe, () => {});
      await app.stream();
      console.log(Math.round((heap[2] - heap[1]) / 50_000));
    }
  `;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--v8-flags=--expose-gc", script],
  }).output();
  const bytes = new TextDecoder().decode(stdout).trim().split("\n").map(Number);
  assertEquals(bytes.length, 2);
  for (const perMessage of bytes) assert(perMessage < 20, `${perMessage} bytes a message`);
});
