import { openFeed, openSink } from "../source/feed.ts";
import { Aggregation } from "../stage/aggregation.ts";
import { isNodeWritable } from "../stage/node_writable.ts";

/** What a value was given as. */
export type Role = "source" | "sink" | "pipe" | "handler" | "state";

/** What to write instead of a value that does not fit; empty where nobody can know what was meant. */
export function advice(value: unknown, role: Role): string {
  const write = known(value, role);
  return write === undefined ? "" : `: ${write}`;
}

function known(value: unknown, role: Role): string | undefined {
  if (value === undefined || value === null) {
    return "is it assigned before this call, and does the function that makes it return it?";
  }
  if (typeof value === "function") return ofFunction(value, role);
  if (typeof value !== "object") return ofScalar(value, role);
  if (isThenable(value)) return "await it";
  if (value instanceof Aggregation) {
    return "aggregate() is a handler: write handle(source, cache.aggregate(…), options), and send its results to a " +
      "Proxy, to go on with them in another flow";
  }
  if (role === "state") return undefined;
  if (role === "source") return ofSource(value);
  if (role === "sink") return ofSink(value);
  return ofPipe(value);
}

function ofScalar(value: unknown, role: Role): string | undefined {
  if (role === "source") return typeof value === "number" ? "give a list: [value]" : undefined;
  if (role === "sink" && typeof value === "string") {
    return "open what it names, and give the stream";
  }
  return undefined;
}

// deno-lint-ignore ban-types -- any function
function ofFunction(value: Function, role: Role): string | undefined {
  const name = value.name || "source";
  const prototype = value.prototype as Record<symbol, unknown> | undefined;
  if (prototype?.[openFeed] !== undefined || prototype?.[openSink] !== undefined) {
    const made = Object.hasOwn(value, "open") ? `await ${name}.open(…)` : `new ${name}(…)`;
    return `it is a class: give an instance, ${made}`;
  }
  if (role === "source") return `call it: ${name}()`;
  if (role === "sink") {
    return "a generator runs only while it is iterated: make it an (async) function";
  }
  return undefined;
}

function ofSource(value: object): string | undefined {
  if (value instanceof Response || value instanceof Request) return "give its body";
  if (value instanceof Blob) return "give its stream()";
  if (isNodeWritable(value)) return "a Writable is a sink: give the Readable side";
  if (value instanceof WritableStream) {
    return "a WritableStream is a sink: give the readable side";
  }
  if (hasReadable(value)) return "give its readable";
  if (value instanceof WebSocket) return callsBack("socket", "socket.onclose = () => c.close();");
  if (isNamed(value, "EventSource")) return callsBack("source", "");
  if (isMessagePort(value)) return callsBack("port", "");
  if (value instanceof EventTarget) {
    return "it is callback-based: give new ReadableStream({ start(c) { " +
      'target.addEventListener("change", (event) => c.enqueue(event)); } }), with the name of your event';
  }
  if (has(value, "read") && has(value, "releaseLock")) {
    return "release its lock, and give the stream itself";
  }
  if (has(value, "next")) return "an iterator needs [Symbol.asyncIterator]() { return this; }";
  return "to read its entries give Object.entries(value), to read it as one message [value]";
}

/** How what calls back becomes a source. */
function callsBack(name: string, more: string): string {
  const enqueue = `${name}.onmessage = (event) => c.enqueue(event.data);`;
  return `it is callback-based: give new ReadableStream({ start(c) { ${
    [enqueue, more].filter(Boolean).join(" ")
  } } })`;
}

function ofSink(value: object): string | undefined {
  if (value instanceof ReadableStream) {
    return "a ReadableStream is a source: give the writable side";
  }
  if (hasReadable(value)) return "give its writable, and read its readable";
  if (value instanceof Response) {
    return "a Response is made from a source: new Response(toReadable(source))";
  }
  if (value instanceof WebSocket) {
    return "give (value) => socket.send(value); it is done when the other side says so, so await its answer " +
      "where nothing may be lost";
  }
  if (isMessagePort(value)) return "give (value) => port.postMessage(value)";
  if (value === console) return "give console.log";
  if (value instanceof EventTarget) {
    return 'give (value) => target.dispatchEvent(new CustomEvent("value", { detail: value }))';
  }
  if (value instanceof Map) return "give ([key, value]) => map.set(key, value)";
  if (value instanceof Set) return "give (value) => set.add(value)";
  if (Array.isArray(value)) return "give (value) => array.push(value)";
  if (has(value, "enqueue")) {
    return "give (value) => controller.enqueue(value), or, to wait for the reader, the writable of a " +
      "TransformStream";
  }
  if (has(value, "run")) return "give (value) => it.run(value), with what run() takes";
  if (has(value, "send")) return "give (value) => it.send(value), with what send() takes";
  if (has(value, "next")) return "a generator runs only while it is iterated: give a function";
  return undefined;
}

function ofPipe(value: object): string | undefined {
  if (isNodeWritable(value)) {
    return 'give Duplex.toWeb(stream), from "node:stream", if it is a Duplex or a Transform';
  }
  if (value instanceof ReadableStream || value instanceof WritableStream) {
    return "it has one side: give a TransformStream, which has two";
  }
  if (has(value, "next")) return "it has been called: give the function itself";
  if (Array.isArray(value)) {
    return "pipes are arguments of their own: write handle(source, pipe, pipe, handler)";
  }
  const isPlain = value.constructor === Object;
  if (isPlain && ["sink", "name", "onError"].some((name) => name in value)) {
    return "options come last: write handle(source, handler, options)";
  }
  return undefined;
}

function isThenable(value: object): boolean {
  return has(value, "then");
}

function has(value: object, method: string): boolean {
  return typeof (value as Record<string, unknown>)[method] === "function";
}

function hasReadable(value: object): boolean {
  return (value as { readable?: unknown }).readable instanceof ReadableStream;
}

function isNamed(value: object, name: string): boolean {
  return value.constructor?.name === name;
}

/** A `MessagePort`, a `BroadcastChannel` or a `Worker`. */
function isMessagePort(value: object): boolean {
  return value instanceof EventTarget && has(value, "postMessage");
}
