import { assert, assertEquals, assertInstanceOf, assertStringIncludes } from "@std/assert";
import { Duplex, PassThrough, Writable } from "node:stream";
import { finished } from "node:stream/promises";
import { createWriteStream } from "node:fs";
import { createGzip } from "node:zlib";
import { App, closeAtEnd, deadLetter, SinkError } from "../../mod.ts";
import { Topic } from "../../src/kafka/mod.ts";
import { MemoryBroker } from "../../src/kafka/memory/mod.ts";
import { settle } from "../../src/testing/mod.ts";
import { committedOf, untilStopped } from "../_support/topic_app.ts";

/** A stream that is done with a chunk when it is told. */
function slow(highWaterMark = 16) {
  const written: unknown[] = [];
  const waiting: ((error?: Error) => void)[] = [];
  const stream = new Writable({
    objectMode: true,
    highWaterMark,
    write(chunk, _encoding, done) {
      waiting.push((error) => {
        if (!error) written.push(chunk);
        done(error);
      });
    },
  });
  return { stream, written, waiting };
}

Deno.test("a message is committed when the Writable of Node that is its sink is done with it", async () => {
  await using broker = new MemoryBroker();
  await using topic = new Topic("in", { broker, groupId: "g", offset: "earliest" });
  for (const value of ["a", "b", "c"]) await topic.send({ value });
  const { stream, written, waiting } = slow();
  const app = new App({ commit: { messages: 1 } });
  app.handle(topic, ({ value }) => value, { sink: stream });
  const { signal, stop } = untilStopped();
  const streaming = app.stream({ signal });
  while (waiting.length === 0) await settle();
  for (let turn = 0; turn < 20; turn++) await settle();
  assertEquals([waiting.length, stream.writableLength], [1, 1]); // nothing waits in its buffer
  waiting[0]!();
  while (waiting.length < 2) await settle();
  for (let turn = 0; turn < 20; turn++) await settle();
  assertEquals([written, await committedOf(topic)], [["a"], [1]]);
  waiting[1]!();
  while (waiting.length < 3) await settle();
  waiting[2]!();
  stop();
  await streaming;
  assertEquals([written, await committedOf(topic)], [["a", "b", "c"], [3]]);
  assertEquals([stream.writableEnded, stream.destroyed], [false, false]);
  assertEquals([stream.listenerCount("error"), stream.listenerCount("close")], [0, 0]);
});

Deno.test("an error of a Writable of Node is a SinkError and meets the policy", async () => {
  const { stream, waiting } = slow();
  const letters: unknown[] = [];
  const app = new App();
  app.handle(["a"], (text) => text, {
    sink: stream,
    onError: deadLetter((error) => letters.push(error)),
  });
  const streaming = app.stream();
  while (waiting.length === 0) await settle();
  waiting[0]!(new Error("disk full"));
  await streaming;
  const [error] = letters;
  assertInstanceOf(error, SinkError);
  assertEquals([error.output, (error.cause as Error).message], ["a", "disk full"]);
  assertStringIncludes(error.message, "sink 1 (Writable)");
});

Deno.test("a Writable of Node that fails between two values fails the next one", async () => {
  const stream = new Writable({ objectMode: true, write: (_chunk, _encoding, done) => done() });
  const app = new App();
  app.handle(["a", "b"], async (text) => {
    if (text === "a") return text;
    stream.destroy(new Error("reset"));
    await settle();
    return text;
  }, { sink: stream });
  const error = await app.stream().catch((error) => error);
  assertInstanceOf(error, SinkError);
  assertEquals([error.output, (error.cause as Error).message], ["b", "reset"]);
});

Deno.test("an error of a Writable of Node that no value has met fails the app at its end", async () => {
  const stream = new Writable({ objectMode: true, write: (_chunk, _encoding, done) => done() });
  const app = new App();
  app.handle(["a"], (text) => text, { sink: stream });
  app.onExit(async () => {
    stream.destroy(new Error("reset"));
    await settle();
  });
  assertEquals((await app.stream().catch((error) => error)).message, "reset");
});

for (const how of ["end", "destroy"] as const) {
  Deno.test(`a Writable of Node that is gone refuses a value with a clear error: ${how}`, async () => {
    const stream = new Writable({ objectMode: true, write: (_chunk, _encoding, done) => done() });
    stream[how]();
    const app = new App();
    app.handle(["a"], (text) => text, { sink: stream });
    const error = await app.stream().catch((error) => error);
    assertInstanceOf(error, SinkError);
    assertStringIncludes(
      error.message,
      how === "end" ? "the stream has ended" : "the stream has been destroyed",
    );
  });
}

