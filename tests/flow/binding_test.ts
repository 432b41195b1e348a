import { assertEquals, assertThrows } from "@std/assert";
import {
  App,
  batch,
  deadLetter,
  filter,
  flatMap,
  map,
  type OnError,
  Proxy,
  retry,
  type RetryOptions,
} from "../../mod.ts";

/** Binds something that does not fit, behind the back of the compiler, and returns the error's message. */
function refused(source: unknown, handler: unknown, options: unknown = {}): string {
  return refusedArguments(source, handler, options);
}

function refusedArguments(...args: unknown[]): string {
  const { handle } = new App();
  const bind = handle.bind(new App()) as (...args: unknown[]) => unknown;
  return assertThrows(() => bind(...args), TypeError).message;
}

const handler = () => {};
const unassigned =
  ": is it assigned before this call, and does the function that makes it return it?";

Deno.test("handle() refuses values that are not a source, naming the flow and what it got", () => {
  assertEquals(
    refused(7, handler, { name: "numbers" }),
    'Cannot bind flow "numbers": the source must be iterable, a ReadableStream or a library source, got 7: give a list: [value]',
  );
  const rest = ": the source must be iterable, a ReadableStream or a library source, got ";
  assertEquals(refused(null, handler), `Cannot bind flow "flow 1"${rest}null${unassigned}`);
  assertEquals(
    refused(undefined, handler),
    `Cannot bind flow "flow 1"${rest}undefined${unassigned}`,
  );
  assertEquals(
    refused({}, handler),
    `Cannot bind flow "flow 1"${rest}an object of class Object: ` +
      "to read its entries give Object.entries(value), to read it as one message [value]",
  );
  assertEquals(
    refused(Promise.resolve([1]), handler),
    `Cannot bind flow "flow 1"${rest}an object of class Promise: await it`,
  );
  assertEquals(
    refused(function* numbers() {}, handler),
    `Cannot bind flow "flow 1"${rest}the function numbers: call it: numbers()`,
  );
});

Deno.test("handle() refuses values that are not a handler", () => {
  const rest = "the handler must be a function or a TransformStream, got";
  assertEquals(refused([], "text"), `Cannot bind flow "flow 1": ${rest} the string "text"`);
  assertEquals(refused([], undefined), `Cannot bind flow "flow 1": ${rest} undefined${unassigned}`);
  assertEquals(
    refused([], { readable: new ReadableStream() }),
    `Cannot bind flow "flow 1": ${rest} an object of class Object`,
  );
  assertEquals(
    refused([], new WritableStream()),
    `Cannot bind flow "flow 1": ${rest} an object of class WritableStream: ` +
      "it has one side: give a TransformStream, which has two",
  );
});

Deno.test("handle() refuses values that are not a sink, naming its place among several", () => {
  const rest =
    "must be a function, a WritableStream, an object with write() or a library sink, got";
  assertEquals(
    refused([], handler, { name: "copy", sink: 7 }),
    `Cannot bind flow "copy": the sink ${rest} 7`,
  );
  assertEquals(
    refused([], handler, { name: "copy", sink: [() => {}, new ReadableStream()] }),
    `Cannot bind flow "copy": sink 2 ${rest} an object of class ReadableStream: ` +
      "a ReadableStream is a source: give the writable side",
  );
  assertEquals(
    refused([], handler, { sink: new Map() }),
    `Cannot bind flow "flow 1": the sink ${rest} an object of class Map: ` +
      "give ([key, value]) => map.set(key, value)",
  );
  assertEquals(
    refused([], handler, { sink: null }),
    `Cannot bind flow "flow 1": the sink ${rest} null${unassigned}`,
  );
});

Deno.test("handle() refuses values that are not a pipe", () => {
  const rest = "a pipe must be a function over async iterables or a TransformStream, got";
  assertEquals(
    refusedArguments([], "gzip", handler),
    `Cannot bind flow "flow 1": ${rest} the string "gzip"`,
  );
  assertEquals(
    refusedArguments([], (source: unknown) => source, [1], handler, { name: "copy" }),
    `Cannot bind flow "copy": ${rest} an object of class Array: ` +
      "pipes are arguments of their own: write handle(source, pipe, pipe, handler)",
  );
});

Deno.test("handle() says that options come last where they stand before the handler, or instead of it", () => {
  const says =
    "got an object of class Object: options come last: write handle(source, handler, options)";
  const pipe = "a pipe must be a function over async iterables or a TransformStream";
  const flow = 'Cannot bind flow "flow 1": ';
  assertEquals(refusedArguments([], { name: "copy" }, handler), `${flow}${pipe}, ${says}`);
  assertEquals(
    refusedArguments([], { sink: handler }),
    `${flow}the handler must be a function or a TransformStream, ${says}`,
  );
  class Named {
    name = "copy";
  }
  assertEquals(
    refusedArguments([], new Named()),
    `${flow}the handler must be a function or a TransformStream, got an object of class Named`,
  );
});

Deno.test("handle() says where pipes go that are given as an option", () => {
  assertEquals(
    refused([], handler, { pipe: map(Number) }),
    'Cannot bind a flow: handle() has no option "pipe", since pipes stand between source and handler: ' +
      "handle(source, pipe, handler, options)",
  );
});

