import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { App, DrainError, PipeError } from "../../mod.ts";
import { ManualClock, settle } from "../../src/testing/mod.ts";
import { Recorder } from "../_support/recorder.ts";

async function* same<T>(source: AsyncIterable<T>): AsyncGenerator<T> {
  for await (const message of source) yield message;
}

function take(count: number) {
  return async function* <T>(source: AsyncIterable<T>): AsyncGenerator<T> {
    let taken = 0;
    for await (const message of source) {
      yield message;
      if (++taken === count) return;
    }
  };
}

async function* inPairs<T>(source: AsyncIterable<T>): AsyncGenerator<T[]> {
  let pair: T[] = [];
  for await (const message of source) {
    pair.push(message);
    if (pair.length < 2) continue;
    yield pair;
    pair = [];
  }
  if (pair.length > 0) yield pair;
}

function identity<T>(): TransformStream<T, T> {
  return new TransformStream<T, T>({
    transform: (message, controller) => controller.enqueue(message),
  });
}

Deno.test("a pipe over async iterables stands between source and handler", async () => {
  const seen: number[][] = [];
  const app = new App();
  app.handle([1, 2, 3, 4], (pair: number[]) => void seen.push(pair), { pipe: inPairs });
  await app.stream();
  assertEquals(seen, [[1, 2], [3, 4]]);
});

Deno.test("a TransformStream as pipe stands between source and handler", async () => {
  const sizes: number[] = [];
  const app = new App();
  app.handle(["a", "grüße"], (bytes: Uint8Array) => void sizes.push(bytes.length), {
    pipe: new TextEncoderStream(),
  });
  await app.stream();
  assertEquals(sizes, [1, 7]);
});

Deno.test("an identity TransformStream as pipe passes every message on (deno#36790)", async () => {
  const numbers = Array.from({ length: 600 }, (_, index) => index);
  const seen: number[] = [];
  const app = new App();
  app.handle(numbers, (n: number) => void seen.push(n), {
    pipe: new TransformStream<number, number>(),
  });
  await app.stream();
  assertEquals(seen, numbers);
});

Deno.test("several pipes are passed one after the other", async () => {
  const seen: string[] = [];
  const app = new App();
  app.handle([1, 2, 3], (text: string) => void seen.push(text), {
    pipe: [identity<number>(), inPairs<number>, async function* (source: AsyncIterable<number[]>) {
      for await (const pair of source) yield pair.join("+");
    }],
  });
  await app.stream();
  assertEquals(seen, ["1+2", "3"]);
});

Deno.test("a pipe is flushed at a graceful end: of its source, and after an abort", async () => {
  for (const aborted of [false, true]) {
    const controller = new AbortController();
    const seen: string[] = [];
    const flushing = new TransformStream<number[], string>({
      transform: (pair, stream) => stream.enqueue(pair.join("+")),
      flush: (stream) => stream.enqueue("flushed"),
    });
    const app = new App();
    const source = function* () {
      yield* [1, 2, 3];
      if (aborted) controller.abort();
      while (aborted) yield 4;
    }();
    app.handle(source, (text: string) => void seen.push(text), {
      pipe: [inPairs<number>, flushing],
    });
    await app.stream({ signal: controller.signal });
    assertEquals(seen, aborted ? ["1+2", "3+4", "flushed"] : ["1+2", "3", "flushed"]);
  }
});

Deno.test("a pipe is asked for the next message only after its output is done", async () => {
  for (const pipe of [same<number>, identity<number>()]) {
    const events: string[] = [];
    const source = function* () {
      for (const n of [1, 2]) {
        events.push(`asked for ${n}`);
        yield n;
      }
    }();
    const app = new App();
    app.handle(source, (n: number) => n, {
      pipe,
      sink: async (n) => {
        await settle();
        events.push(`sunk ${n}`);
      },
    });
    await app.stream();
    assertEquals(events, ["asked for 1", "sunk 1", "asked for 2", "sunk 2"]);
  }
});

