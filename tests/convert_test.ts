import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { closing, merge, Proxy, toReadable, toTransform, toWritable } from "../mod.ts";
import { settle } from "../src/testing/mod.ts";
import { Recorder } from "./_support/recorder.ts";

/** A source that counts how often it was asked, and was closed. */
function counting(limit = Infinity) {
  const counts = { asked: 0, closed: 0 };
  function* source() {
    try {
      while (counts.asked < limit) yield ++counts.asked;
    } finally {
      counts.closed++;
    }
  }
  return { counts, source: source() };
}

/** Says whether a promise has settled once everything that is ready has run. */
async function settled(promise: Promise<unknown>): Promise<boolean> {
  let done = false;
  promise.then(() => done = true, () => done = true);
  await settle();
  return done;
}

// toReadable

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

Deno.test("toReadable() refuses what is no source at once", () => {
  assertThrows(
    () => toReadable(7 as never),
    TypeError,
    "the source must be iterable, a ReadableStream or a source of ours, got 7",
  );
});

// toTransform

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

Deno.test("toTransform() flushes what is under way before it closes", async () => {
  const { readable, writable } = toTransform(async (n: number) => {
    await settle();
    return n;
  });
  const writer = writable.getWriter();
  const closed = Promise.all([writer.write(1), writer.write(2), writer.close()]);
  assertEquals(await Array.fromAsync(readable), [1, 2]);
  await closed;
});

Deno.test("toTransform() refuses what is no handler at once", () => {
  assertThrows(() => toTransform(7 as never), TypeError, "the handler must be a function");
});

// toWritable

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

Deno.test("toWritable() leaves a WritableStream open, and closes one in closing()", async () => {
  for (const close of [false, true]) {
    let closed = 0;
    const chunks: number[] = [];
    const stream = new WritableStream<number>({
      write: (chunk) => void chunks.push(chunk),
      close: () => void closed++,
    });
    await toReadable([1]).pipeTo(toWritable(close ? closing(stream) : stream));
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

Deno.test("toWritable() refuses what is no sink at once", () => {
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
