import { assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { closeAtEnd, toReadable, toTransform, toWritable } from "../mod.ts";
import { settle } from "../src/testing/mod.ts";
import { counting, settled } from "./_support/converted.ts";

Deno.test("toWritable() gives each chunk to all sinks, in their order", async () => {
  const events: string[] = [];
  const writable = toWritable<number>([async (n) => {
    await settle();
    events.push(`slow ${n}`);
  }, (n) => void events.push(`quick ${n}`)]);
  await toReadable([1, 2]).pipeTo(writable);
  assertEquals(events, ["slow 1", "quick 1", "slow 2", "quick 2"]);
});

Deno.test("toWritable() is backpressure: a write resolves when every sink is done", async () => {
  const done = Promise.withResolvers<void>();
  const writer = toWritable<number>([() => done.promise, () => {}]).getWriter();
  const written = writer.write(1);
  assertEquals(await settled(written), false);
  done.resolve();
  await written;
  await writer.close();
});

Deno.test("toWritable() resolves close() after its sinks are flushed and closed", async () => {
  const events: string[] = [];
  const writer = toWritable<number>({
    write: (n) => void events.push(`write ${n}`),
    flush: async () => {
      await settle();
      events.push("flush");
    },
    close: async () => {
      await settle();
      events.push("close");
    },
  }).getWriter();
  await writer.write(1);
  await writer.close();
  events.push("closed");
  assertEquals(events, ["write 1", "flush", "close", "closed"]);
});

Deno.test("toWritable() closes without a chunk", async () => {
  await toWritable(() => {}).close();
});

Deno.test("toWritable() leaves a WritableStream open, and closes one in closeAtEnd()", async () => {
  for (const close of [false, true]) {
    let closed = 0;
    const chunks: number[] = [];
    const stream = new WritableStream<number>({
      write: (chunk) => void chunks.push(chunk),
      close: () => void closed++,
    });
    await toReadable([1]).pipeTo(toWritable(close ? closeAtEnd(stream) : stream));
    assertEquals([chunks, closed, stream.locked], [[1], close ? 1 : 0, false]);
  }
});

Deno.test("toWritable() fails with what a sink threw, and cancels the stream before it", async () => {
  const cause = new Error("full");
  const { counts, source } = counting();
  const piped = toReadable(source).pipeTo(toWritable((n) => {
    if (n === 2) throw cause;
  }));
  assertStrictEquals(await assertRejects(() => piped), cause);
  assertEquals(counts, { asked: 2, closed: 1 });
});

Deno.test("toWritable() fails when a sink rejects, and refuses further writes", async () => {
  const cause = new Error("full");
  const writer = toWritable(() => Promise.reject(cause)).getWriter();
  assertStrictEquals(await assertRejects(() => writer.write(1)), cause);
  assertStrictEquals(await assertRejects(() => writer.write(2)), cause);
  assertStrictEquals(await assertRejects(() => writer.closed), cause);
});

Deno.test("toWritable() reports an error of the last flush by close()", async () => {
  const cause = new Error("cannot close");
  const writer = toWritable<number>({ write: () => {}, close: () => Promise.reject(cause) })
    .getWriter();
  await writer.write(1);
  const closed = assertRejects(() => writer.closed);
  assertStrictEquals(await assertRejects(() => writer.close()), cause);
  assertStrictEquals(await closed, cause);
});

Deno.test("toWritable() writes nothing more after an abort, and closes its sinks", async () => {
  const events: unknown[] = [];
  const writer = toWritable<number>({
    write: (n) => events.push(n),
    close: () => void events.push("close"),
  }).getWriter();
  await writer.write(1);
  const closed = assertRejects(() => writer.closed);
  await writer.abort(new Error("enough"));
  await assertRejects(() => writer.write(2), Error, "enough");
  await closed;
  assertEquals(events, [1, "close"]);
});

Deno.test("toWritable() gives undefined to no sink", async () => {
  const chunks: unknown[] = [];
  await toReadable([undefined, 1]).pipeTo(toWritable((chunk: unknown) => void chunks.push(chunk)));
  assertEquals(chunks, [1]);
});

Deno.test("toWritable() refuses values that are not a sink at once", () => {
  assertThrows(() => toWritable(7 as never), TypeError, "the sink must be a function");
});

Deno.test("hand-made chains work with the platform's own streams", async () => {
  const words: string[] = [];
  await ReadableStream.from(["slip", "stream"])
    .pipeThrough(toTransform((text: string) => text.toUpperCase()))
    .pipeThrough(new TextEncoderStream())
    .pipeThrough(new TextDecoderStream())
    .pipeTo(toWritable((text: string) => void words.push(text)));
  assertEquals(words.join(""), "SLIPSTREAM");
});