Deno.test("a message given to a pipe stays unacknowledged until an output after it is sunk", async () => {
  for (const pipe of [same<number>, identity<number>(), () => identity<number>()]) {
    const source = new Recorder([1, 2, 3]);
    const watermarks: number[] = [];
    const app = new App();
    app.handle(source, (n: number) => n, {
      pipe,
      sink: async () => {
        await settle();
        watermarks.push(source.watermark);
      },
    });
    await app.stream();
    assertEquals(watermarks, [0, 1, 2]);
    assertEquals(source.acknowledged, [0, 1, 2]);
  }
});

Deno.test("messages that a pipe holds back stay unacknowledged until they come out", async () => {
  const source = new Recorder([1, 2, 3, 4, 5]);
  const seen: unknown[] = [];
  const app = new App();
  app.handle(source, async (pair: number[]) => {
    await settle();
    seen.push([pair, source.watermark]);
  }, { pipe: inPairs });
  await app.stream();
  assertEquals(seen, [[[1, 2], 0], [[3, 4], 2], [[5], 4]]);
  assertEquals(source.watermark, 5);
});

Deno.test("messages that a pipe drops are acknowledged with an output after them, or at its end", async () => {
  const source = new Recorder([1, 2, 3, 4, 5]);
  const seen: unknown[] = [];
  const app = new App();
  app.handle(source, (n: number) => void seen.push([n, source.watermark]), {
    pipe: async function* (source: AsyncIterable<number>) {
      for await (const n of source) if (n % 2 === 0) yield n;
    },
  });
  await app.stream();
  assertEquals(seen, [[2, 0], [4, 2]]);
  assertEquals(source.watermark, 5);
});

Deno.test("two pipes in a row acknowledge what came out of both", async () => {
  const source = new Recorder([1, 2, 3, 4, 5, 6, 7, 8]);
  const seen: unknown[] = [];
  const app = new App();
  app.handle(source, async (pairs: number[][]) => {
    await settle();
    seen.push([pairs.flat(), source.watermark]);
  }, { pipe: [inPairs<number>, inPairs<number[]>] });
  await app.stream();
  assertEquals(seen, [[[1, 2, 3, 4], 0], [[5, 6, 7, 8], 4]]);
  assertEquals(source.watermark, 8);
});

Deno.test("a pipe beside a plain flow keeps the source in lock-step", async () => {
  const source = new Recorder([1, 2]);
  const seen: string[] = [];
  const app = new App();
  app.handle(source, (n: number) => void seen.push(`piped ${n}`), { pipe: same });
  app.handle(source, (n) => void seen.push(`plain ${n}`));
  await app.stream();
  assertEquals(seen, ["plain 1", "piped 1", "plain 2", "piped 2"]);
  assertEquals(source.watermark, 2);
});

Deno.test("a pipe that ends early ends its flow only: the others of the source go on", async () => {
  const source = new Recorder([1, 2, 3, 4]);
  const seen: string[] = [];
  const app = new App();
  app.handle(source, (n: number) => void seen.push(`first ${n}`), { pipe: take(2) });
  app.handle(source, (n) => void seen.push(`all ${n}`));
  await app.stream();
  assertEquals(seen.filter((line) => line.startsWith("first")), ["first 1", "first 2"]);
  assertEquals(seen.filter((line) => line.startsWith("all")), ["all 1", "all 2", "all 3", "all 4"]);
  assertEquals([source.handedOut, source.watermark], [4, 4]);
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
  app.handle(endless(), (n: number) => void seen.push(n), { pipe: take(2) });
  await app.stream();
  assertEquals([seen, closed], [[1, 2], 1]);

  const source = new Recorder([1, 2, 3, 4]);
  const other = new App();
  other.handle(source, () => {}, { pipe: take(2) });
  other.handle(source, () => {}, { pipe: take(3) });
  await other.stream();
  assertEquals([source.handedOut, source.watermark, source.cancelled], [3, 3, 1]);
});