Deno.test("handle() says that the handler is missing behind a pipe", () => {
  const says =
    'Cannot bind flow "flow 1": the handler is missing, since map(), filter(), flatMap() and batch() ' +
    "are pipes; write handle(source, pipe, handler)";
  for (const pipe of [map(Number), filter(Boolean), flatMap(() => []), batch(2)]) {
    assertEquals(refusedArguments([], pipe), says);
    assertEquals(refusedArguments([], map(Number), pipe, {}), says);
  }
  assertEquals(
    refusedArguments([]),
    'Cannot bind flow "flow 1": the handler must be a function or a TransformStream, got undefined' +
      unassigned,
  );
});

Deno.test("handle() refuses values that are not a name", () => {
  assertEquals(
    refused([], handler, { name: "" }),
    'Cannot use option "name" of flow "flow 1" as it must be a string that is not empty: current value is ""',
  );
  assertEquals(
    refused([], handler, { name: 7 }),
    'Cannot use option "name" of flow "flow 1" as it must be a string that is not empty: current value is 7',
  );
});

Deno.test("handle() refuses a name that is taken", () => {
  const app = new App();
  app.handle([1], () => {}, { name: "numbers" });
  assertThrows(
    () => app.handle([1], () => {}, { name: "numbers" }),
    TypeError,
    'Cannot bind a second flow named "numbers"',
  );
});

Deno.test("a flow is named after its handler, or its number where that has none", () => {
  const double = () => {};
  const rest = ": the sink must be a function, a WritableStream, " +
    "an object with write() or a library sink, got 7";
  assertEquals(refused([], double, { sink: 7 }), `Cannot bind flow "double"${rest}`);
  assertEquals(refused([], () => {}, { sink: 7 }), `Cannot bind flow "flow 1"${rest}`);
});

Deno.test("handle() refuses an onError that is not a policy", () => {
  const wrong = [
    "retry",
    7,
    null,
    {},
    { deadLetter: 7 },
    { retry: 3 },
    { retry: {}, otherwise: "again" },
    { retry: {}, otherwise: { retry: {} } },
    { retry: {}, otherwise: () => "skip" },
  ];
  for (const onError of wrong) {
    assertEquals(
      refused([], handler, { onError }).replace(/value is .*/, "value is …"),
      'Cannot use option "onError" of flow "flow 1" as it must be "stop", "skip", { deadLetter }, ' +
        "{ retry, otherwise? } or a function: current value is …",
      Deno.inspect(onError),
    );
  }
});

Deno.test("retry() and deadLetter() refuse what is no option and no sink where they are called", () => {
  assertThrows(
    () => retry(3 as RetryOptions),
    TypeError,
    "Cannot retry 3: write retry({ attempts: 3 })",
  );
  assertThrows(() => retry({ attempts: -1 }), RangeError, '"attempts" of retry as it must be');
  assertThrows(
    () => deadLetter(undefined as never),
    TypeError,
    "Cannot use the sink of deadLetter() as it must be a function, a stream, a Topic or another sink: " +
      "current value is undefined",
  );
});

Deno.test("handle() refuses an unknown option of a retry and suggests the nearest", () => {
  assertEquals(
    refused([], handler, { onError: { retry: { attempt: 3 } } }),
    'Cannot use option "attempt" of retry: did you mean "attempts"?',
  );
});

Deno.test("handle() refuses figures of a retry, and a handlerTimeout, that are out of bounds or none", () => {
  const wrong: [object, typeof Error, string][] = [
    [{ onError: { retry: { attempts: -1 } } }, RangeError, '"attempts" of retry as it must be'],
    [{ onError: { retry: { minDelay: "1" } } }, TypeError, '"minDelay" of retry as it must be'],
    [{ onError: { retry: { maxDelay: { second: 1 } } } }, TypeError, 'did you mean "seconds"?'],
    [{ handlerTimeout: 0 }, RangeError, '"handlerTimeout" of flow "flow 1" as it must be'],
    [{ handlerTimeout: "5" }, TypeError, '"handlerTimeout" of flow "flow 1" as it must be'],
  ];
  for (const [options, kind, message] of wrong) {
    assertThrows(() => new App().handle([], handler, options), kind, message);
  }
});

Deno.test("handle() refuses an unknown part of an error policy and suggests the nearest", () => {
  assertEquals(
    refused([], handler, { onError: { retry: {}, otherwse: "skip" } }),
    'Cannot use option "otherwse" of onError: did you mean "otherwise"?',
  );
});

Deno.test("handle() takes everything that fits", () => {
  const app = new App();
  const sinks = [
    () => {},
    new WritableStream(),
    { write: () => {} },
    new Proxy(),
    [() => {}, new Proxy()],
    [],
    undefined,
  ];
  for (const sink of sinks) app.handle([1], (n) => n, { sink });
  const policies: OnError[] = [
    "stop",
    "skip",
    { retry: {} },
    { retry: { attempts: 0, minDelay: 0, maxDelay: Infinity }, otherwise: "skip" },
    { retry: {}, otherwise: deadLetter(() => {}) },
    deadLetter(new Proxy()),
    () => "skip",
  ];
  for (const onError of policies) app.handle([1], () => {}, { onError });
});
