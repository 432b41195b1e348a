import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { Duplex, Readable, Writable } from "node:stream";
import { App, Cache, MemoryCache, Proxy, replayable } from "../../mod.ts";
import { Topic } from "../../src/kafka/mod.ts";

/** The error of a source, a sink, a pipe or a handler that does not fit. */
function refusal(role: "source" | "sink" | "pipe" | "handler", value: unknown): string {
  const app = new App();
  const error = assertThrows(() => {
    if (role === "source") app.handle(value as string, () => {});
    else if (role === "handler") app.handle("", value as () => void);
    else if (role === "pipe") app.handle("", value as () => AsyncIterable<string>, () => {});
    else app.handle("", () => {}, { [role]: value } as never);
  }, TypeError);
  return error.message;
}

async function* numbers() {
  yield 1;
}

const socket = Object.create(WebSocket.prototype);
class EventSource extends EventTarget {}

const sources: [unknown, string][] = [
  [Promise.resolve([1]), "got an object of class Promise: await it"],
  [new Response("a"), "give its body"],
  [new Blob(["a"]), "give its stream()"],
  [numbers, "got the function numbers: call it: numbers()"],
  [Topic, "it is a class: give an instance, new Topic(…)"],
  [new TransformStream(), "give its readable"],
  [new WritableStream(), "a WritableStream is a sink"],
  [new Writable(), "a Writable is a sink"],
  [new ReadableStream().getReader(), "release its lock, and give the stream itself"],
  [{ next: () => ({ done: true }) }, "an iterator needs [Symbol.asyncIterator]()"],
  [{ a: 1 }, "give Object.entries(value), to read it as one message [value]"],
  [7, "give a list: [value]"],
  [undefined, "is it assigned before"],
  [new EventTarget(), "target.addEventListener"],
  [socket, "socket.onmessage"],
  [new EventSource(), "source.onmessage"],
];
for (const [value, says] of sources) {
  Deno.test(`a source that is not one says what to write: ${says}`, () => {
    assertStringIncludes(refusal("source", value), says);
  });
}

const channel = new BroadcastChannel("advice");
channel.close();
const sinks: [unknown, string][] = [
  [Promise.resolve(console.log), "await it"],
  [console, "give console.log"],
  [Proxy, "it is a class: give an instance, new Proxy(…)"],
  [numbers, "a generator runs only while it is iterated"],
  [numbers(), "a generator runs only while it is iterated"],
  [new TransformStream(), "give its writable, and read its readable"],
  [new ReadableStream(), "a ReadableStream is a source"],
  [new Response(), "new Response(toReadable(source))"],
  [socket, "(value) => socket.send(value)"],
  [new EventTarget(), "target.dispatchEvent"],
  [channel, "(value) => port.postMessage(value)"],
  [new Map(), "([key, value]) => map.set(key, value)"],
  [new Set(), "(value) => set.add(value)"],
  [[[]], "(value) => array.push(value)"],
  ["out.txt", "open what it names, and give the stream"],
  [{ enqueue() {} }, "(value) => controller.enqueue(value)"],
  [{ run() {} }, "(value) => it.run(value)"],
  [Cache, "it is a class: give an instance, await Cache.open(…)"],
  [MemoryCache, "it is a class: give an instance, new MemoryCache(…)"],
  [{ send() {} }, "(value) => it.send(value)"],
  [null, "is it assigned before"],
];
for (const [value, says] of sinks) {
  Deno.test(`a sink that is not one says what to write: ${says}`, () => {
    assertStringIncludes(refusal("sink", value), says);
  });
}

const duplex = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
const stages: [unknown, string][] = [
  [duplex, "Duplex.toWeb(stream)"],
  [new ReadableStream(), "it has one side"],
  [Promise.resolve(() => {}), "await it"],
  [numbers(), "it has been called: give the function itself"],
];
for (const [value, says] of stages) {
  Deno.test(`a pipe or a handler that is not one says what to write: ${says}`, () => {
    assertStringIncludes(refusal("pipe", value), says);
    assertStringIncludes(refusal("handler", value), says);
  });
}

for (const name of ["socket", "source"] as const) {
  Deno.test(`the source that an error shows for what calls back runs: ${name}`, async () => {
    const message = refusal("source", name === "socket" ? socket : new EventSource());
    const code = /give (new ReadableStream\(.*\))$/.exec(message)![1]!;
    const target = {} as Record<string, (event?: { data: string }) => void>;
    const stream = new Function(name, `return ${code}`)(target) as ReadableStream<string>;
    target.onmessage!({ data: "a" });
    target.onmessage!({ data: "b" });
    target.onclose?.();
    const app = new App();
    const seen: string[] = [];
    const stop = new AbortController();
    app.handle(stream, (text) => {
      seen.push(text);
      if (seen.length === 2) stop.abort();
    });
    await app.stream({ signal: stop.signal });
    assertEquals(seen, ["a", "b"]);
  });
}

Deno.test("what Duplex.toWeb() gives is a pipe, and a Readable of Node a source", async () => {
  const app = new App();
  const seen: unknown[] = [];
  app.handle(Readable.from(["a", "b"]), (text) => text, { sink: (text) => seen.push(text) });
  await app.stream();
  assertEquals(seen, ["a", "b"]);
});

Deno.test("a state that is not opened yet says to await it", () => {
  const state = Promise.resolve(new MemoryCache({ maxBytes: Infinity })) as never;
  const error = assertThrows(() => new App().handle("", () => {}, { name: "f", state }), TypeError);
  assertStringIncludes(error.message, "current value is an object of class Promise: await it");
});

Deno.test("new Cache() says how a cache is opened", () => {
  const open = Cache as unknown as new (path: string) => Cache;
  assertThrows(() => new open("state"), TypeError, "write await Cache.open(path)");
});

Deno.test("a replayable() whose read() gives a promise of a list says what to make it", async () => {
  const app = new App();
  const read = (() => Promise.resolve([1])) as never;
  app.handle(replayable({ name: "list", read, position: (n: number) => n }), () => {});
  const says = "got an object of class Promise: make it an async function*";
  await assertRejects(() => app.stream(), Error, says);
});

Deno.test("a [Symbol.asyncIterator]() that is async itself is told", async () => {
  const app = new App();
  const source = { [Symbol.asyncIterator]: () => Promise.resolve([1].values()) } as never;
  app.handle(source, () => {});
  const says = "[Symbol.asyncIterator]() must not be async";
  await assertRejects(() => app.stream(), Error, says);
});