Deno.test("a pipe that takes nothing ends its flow without a message", async () => {
  const seen: number[] = [];
  const app = new App();
  app.handle([1, 2], (n: number) => void seen.push(n), { pipe: async function* () {} });
  await app.stream();
  assertEquals(seen, []);
});

Deno.test("a TransformStream that terminates ends its flow", async () => {
  const seen: number[] = [];
  const source = new Recorder([1, 2, 3]);
  const app = new App();
  app.handle(source, (n: number) => void seen.push(n), {
    pipe: new TransformStream<number, number>({
      transform(n, controller) {
        controller.enqueue(n);
        if (n === 2) controller.terminate();
      },
    }),
  });
  await app.stream();
  assertEquals([seen, source.watermark], [[1, 2], 2]);
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
    app.handle(source, (n: number) => void seen!.push(n), { pipe, name: "zip", onError: "skip" });
    app.handle(source, (n) => void beside!.push(n));
    const error = await assertRejects(() => app.stream(), PipeError, 'in flow "zip": no gzip');
    assertStrictEquals(error.cause, cause);
    assertEquals([kind, error.others], [kind, []]);
    const atEnd = kind.includes("flush") || kind.includes("end");
    assertEquals([kind, seen], [kind, atEnd ? [1, 2, 3] : [1]]);
    assertEquals([kind, beside], [kind, atEnd ? [1, 2, 3] : [1, 2]]);
    assertEquals([kind, source.watermark], [kind, atEnd ? 3 : 1]);
  }
});

Deno.test("a pipe function that throws at once, or returns no stream, is a PipeError", async () => {
  const app = new App();
  app.handle([1], (n: number) => n, {
    pipe: () => {
      throw new Error("no");
    },
  });
  await assertRejects(() => app.stream(), PipeError, "no");
  const other = new App();
  other.handle([1], (n: number) => n, { pipe: (() => [1]) as never });
  await assertRejects(
    () => other.stream(),
    PipeError,
    "a pipe function must return an async iterable or a TransformStream",
  );
});

Deno.test("a TransformStream used for a second run is an error that says what to do", async () => {
  const advice =
    "a TransformStream serves one flow in one run: give a pipe function that makes one";
  const asPipe = new App();
  asPipe.handle([1], (n: number) => n, { pipe: identity<number>() });
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
  app.handle([1], (n: number) => n, { pipe: stream });
  app.handle([2], (n: number) => n, { pipe: stream });
  await assertRejects(() => app.stream(), PipeError, "a TransformStream serves one flow");
});

Deno.test("a pipe function makes a pipe for each run", async () => {
  const seen: number[] = [];
  const app = new App();
  app.handle([1, 2], (n: number) => void seen.push(n), { pipe: () => identity<number>() });
  app.handle([3, 4], (n: number) => void seen.push(n), { pipe: take(1) });
  await app.stream();
  await app.stream();
  assertEquals(seen.toSorted(), [1, 1, 2, 2, 3, 3]);
});

Deno.test("a pipe that never ends after its source is ended by drainMs", async () => {
  const clock = new ManualClock();
  const controller = new AbortController();
  const stuck = Promise.withResolvers<void>();
  const app = new App({ clock });
  app.handle([1], (n: number) => n, {
    pipe: async function* (source: AsyncIterable<number>) {
      yield* source;
      stuck.resolve();
      await new Promise(() => {});
    },
  });
  const ended = assertRejects(
    () => app.stream({ signal: controller.signal, drainMs: 100 }),
    DrainError,
  );
  await stuck.promise;
  controller.abort();
  await clock.tick(100);
  await ended;
});

Deno.test("the generator of a pipe is closed when its handler fails", async () => {
  let closed = false;
  const app = new App();
  app.handle([1, 2], (_n: number) => {
    throw new Error("no");
  }, {
    pipe: async function* (source: AsyncIterable<number>) {
      try {
        yield* source;
      } finally {
        closed = true;
      }
    },
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
      app.handle(numbers(), () => {}, { pipe });
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
