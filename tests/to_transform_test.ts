import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { toReadable, toTransform } from "../mod.ts";
import { settle } from "../src/testing/mod.ts";
import { counting, settled } from "./_support/converted.ts";

Deno.test("toTransform() gives each result of the handler as a chunk", async () => {
  const transform = toTransform(function* (n: number) {
    yield n;
    yield undefined;
    yield `${n}`;
  });
  const chunks = await Array.fromAsync(toReadable([1, 2]).pipeThrough(transform));
  assertEquals(chunks, [1, "1", 2, "2"]);
});

Deno.test("toTransform() passes nothing on for undefined, and closes at the end", async () => {
  const odd = toTransform((n: number) => n % 2 ? n : undefined);
  assertEquals(await Array.fromAsync(toReadable([1, 2, 3, 4]).pipeThrough(odd)), [1, 3]);
});

Deno.test("toTransform() is backpressure: a write waits until its results are read", async () => {
  const { readable, writable } = toTransform(function* (n: number) {
    yield n;
    yield n * 10;
  });
  const [writer, reader] = [writable.getWriter(), readable.getReader()];
  const written = writer.write(1);
  assertEquals(await settled(written), false);
  assertEquals((await reader.read()).value, 1);
  assertEquals(await settled(written), false);
  assertEquals((await reader.read()).value, 10);
  await written;
  const closed = writer.close();
  assertEquals((await reader.read()).done, true);
  await closed;
});

Deno.test("toTransform() asks the stream before it for nothing ahead of its reader", async () => {
  const { counts, source } = counting();
  const reader = toReadable(source).pipeThrough(toTransform((n: number) => n)).getReader();
  for (let read = 0; read < 3; read++) await reader.read();
  await settle();
  assert(counts.asked <= 5, `${counts.asked} were asked for`); // one in the handler, one on its way
  await reader.cancel();
});

Deno.test("toTransform() fails on both sides with what the handler threw", async () => {
  const cause = new Error("no");
  const { readable, writable } = toTransform((_n: number) => {
    throw cause;
  });
  const [writer, reader] = [writable.getWriter(), readable.getReader()];
  const read = assertRejects(() => reader.read());
  assertStrictEquals(await assertRejects(() => writer.write(1)), cause);
  assertStrictEquals(await read, cause);
  assertStrictEquals(await assertRejects(() => writer.closed), cause);
});

Deno.test("toTransform() passes an error of the stream before it on to its reader", async () => {
  const cause = new Error("no more");
  const failing = toReadable((function* () {
    yield 1;
    throw cause;
  })());
  const reader = failing.pipeThrough(toTransform((n: number) => n)).getReader();
  assertEquals((await reader.read()).value, 1);
  assertStrictEquals(await assertRejects(() => reader.read()), cause);
});

Deno.test("toTransform() fails its reader when its writable side is aborted, also unread", async () => {
  const reason = new Error("enough");
  let closed = false;
  const { readable, writable } = toTransform(function* (n: number) {
    try {
      yield n;
      yield n;
    } finally {
      closed = true;
    }
  });
  const [writer, reader] = [writable.getWriter(), readable.getReader()];
  const written = writer.write(1).catch(() => {});
  assertEquals((await reader.read()).value, 1);
  await writer.abort(reason);
  await written;
  assertStrictEquals(await assertRejects(() => reader.read()), reason);
  assertEquals(closed, true);
});

Deno.test("toTransform() refuses writes when its readable side is cancelled", async () => {
  const reason = new Error("enough");
  const calls: number[] = [];
  const { readable, writable } = toTransform((n: number) => {
    calls.push(n);
    return n;
  });
  const [writer, reader] = [writable.getWriter(), readable.getReader()];
  const written = assertRejects(() => writer.write(1));
  await settle();
  await reader.cancel(reason);
  assertStrictEquals(await written, reason);
  assertStrictEquals(await assertRejects(() => writer.closed), reason);
  assertEquals(calls, [1]);
});

Deno.test("toTransform() cancelled in the middle of a chain closes the source before it", async () => {
  const { counts, source } = counting();
  const chain = toReadable(source)
    .pipeThrough(toTransform((n: number) => n * 2))
    .pipeThrough(toTransform((n: number) => `${n}`));
  for await (const text of chain) if (text === "4") break;
  await settle();
  assertEquals(counts.closed, 1);
});

Deno.test("toTransform() flushes what is in flight before it closes", async () => {
  const { readable, writable } = toTransform(async (n: number) => {
    await settle();
    return n;
  });
  const writer = writable.getWriter();
  const closed = Promise.all([writer.write(1), writer.write(2), writer.close()]);
  assertEquals(await Array.fromAsync(readable), [1, 2]);
  await closed;
});

Deno.test("toTransform() refuses values that are not a handler at once", () => {
  assertThrows(() => toTransform(7 as never), TypeError, "the handler must be a function");
});
