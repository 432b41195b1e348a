import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { App, batch, filter, map, PipeError, Proxy, replayable } from "../mod.ts";
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
    [
      (options) => app.handle([], () => {}, options),
      { sinks: [] },
      '"sinks" of flow "flow 1": "sink"',
    ],
    [
      (options) => app.handle([], () => {}, options),
      { name: "letters", sinks: [] },
      '"sinks" of flow "letters": "sink"',
    ],
    [
      (options) => app.handle([], () => {}, options),
      { onEror: "skip" },
      '"onEror" of flow "flow 1": "onError"',
    ],
    [(options) => new App(options), { onerror: "skip" }, '"onerror" of App: "onError"'],
    [
      (options) => new App(options),
      { commit: { intervalMs: 1 } },
      '"intervalMs" of "commit" of App: "interval"',
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
  const options = { drainTimeOut: 5 } as object;
  await assertRejects(
    () => new App().stream(options),
    TypeError,
    'Cannot use option "drainTimeOut" of stream: did you mean "drainTimeout"?',
  );
});

Deno.test("an unknown option that is near to none is answered with all of them", async () => {
  const options = { grace: 5 } as object;
  await assertRejects(
    () => new App().stream(options),
    TypeError,
    'Cannot use option "grace" of stream: there is only "signal", "args", "drainTimeout"',
  );
  const app = new App();
  const near: [string, string][] = [
    ["timeout", "handlerTimeout"],
    ["onerror", "onError"],
    ["stae", "state"],
  ];
  for (const [name, meant] of near) {
    const message = refused((options) => app.handle([], () => {}, options), { [name]: 1 });
    assertEquals(
      message,
      `Cannot use option "${name}" of flow "flow 1": did you mean "${meant}"?`,
    );
  }
  for (const name of ["to", "x", "filter", "batchSize", "", "concurrency"]) {
    const message = refused((options) => app.handle([], () => {}, options), { [name]: 1 });
    assertEquals(message.includes("did you mean"), false, message);
  }
});

Deno.test("options that are not an object are a TypeError", async () => {
  const app = new App();
  for (const options of [null, 7, "text"]) {
    const rest = `they must be an object, got ${options}`;
    assertEquals(
      refused((options) => app.handle([], () => {}, options), options),
      `Cannot use the options of flow "flow 1": ${rest}`,
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
      `they must be a plain object, got an object of class ${options.constructor.name}`,
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

Deno.test("App refuses commit figures that are not positive, and values that are not durations", () => {
  const wrong = (name: string, value: unknown, kind: typeof Error, must: string) =>
    assertEquals(
      refused((options) => new App(options), { commit: { [name]: value } }, kind),
      `Cannot use option "${name}" of "commit" of App as it must be ${must}: current value is ` +
        (typeof value === "string" ? JSON.stringify(value) : value),
    );
  const FORMS =
    "a duration: milliseconds as a number, units such as { seconds: 10 }, or a Temporal.Duration";
  for (const name of ["interval", "flushTimeout"]) {
    for (const value of [0, -1, NaN]) {
      wrong(name, value, RangeError, "a duration of milliseconds > 0");
    }
    for (const value of ["10", null]) wrong(name, value, TypeError, FORMS);
  }
  for (const value of [0, -1, NaN]) wrong("messages", value, RangeError, "a number >= 1");
  for (const value of ["10", null]) wrong("messages", value, TypeError, "a number >= 1");
});

Deno.test("App refuses an onError, an onStatus and a clock that are not valid", () => {
  assertEquals(
    refused((options) => new App(options), { onError: "retry" }),
    'Cannot use option "onError" of App as it must be "stop", "skip", { deadLetter }, { retry, otherwise? } or a function: current value is "retry"',
  );
  assertEquals(
    refused((options) => new App(options), { onStatus: "log" }),
    'Cannot use option "onStatus" of App as it must be a function: current value is "log"',
  );
  assertEquals(
    refused((options) => new App(options), { clock: Date }),
    'Cannot use option "clock" of App as it must be an object with now(), monotonic(), timer(), macrotask() and random(): current value is a function',
  );
});

Deno.test("replayable() refuses options that are missing, unknown or wrong", () => {
  const right = { name: "letters", read: () => [], position: () => 0 };
  const cases: [object, string][] = [
    [{ name: undefined }, '"name" of replayable as it must be a string that is not empty'],
    [{ read: undefined }, '"read" of replayable as it must be a function'],
    [{ position: 3 }, '"position" of replayable as it must be a function'],
    [{ positions: 3 }, '"positions" of replayable: did you mean "position"?'],
  ];
  for (const [wrong, says] of cases) {
    const message = refused((options) => replayable(options), { ...right, ...wrong });
    assertStringIncludes(message, `Cannot use option ${says}`);
  }
});

Deno.test("stream() refuses a drainTimeout that is not a duration", async () => {
  for (const drainTimeout of [-1, NaN, "5", null, {}, { second: 5 }]) {
    await assertRejects(
      () => new App().stream({ drainTimeout: drainTimeout as number }),
      typeof drainTimeout === "number" ? RangeError : TypeError,
      'option "drainTimeout" of stream',
    );
  }
});

Deno.test("stream() refuses a signal that is not an AbortSignal", async () => {
  const options = { signal: new AbortController() } as object;
  await assertRejects(
    () => new App().stream(options),
    TypeError,
    'Cannot use option "signal" of stream as it must be an AbortSignal',
  );
});

Deno.test("stream() that was refused leaves the app as it was", async () => {
  const seen: number[] = [];
  const app = new App();
  app.handle([1], (n) => void seen.push(n));
  await assertRejects(() => app.stream({ drainTimeout: -1 }), RangeError);
  await app.stream();
  assertEquals(seen, [1]);
});

Deno.test("Proxy refuses a bound that is not a positive integer", () => {
  for (const bound of [0, -1, 1.5, NaN, Infinity, "2"]) {
    assertEquals(
      refused(
        (options) => new Proxy(options),
        { bound },
        typeof bound === "string" ? TypeError : RangeError,
      ),
      'Cannot use option "bound" of Proxy as it must be an integer >= 1: current value is ' +
        Deno.inspect(bound),
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
  for (const time of [0, -1, NaN]) {
    assertThrows(
      () => batch(2, time),
      RangeError,
      `Cannot use time of batch() as it must be a duration of milliseconds > 0: current value is ${time}`,
    );
  }
});

Deno.test("map() and filter() refuse values that are not a function", () => {
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
