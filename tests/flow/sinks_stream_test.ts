import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { App, closeAtEnd, HandlerError, SinkError } from "../../mod.ts";
import { settle } from "../../src/testing/mod.ts";

/** A stream that keeps what is written to it, and how it ended. */
function recording<T>(strategy?: QueuingStrategy<T>) {
  const chunks: T[] = [];
  const ends: unknown[] = [];
  const stream = new WritableStream<T>({
    write: (chunk) => void chunks.push(chunk),
    close: () => void ends.push("closed"),
    abort: (reason) => void ends.push(reason),
  }, strategy);
  return { stream, chunks, ends };
}

Deno.test("a WritableStream as sink gets every value and is released, not closed", async () => {
  const { stream, chunks, ends } = recording<number>();
  const app = new App();
  app.handle([1, 2], (n) => n * 10, { sink: stream });
  await app.stream();
  assertEquals([chunks, ends, stream.locked], [[10, 20], [], false]);
  await stream.close();
});

Deno.test("closeAtEnd() closes its WritableStream at the end", async () => {
  const { stream, chunks, ends } = recording<number>();
  const app = new App();
  app.handle([1, 2], (n) => n, { sink: closeAtEnd(stream) });
  await app.stream();
  assertEquals([chunks, ends, stream.locked], [[1, 2], ["closed"], false]);
});

Deno.test("closeAtEnd() closes its WritableStream also when the app fails", async () => {
  const { stream, ends } = recording<number>();
  const app = new App();
  app.handle([1], () => {
    throw new Error("no");
  }, { sink: closeAtEnd(stream) });
  await assertRejects(() => app.stream(), HandlerError);
  assertEquals(ends, ["closed"]);
});

Deno.test("a WritableStream shared by two flows gets the values of both, each once", async () => {
  for (const shared of [false, true]) {
    const { stream, chunks, ends } = recording<number>();
    const sink = shared ? closeAtEnd(stream) : stream;
    const app = new App();
    app.handle([1, 2], (n) => n, { sink });
    app.handle([3, 4], (n) => n, { sink });
    await app.stream();
    assertEquals(chunks.toSorted(), [1, 2, 3, 4]);
    assertEquals(ends, shared ? ["closed"] : []);
    assertEquals(stream.locked, false);
  }
});

Deno.test("a WritableStream is backpressure: its next value waits for the write before", async () => {
  const gates: (() => void)[] = [];
  const stream = new WritableStream<number>({
    write: () => new Promise<void>((resolve) => gates.push(resolve)),
  });
  let handled = 0;
  const app = new App();
  app.handle([1, 2], (n) => {
    handled++;
    return n;
  }, { sink: stream });
  const streaming = app.stream();
  await settle();
  assertEquals([handled, gates.length], [1, 1]);
  gates[0]!();
  await settle();
  assertEquals([handled, gates.length], [2, 2]);
  gates[1]!();
  await streaming;
});

Deno.test("a WritableStream that is shared takes a value only when it is ready for it", async () => {
  const writes: (() => void)[] = [];
  let accepted = 0;
  const stream = new WritableStream<number>({
    write: () => new Promise<void>((resolve) => writes.push(resolve)),
  }, {
    highWaterMark: 1,
    size: () => {
      accepted++;
      return 1;
    },
  });
  const app = new App();
  app.handle([1], (n) => n, { sink: stream });
  app.handle([2], (n) => n, { sink: stream });
  const streaming = app.stream();
  await settle();
  assertEquals([accepted, writes.length], [1, 1]);
  writes[0]!();
  await settle();
  assertEquals([accepted, writes.length], [2, 2]);
  writes[1]!();
  await streaming;
});

Deno.test("a WritableStream that fails is a SinkError, reported once", async () => {
  for (const close of [false, true]) {
    const cause = new Error("disk full");
    const stream = new WritableStream<number>({
      write: (n) => {
        if (n === 2) throw cause;
      },
    });
    const app = new App();
    app.handle([1, 2, 3], (n) => n, { sink: close ? closeAtEnd(stream) : stream, name: "disk" });
    const error = await assertRejects(() => app.stream(), SinkError, 'in flow "disk"');
    assertStrictEquals(error.cause, cause);
    assertEquals([error.output, error.input, error.others], [2, 2, []]);
  }
});

Deno.test("closeAtEnd() reports an error of its WritableStream that no write has met", async () => {
  const cause = new Error("disk gone");
  const stream = new WritableStream<number>({
    close: () => {
      throw cause;
    },
  });
  const app = new App();
  app.handle([1], (n) => n, { sink: closeAtEnd(stream) });
  assertStrictEquals(await assertRejects(() => app.stream()), cause);
});

Deno.test("a sink that is locked is a TypeError naming the flow and the sink", async () => {
  const { stream } = recording<number>();
  stream.getWriter();
  const closed: string[] = [];
  const app = new App();
  app.handle([1], (n) => n, {
    name: "copy",
    sink: [{ write: () => {}, close: () => void closed.push("first") }, stream],
  });
  const error = await assertRejects(() => app.stream(), TypeError);
  assert(error.message.startsWith('Cannot open sink 2 (WritableStream) of flow "copy": '));
  assertInstanceOf(error.cause, TypeError);
  assertEquals(closed, ["first"]);
});
