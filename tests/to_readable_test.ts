import { assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { merge, Proxy, toReadable } from "../mod.ts";
import { settle } from "../src/testing/mod.ts";
import { Recorder } from "./_support/recorder.ts";
import { counting } from "./_support/converted.ts";

Deno.test("toReadable() gives each message of any source as a chunk", async () => {
  const asyncSource = (async function* () {
    yield 1;
    yield 2;
  })();
  for (const source of [[1, 2], new Set([1, 2]), asyncSource, ReadableStream.from([1, 2])]) {
    assertEquals(await Array.fromAsync(toReadable<number>(source)), [1, 2]);
  }
  assertEquals(await Array.fromAsync(toReadable(merge("ab", "xy"))), ["a", "x", "b", "y"]);
});

Deno.test("toReadable() gives messages as they are: undefined, promises' values, lists", async () => {
  assertEquals(await Array.fromAsync(toReadable([undefined, null, [1]])), [undefined, null, [1]]);
  const [generator] = await Array.fromAsync(toReadable([counting().source]));
  assertEquals(generator!.next().value, 1);
});

Deno.test("toReadable() reads nothing ahead: the source is asked when the stream is", async () => {
  const { counts, source } = counting();
  const reader = toReadable(source).getReader();
  await settle();
  assertEquals(counts.asked, 0);
  for (const n of [1, 2, 3]) {
    assertEquals(await reader.read(), { done: false, value: n });
    await settle();
    assertEquals(counts.asked, n);
  }
  await reader.cancel();
});

Deno.test("toReadable() answers several reads at once in their order", async () => {
  const reader = toReadable(["a", "b"]).getReader();
  const reads = await Promise.all([reader.read(), reader.read(), reader.read()]);
  assertEquals(reads.map(({ value }) => value), ["a", "b", undefined]);
  assertEquals(reads.map(({ done }) => done), [false, false, true]);
});

Deno.test("toReadable() acknowledges a message when the next one is asked for", async () => {
  const source = new Recorder(["a", "b"]);
  const reader = toReadable(source).getReader();
  await reader.read();
  await settle();
  assertEquals(source.acknowledged, []);
  await reader.read();
  assertEquals(source.acknowledged, [0]);
  await reader.cancel();
  assertEquals([source.acknowledged, source.cancelled], [[0], 1]);
});

Deno.test("toReadable() closes at the end of the source, with everything acknowledged", async () => {
  const source = new Recorder(["a", "b"]);
  const reader = toReadable(source).getReader();
  for (let read = 0; read < 3; read++) await reader.read();
  await reader.closed;
  assertEquals([source.acknowledged, source.committed, source.cancelled], [[0, 1], [2], 1]);
});

Deno.test("toReadable() closes the source when it is cancelled, read or between reads", async () => {
  const { counts, source } = counting();
  const stream = toReadable(source);
  for await (const n of stream) if (n === 2) break;
  assertEquals(counts, { asked: 2, closed: 1 });
});

Deno.test("toReadable() is cancelled while the source is silent", async () => {
  let cancelled = 0;
  const silent = new ReadableStream<number>({
    pull: () => new Promise(() => {}),
    cancel: () => void cancelled++,
  }, { highWaterMark: 0 });
  const reader = toReadable(silent).getReader();
  const read = reader.read();
  await settle();
  await reader.cancel();
  assertEquals([await read, cancelled], [{ done: true, value: undefined }, 1]);
});

Deno.test("toReadable() passes the reason of a cancel on, read, unread and between reads", async () => {
  for (const reads of [0, 1]) {
    for (const kind of ["stream", "iterator", "async iterator"]) {
      const reasons: unknown[] = [];
      const end = (reason: unknown) => (reasons.push(reason), { done: true, value: undefined });
      const iterator = { next: () => ({ done: false, value: 1 }), return: end };
      const source = kind === "stream"
        ? new ReadableStream({ pull: (stream) => stream.enqueue(1), cancel: (r) => void end(r) })
        : { [kind === "iterator" ? Symbol.iterator : Symbol.asyncIterator]: () => iterator };
      const reader = toReadable(source as ReadableStream<number>).getReader();
      for (let read = 0; read < reads; read++) await reader.read();
      const reason = new Error("enough");
      await reader.cancel(reason);
      assertEquals([kind, reads, reasons], [kind, reads, [reason]]);
      assertStrictEquals(reasons[0], reason);
    }
  }
});

Deno.test("toReadable() fails with the first of two errors of one tick, and the other in its others", async () => {
  const gate = Promise.withResolvers<void>();
  // deno-lint-ignore require-yield
  const failing = async function* (name: string): AsyncGenerator<number> {
    await gate.promise;
    throw new Error(name);
  };
  const reading = toReadable(merge(failing("a"), failing("b"))).getReader().read();
  gate.resolve();
  const error = await assertRejects(() => reading, Error, "a") as Error & { others: Error[] };
  assertEquals(error.others.map(({ message }) => message), [
    'Cannot read the source in flow "a stream": b',
  ]);
});

Deno.test("toReadable() fails with what the source threw", async () => {
  const cause = new Error("no more");
  const reader = toReadable((function* () {
    yield 1;
    throw cause;
  })()).getReader();
  assertEquals((await reader.read()).value, 1);
  assertStrictEquals(await assertRejects(() => reader.read()), cause);
  assertStrictEquals(await assertRejects(() => reader.closed), cause);
});

Deno.test("toReadable() reads what user code sends to a Proxy, until that is closed", async () => {
  const proxy = new Proxy<number>();
  const reader = toReadable(proxy).getReader();
  const read = reader.read();
  await proxy.send(7);
  assertEquals((await read).value, 7);
  proxy.close();
  assertEquals((await reader.read()).done, true);
});

Deno.test("toReadable() cancels a stream that it has not read yet", async () => {
  const reasons: string[] = [];
  const stream = new ReadableStream({ cancel: () => void reasons.push("cancelled") });
  await toReadable(stream).cancel();
  assertEquals([reasons, stream.locked], [["cancelled"], false]);
});

Deno.test("toReadable() refuses values that are not a source at once", () => {
  assertThrows(
    () => toReadable(7 as never),
    TypeError,
    "the source must be iterable, a ReadableStream or a library source, got 7",
  );
});