Deno.test("a Writable of Node that is closed within a value does not hang the app", async () => {
  const { stream, waiting } = slow();
  const app = new App();
  app.handle(["a"], (text) => text, { sink: stream });
  const streaming = app.stream().catch((error) => error);
  while (waiting.length === 0) await settle();
  stream.destroy();
  assertInstanceOf(await streaming, SinkError);
});

Deno.test("a chunk that a Writable of Node does not take is an error that says so", async () => {
  for (const [chunk, says] of [[null, "null"], [{ a: 1 }, "must be of type string"]] as const) {
    const stream = new Writable({ write: (_chunk, _encoding, done) => done() });
    stream.on("error", () => {});
    const app = new App();
    app.handle([chunk], (value) => value as unknown, { sink: stream });
    const error = await app.stream().catch((error) => error);
    assertInstanceOf(error, SinkError);
    assertStringIncludes(error.message, says);
  }
});

Deno.test("two flows share one Writable of Node", async () => {
  const written: unknown[] = [];
  const stream = new Writable({
    objectMode: true,
    write: (chunk, _encoding, done) => void (written.push(chunk), setImmediate(done)),
  });
  const app = new App();
  app.handle(["a", "b"], (text) => text, { sink: stream });
  app.handle(["x", "y"], (text) => text, { sink: stream });
  await app.stream();
  assertEquals(written.toSorted(), ["a", "b", "x", "y"]);
});

Deno.test("a Duplex and a PassThrough are sinks: who reads them sets the pace", async () => {
  const pass = new PassThrough({ objectMode: true, highWaterMark: 1 });
  const app = new App();
  app.handle([1, 2, 3, 4], (n) => n, { sink: closeAtEnd(pass) });
  const [seen] = await Promise.all([Array.fromAsync(pass), app.stream()]);
  assertEquals(seen, [1, 2, 3, 4]);
  const taken: unknown[] = [];
  const duplex = new Duplex({
    objectMode: true,
    read() {},
    write: (chunk, _encoding, done) => void (taken.push(chunk), done()),
  });
  const other = new App();
  other.handle([1, 2], (n) => n, { sink: duplex });
  await other.stream();
  assertEquals(taken, [1, 2]);
});

Deno.test("closeAtEnd() ends a Writable of Node and waits until it has finished", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const file = createWriteStream(`${folder}/out.txt`);
    const gzip = createGzip();
    const packed = gzip.pipe(createWriteStream(`${folder}/out.gz`));
    const written = finished(packed);
    const app = new App();
    app.handle(["a", "b"], (text) => text, { sink: [closeAtEnd(file), closeAtEnd(gzip)] });
    await app.stream();
    assert(file.writableFinished);
    assertEquals(await Deno.readTextFile(`${folder}/out.txt`), "ab");
    await written;
    assert((await Deno.stat(`${folder}/out.gz`)).size > 0);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a file of Deno gets all bytes of a value, also where it takes only some at a time", async () => {
  const written: number[] = [];
  const file = {
    writable: new WritableStream<Uint8Array>(),
    write(bytes: Uint8Array) {
      const some = bytes.subarray(0, 2);
      written.push(...some);
      return Promise.resolve(some.length);
    },
  };
  const app = new App();
  app.handle([Uint8Array.of(1, 2, 3, 4, 5)], (bytes) => bytes, { sink: file });
  await app.stream();
  assertEquals(written, [1, 2, 3, 4, 5]);
});

Deno.test("a file of Deno that takes nothing is an error, not an endless loop", async () => {
  const file = { writable: new WritableStream<Uint8Array>(), write: () => Promise.resolve(0) };
  const app = new App();
  app.handle([Uint8Array.of(1)], (bytes) => bytes, { sink: file });
  const error = await app.stream().catch((error) => error);
  assertStringIncludes(error.message, "took none of the bytes");
});

Deno.test("a sink that returns a generator is an error: nobody would run it", async () => {
  const app = new App();
  app.handle(["a"], (text) => text, {
    sink: (text: string) =>
      function* () {
        yield text;
      }(),
  });
  const error = await app.stream().catch((error) => error);
  assertInstanceOf(error, SinkError);
  assertStringIncludes(error.message, "it returned a generator");
});
