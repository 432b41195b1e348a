import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { App, PipeError, sequential, untilEnd } from "../../mod.ts";
import { settle } from "../../src/testing/mod.ts";
import { Recorder } from "../_support/recorder.ts";
import { identity } from "../_support/identity.ts";

async function* same<T>(source: AsyncIterable<T>): AsyncGenerator<T> {
  for await (const message of source) yield message;
}

/** Asks for two messages at once, so that it holds none when it asks. */
async function* inPairs<T>(source: AsyncIterable<T>): AsyncGenerator<T[]> {
  const messages = source[Symbol.asyncIterator]();
  for (;;) {
    const [a, b] = await Promise.all([messages.next(), messages.next()]);
    if (a.done) return;
    yield b.done ? [a.value] : [a.value, b.value];
  }
}

Deno.test("a pipe over async iterables stands between source and handler", async () => {
  const seen: number[][] = [];
  const app = new App();
  app.handle([1, 2, 3, 4], inPairs, (pair: number[]) => void seen.push(pair));
  await app.stream();
  assertEquals(seen, [[1, 2], [3, 4]]);
});

Deno.test("a TransformStream as pipe stands between source and handler", async () => {
  const sizes: number[] = [];
  const app = new App();
  app.handle(
    ["a", "grüße"],
    new TextEncoderStream(),
    (bytes: Uint8Array) => void sizes.push(bytes.length),
  );
  await app.stream();
  assertEquals(sizes, [1, 7]);
});

Deno.test("an identity TransformStream as pipe passes every message on (deno#36790)", async () => {
  const numbers = Array.from({ length: 600 }, (_, index) => index);
  const seen: number[] = [];
  const app = new App();
  app.handle(numbers, new TransformStream<number, number>(), (n: number) => void seen.push(n));
  await app.stream();
  assertEquals(seen, numbers);
});

