import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { App, batch, filter, map, PipeError, Proxy } from "../mod.ts";
import { checkOptions } from "../src/options.ts";

/** Calls with options that the compiler would refuse; returns what the error says. */
function refused(
  call: (options: never) => unknown,
  options: unknown,
  kind: new (message: string) => Error = TypeError,
): string {
  return assertThrows(() => call(options as never), kind).message;
}

Deno.test("checkOptions() accepts known names, whatever their values", () => {
  checkOptions("App", {}, ["name"]);
  checkOptions("App", { name: undefined }, ["name"]);
});

Deno.test("an unknown option is a TypeError that suggests the nearest name", () => {
  const app = new App();
  const cases: [(options: never) => unknown, unknown, string][] = [
    [(options) => app.handle([], () => {}, options), { sinks: [] }, '"sinks" of handle: "sink"'],
    [
      (options) => app.handle([], () => {}, options),
      { onEror: "skip" },
      '"onEror" of handle: "onError"',
    ],
    [(options) => new App(options), { onerror: "skip" }, '"onerror" of App: "onError"'],
    [
      (options) => new App(options),
      { commit: { interval: 1 } },
      '"interval" of App commit: "intervalMs"',
    ],
    [(options) => new Proxy(options), { bund: 1 }, '"bund" of Proxy: "bound"'],
  ];
  for (const [call, options, expected] of cases) {
    const [option, suggestion] = expected.split(": ");
    assertEquals(
      refused(call, options),
      `Cannot use option ${option}: did you mean ${suggestion}?`,
    );
  }
});

Deno.test("an unknown option of stream() is a rejection that suggests the nearest name", async () => {
  const options = { drainMS: 5 } as object;
  await assertRejects(
    () => new App().stream(options),
    TypeError,
    'Cannot use option "drainMS" of stream: did you mean "drainMs"?',
  );
});

Deno.test("an unknown option that is near to none is answered with all of them", async () => {
  const options = { timeout: 5 } as object;
  await assertRejects(
    () => new App().stream(options),
    TypeError,
    'Cannot use option "timeout" of stream: there is only "signal", "args", "drainMs"',
  );
  const app = new App();
  const near: [string, string][] = [
    ["timeout", "handlerTimeoutMs"],
    ["onerror", "onError"],
    ["stae", "state"],
  ];
  for (const [name, meant] of near) {
    const message = refused((options) => app.handle([], () => {}, options), { [name]: 1 });
    assertEquals(
      message,
      `Cannot use option "${name}" of handle: did you mean "${meant}"?`,
    );
  }
  for (const name of ["to", "x", "filter", "batchSize", "", "concurrency"]) {
    const message = refused((options) => app.handle([], () => {}, options), { [name]: 1 });
    assertEquals(message.includes("did you mean"), false, message);
  }
});

Deno.test("options that are no object are a TypeError", async () => {
  const app = new App();
  for (const options of [null, 7, "text"]) {
    const rest = `they must be an object, got ${options}`;
    assertEquals(
      refused((options) => app.handle([], () => {}, options), options),
      `Cannot use the options of handle: ${rest}`,
    );
    assertEquals(
      refused((options) => new App(options), options),
      `Cannot use the options of App: ${rest}`,
    );
    assertEquals(
      refused((options) => new Proxy(options), options),
      `Cannot use the options of Proxy: ${rest}`,
    );
    await assertRejects(() => app.stream(options as never), TypeError, rest);
  }
});

Deno.test("options that are an object of another kind are a TypeError, which names what was given", () => {
  for (const options of [[], new Date(), new Map([["bound", 5]])]) {
    assertStringIncludes(
      refused((options) => new Proxy(options), options),
      `an object of options, got an object of class ${options.constructor.name}`,
    );
  }
  assertEquals(new Proxy(Object.create(null)).size, 0);
});

Deno.test("a sink in the place of the options of handle() is a TypeError that says where it goes", () => {
  const app = new App();
  for (const sink of [new Proxy(), new WritableStream(), { write() {} }]) {
    assertStringIncludes(
      refused((options) => app.handle([], () => {}, options), sink),
      "as the options of handle(): a sink is given as { sink }",
    );
  }
});

Deno.test("a sink function behind the handler makes that a pipe, which stream() refuses, saying where it goes", async () => {
  const app = new App();
  app.handle([1], (n) => n * 2, (n) => n);
  await assertRejects(
    () => app.stream(),
    PipeError,
    "the handler is the last function, and a sink is given as { sink }",
  );
});

Deno.test("App refuses commit figures that are not positive numbers", () => {
  for (const name of ["intervalMs", "messages", "flushTimeoutMs"]) {
    for (const value of [0, -1, NaN, "10", null]) {
      assertEquals(
        refused((options) => new App(options), { commit: { [name]: value } }, RangeError),
        `Cannot make an App as commit.${name} must be a positive number: current value is ${value}`,
      );
    }
  }
});

Deno.test("App refuses an onError, an onStatus and a clock that are none", () => {
  assertEquals(
    refused((options) => new App(options), { onError: "retry" }),
    'Cannot make an App: onError must be "stop", "skip", { deadLetter }, { retry, otherwise? } or a function, got the string "retry"',
  );
  assertEquals(
    refused((options) => new App(options), { onStatus: "log" }),
    "Cannot make an App: onStatus must be a function, got log",
  );
  assertEquals(
    refused((options) => new App(options), { clock: Date }),
    "Cannot make an App: clock must be a Clock, with now(), monotonic(), timer(), macrotask() and random()",
  );
});

Deno.test("stream() refuses a drainMs that is no duration", async () => {
  for (const drainMs of [-1, NaN, "5", null]) {
    await assertRejects(
      () => new App().stream({ drainMs: drainMs as number }),
      RangeError,
      `Cannot stream as drainMs must be a number from 0: current value is ${drainMs}`,
    );
  }
});

Deno.test("stream() refuses a signal that is none", async () => {
  const options = { signal: new AbortController() } as object;
  await assertRejects(
    () => new App().stream(options),
    TypeError,
    "Cannot stream: signal must be an AbortSignal",
  );
});

Deno.test("stream() that was refused leaves the app as it was", async () => {
  const seen: number[] = [];
  const app = new App();
  app.handle([1], (n) => void seen.push(n));
  await assertRejects(() => app.stream({ drainMs: -1 }), RangeError);
  await app.stream();
  assertEquals(seen, [1]);
});

Deno.test("Proxy refuses a bound that is not a positive integer", () => {
  for (const bound of [0, -1, 1.5, NaN, Infinity, "2"]) {
    assertEquals(
      refused((options) => new Proxy(options), { bound }, RangeError),
      `Cannot make a Proxy as bound must be a positive integer: current value is ${bound}`,
    );
  }
});

Deno.test("batch() refuses figures out of bounds", () => {
  for (const max of [0, -1, 1.5, NaN, Infinity, "2"]) {
    assertThrows(
      () => batch(max as number),
      RangeError,
      `Cannot batch as max must be a positive integer: current value is ${max}`,
    );
  }
  for (const ms of [0, -1, NaN]) {
    assertThrows(
      () => batch(2, ms),
      RangeError,
      `Cannot batch as ms must be a positive number: current value is ${ms}`,
    );
  }
});

Deno.test("map() and filter() refuse what is no function", () => {
  assertThrows(
    () => map(7 as never),
    TypeError,
    "Cannot map: the mapper must be a function, got 7",
  );
  assertThrows(
    () => filter(/a/ as never),
    TypeError,
    "Cannot filter: the predicate must be a function, got /a/",
  );
});