Deno.test("several pipes are passed one after the other", async () => {
  const seen: string[] = [];
  const app = new App();
  app.handle(
    [1, 2, 3],
    identity<number>(),
    inPairs<number>,
    async function* (source: AsyncIterable<number[]>) {
      for await (const pair of source) yield pair.join("+");
    },
    (text: string) => void seen.push(text),
  );
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
    app.handle(source, inPairs<number>, flushing, (text: string) => void seen.push(text));
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
    app.handle(source, pipe, (n: number) => n, {
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
    const ackedTo: number[] = [];
    const app = new App();
    app.handle(source, sequential(pipe), (n: number) => n, {
      sink: async () => {
        await settle();
        ackedTo.push(source.ackedTo);
      },
    });
    await app.stream();
    assertEquals(ackedTo, [0, 1, 2]);
    assertEquals(source.acknowledged, [0, 1, 2]);
  }
});

Deno.test("messages that a pipe holds back stay unacknowledged until they come out", async () => {
  const source = new Recorder([1, 2, 3, 4, 5]);
  const seen: unknown[] = [];
  const app = new App();
  app.handle(source, sequential(inPairs<number>), async (pair: number[]) => {
    await settle();
    seen.push([pair, source.ackedTo]);
  });
  await app.stream();
  assertEquals(seen, [[[1, 2], 0], [[3, 4], 2], [[5], 4]]);
  assertEquals(source.ackedTo, 5);
});

Deno.test("messages that a sequential pipe drops are acknowledged when it asks for the next", async () => {
  const even = {
    function: async function* (source: AsyncIterable<number>) {
      for await (const n of source) if (n % 2 === 0) yield n;
    },
    stream: new TransformStream<number, number>({
      transform: (n, controller) => void (n % 2 === 0 && controller.enqueue(n)),
    }),
  };
  for (const pipe of Object.values(even)) {
    const source = new Recorder([1, 2, 3, 4, 5]);
    const seen: unknown[] = [];
    const app = new App();
    app.handle(source, sequential(pipe), (n: number) => void seen.push([n, source.ackedTo]));
    await app.stream();
    assertEquals(seen, [[2, 1], [4, 3]]);
    assertEquals(source.ackedTo, 5);
  }
});

Deno.test("a pipe untilEnd() has its messages acknowledged when it ends, and not before", async () => {
  const source = new Recorder([3, 1, 2]);
  const seen: unknown[] = [];
  const app = new App();
  app.handle(
    source,
    untilEnd(async function* (source: AsyncIterable<number>) {
      for await (const n of source) yield n;
      yield 4;
    }),
    (n: number) => void seen.push([n, source.ackedTo]),
  );
  await app.stream();
  assertEquals(seen, [[3, 0], [1, 0], [2, 0], [4, 0]]);
  assertEquals(source.ackedTo, 3);
});

Deno.test("a pipe untilEnd() that fails has nothing acknowledged", async () => {
  const source = new Recorder([1, 2]);
  const app = new App();
  app.handle(
    source,
    untilEnd(async function* (source: AsyncIterable<number>) {
      yield* source;
      throw new Error("no");
    }),
    () => {},
  );
  await assertRejects(() => app.stream(), PipeError, "no");
  assertEquals([source.acknowledged, source.committed], [[], []]);
});

Deno.test("a sequential pipe acknowledges nothing that it has put out and nobody has read", async () => {
  const source = new Recorder([1, 2, 3]);
  const seen: unknown[] = [];
  const app = new App();
  app.handle(
    source,
    sequential((source: AsyncIterable<number>) => {
      const messages = source[Symbol.asyncIterator]();
      let asked = messages.next();
      return {
        [Symbol.asyncIterator]: () => ({
          async next() {
            const result = await asked;
            if (!result.done) asked = messages.next();
            return result;
          },
        }),
      };
    }),
    async (n: number) => {
      await settle();
      seen.push([n, source.ackedTo]);
    },
  );
  await app.stream();
  assertEquals(seen, [[1, 0], [2, 1], [3, 2]]);
  assertEquals(source.ackedTo, 3);
});

Deno.test("a sequential pipe serves as handler", async () => {
  const source = new Recorder([1, 2]);
  const seen: unknown[] = [];
  const app = new App();
  app.handle(source, sequential(identity<number>()), {
    sink: (n) => void seen.push([n, source.ackedTo]),
  });
  await app.stream();
  assertEquals(seen, [[1, 0], [2, 1]]);
  assertEquals(source.ackedTo, 2);
});

Deno.test("sequential() and untilEnd() refuse values that are not a pipe", () => {
  for (const promise of [sequential, untilEnd]) {
    assertThrows(
      () => promise([1] as never),
      TypeError,
      `Cannot promise that a pipe is ${promise.name}: it must be a function over async iterables`,
    );
  }
});

Deno.test("two pipes in a row acknowledge what came out of both", async () => {
  const source = new Recorder([1, 2, 3, 4, 5, 6, 7, 8]);
  const seen: unknown[] = [];
  const app = new App();
  app.handle(
    source,
    sequential(inPairs<number>),
    sequential(inPairs<number[]>),
    async (pairs: number[][]) => {
      await settle();
      seen.push([pairs.flat(), source.ackedTo]);
    },
  );
  await app.stream();
  assertEquals(seen, [[[1, 2, 3, 4], 0], [[5, 6, 7, 8], 4]]);
  assertEquals(source.ackedTo, 8);
});

Deno.test("a pipe beside a plain flow keeps the source in lock-step", async () => {
  const source = new Recorder([1, 2]);
  const seen: string[] = [];
  const app = new App();
  app.handle(source, sequential(same<number>), (n: number) => void seen.push(`piped ${n}`));
  app.handle(source, (n) => void seen.push(`plain ${n}`));
  await app.stream();
  assertEquals(seen, ["plain 1", "piped 1", "plain 2", "piped 2"]);
  assertEquals(source.ackedTo, 2);
});
