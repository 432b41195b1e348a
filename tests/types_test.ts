import { assertEquals, assertStringIncludes } from "@std/assert";
import type { Topic } from "../src/kafka/mod.ts";
import {
  collect,
  count,
  countWindow,
  fold,
  hopping,
  mean,
  session,
  sliding,
  sum,
  top,
  tumbling,
} from "../src/windows/mod.ts";
import {
  App,
  batch,
  type Cache,
  closeAtEnd,
  type ConcurrencyOptions,
  type Context,
  deadLetter,
  filter,
  flatMap,
  handle,
  map,
  merge,
  Proxy,
  retry,
  type Sink,
  toReadable,
  toTransform,
  toWritable,
} from "../mod.ts";

// What must compile, and what must not: the compiler is the test. Nothing here is ever called.

/** Compiles only where `Actual` is exactly `Expected`. */
type Exactly<Actual, Expected> = (<T>() => T extends Actual ? 1 : 2) extends
  (<T>() => T extends Expected ? 1 : 2) ? true : false;
function isExactly<Actual, Expected>(_same: Exactly<Actual, Expected>): void {}

interface Quake {
  readonly place: string;
  readonly magnitude: number;
}
declare const quakes: AsyncIterable<Quake>;
declare const numbers: ReadableStream<number>;
declare const texts: WritableStream<string>;
declare const bytes: WritableStream<Uint8Array>;
declare const print: (text: string) => void;
declare const log: typeof console.log;
declare const pairs: Sink<readonly [string, number]>;

export function sourcesGiveTheHandlerItsParameter(): void {
  handle([1, 2], (n) => isExactly<typeof n, number>(true));
  handle(new Set(["a"]), (text) => isExactly<typeof text, string>(true));
  handle("text", (letter) => isExactly<typeof letter, string>(true));
  handle(new Map([["a", 1]]), (entry) => isExactly<typeof entry, [string, number]>(true));
  handle(quakes, (quake) => isExactly<typeof quake, Quake>(true));
  handle(numbers, (n) => isExactly<typeof n, number>(true));
  handle(new Proxy<Quake>(), (quake) => isExactly<typeof quake, Quake>(true));
  handle(merge([1], "a"), (message) => isExactly<typeof message, string | number>(true));
  handle([[1, 2], [3]], (list) => isExactly<typeof list, number[]>(true));
  handle(
    function* () {
      yield 1;
    }(),
    (n) => isExactly<typeof n, number>(true),
  );
  // @ts-expect-error a number is no source
  handle(7, () => {});
  // @ts-expect-error a function is no source: it has to be called
  handle(function* () {}, () => {});
  // @ts-expect-error the handler wants texts, the source gives numbers
  handle([1, 2], (text: string) => text);
  // @ts-expect-error the same, with options
  handle([1, 2], (text: string) => text, { name: "texts" });
}

export function handlersMayHaveNoOneOrTwoParameters(): void {
  handle([1], () => {});
  handle([1], (n) => n);
  handle([1], (n, context) => {
    isExactly<typeof n, number>(true);
    isExactly<typeof context, Context<unknown>>(true);
  });
  handle([1], (n, { attempt, signal, stopping }) => n + attempt + Number(signal === stopping));
  // @ts-expect-error a handler is given two arguments
  handle([1], (_n, _context, _third) => {});
}

export function handleReturnsTheHandler(): void {
  const double = (n: number) => n * 2;
  const bound = handle([1], double);
  isExactly<typeof bound, typeof double>(true);
  const withSink = handle([1], double, { sink: (n) => n.toFixed() });
  isExactly<typeof withSink, unknown>(true); // with more arguments the compiler cannot tell which one it is
  const counts = handle([1], () => 7);
  const count: number = counts();
  void count;
}

export function resultsGiveInlineSinksTheirParameter(): void {
  handle([1], (n) => `${n}`, { sink: (text) => void text.length });
  handle([1], (n) => n > 0, { sink: (positive) => isExactly<typeof positive, boolean>(true) });
  handle([1], async (n) => await `${n}`, { sink: (text) => void text.length });
  handle([1], function* (n) {
    yield `${n}`;
  }, { sink: (text) => void text.length });
  handle([1], async function* (n) {
    yield `${n}`;
  }, { sink: (text) => void text.length });
  handle(quakes, (quake) => quake.magnitude > 4 ? quake.place : undefined, {
    sink: (place) => isExactly<typeof place, string>(true),
  });
  handle(quakes, async (quake) => await quake.magnitude > 4 ? quake.place : undefined, {
    sink: (place) => isExactly<typeof place, string>(true),
  });
  handle([1], (n) => n, { sink: [(n) => n.toFixed(), (n) => n.toFixed(), { write: (n) => n }] });
}

export function theOptionByGetsTheMessagesOfTheSource(): void {
  const concurrency: ConcurrencyOptions | undefined = { max: 2, by: "none" };
  handle(quakes, ({ place }) => isExactly<typeof place, string>(true), { concurrency });
  handle(quakes, map(({ magnitude }) => magnitude), (n) => isExactly<typeof n, number>(true), {
    concurrency: { max: 2, by: ({ place }) => isExactly<typeof place, string>(true) },
  });
  // @ts-expect-error the source gives no numbers
  handle(quakes, ({ place }) => place, { concurrency: { max: 2, by: (n: number) => n } });
}

export function resultsFitNamedSinks(): void {
  handle([1], (n) => `${n}`, { sink: print });
  handle([1], (n) => `${n}`, { sink: texts });
  handle([1], (n) => `${n}`, { sink: closeAtEnd(texts) });
  handle([1], (n) => `${n}`, { sink: [print, texts, closeAtEnd(texts), new Proxy<string>()] });
  handle([1], (n) => n, { sink: log });
  handle([1], (n) => `${n}`, { sink: [log, print] });
  handle([1], function* (n) {
    yield `${n}`;
  }, { sink: [print] });
  handle([1], (n) => n, { sink: new Proxy<number | string>() });
  const list: Sink<string>[] = [print, texts];
  handle([1], (n) => `${n}`, { sink: list });
}

export function sinksThatDoNotFitAreRefused(): void {
  // @ts-expect-error the sink wants texts, the handler gives numbers
  handle([1], (n) => n, { sink: print });
  // @ts-expect-error a stream of texts
  handle([1], (n) => n, { sink: texts });
  // @ts-expect-error the same, to be closed
  handle([1], (n) => n, { sink: closeAtEnd(texts) });
  // @ts-expect-error a Proxy of texts
  handle([1], (n) => n, { sink: new Proxy<string>() });
  // @ts-expect-error an object that takes texts
  handle([1], (n) => n, { sink: { write: (text: string) => text } });
  // @ts-expect-error one of several
  handle([1], (n) => n, { sink: [(n) => n.toFixed(), print] });
  // @ts-expect-error a promise of numbers
  handle([1], async (n) => await n, { sink: print });
  // @ts-expect-error yields of numbers
  handle([1], function* (n) {
    yield n;
  }, { sink: print });
  handle([1], async function* (n) {
    yield n;
    // @ts-expect-error an async generator's yields
  }, { sink: texts });
  // @ts-expect-error text is not bytes
  handle([1], (n) => `${n}`, { sink: bytes });
  // @ts-expect-error a number is no sink
  handle([1], (n) => n, { sink: 7 });
  // @ts-expect-error a ReadableStream is no sink
  handle([1], (n) => n, { sink: numbers });
}

export function tuplesNeedNoAsConst(): void {
  handle(quakes, ({ place, magnitude }) => [place, magnitude], { sink: pairs });
  handle(quakes, function* ({ place, magnitude }) {
    yield [place, magnitude];
  }, { sink: pairs });
  handle(quakes, async ({ place, magnitude }) => {
    await null;
    return [place, magnitude];
  }, { sink: pairs });
  handle(quakes, async function* ({ place, magnitude }) {
    yield [place, magnitude];
  }, { sink: pairs });
  handle(quakes, ({ place, magnitude }) => [place, magnitude], {
    sink: ([place, magnitude]) => {
      isExactly<typeof place, string>(true);
      isExactly<typeof magnitude, number>(true);
    },
  });
  // @ts-expect-error the wrong way round
  handle(quakes, ({ place, magnitude }) => [magnitude, place], { sink: pairs });
}

export function streamsAsHandlersFlowToo(): void {
  handle(["a"], new TextEncoderStream(), { sink: bytes });
  handle(["a"], new TransformStream<string, number>(), { sink: (n) => n.toFixed() });
  // @ts-expect-error the stream wants texts
  handle([1], new TextEncoderStream());
  // @ts-expect-error bytes come out
  handle(["a"], new TextEncoderStream(), { sink: texts });
}

export function pipesGiveTheHandlerItsParameter(): void {
  handle(["1"], map(Number), (n) => isExactly<typeof n, number>(true));
  handle([1], filter((n) => n > 1), (n) => isExactly<typeof n, number>(true));
  handle([1], batch(2), (some) => isExactly<typeof some, number[]>(true));
  handle(["a"], new TextEncoderStream(), (chunk: Uint8Array) => chunk.length);
  handle(["1"], parsed, (n) => n.toFixed(), { sink: print });
  handle([1], async function* (source: AsyncIterable<number>) {
    for await (const n of source) yield n;
  }, (n: number) => n);
  handle(["a"], () => new TextEncoderStream(), (chunk: Uint8Array) => chunk.length);
  // @ts-expect-error the pipe gives numbers
  handle(["1"], parsed, (text: string) => text);
  // @ts-expect-error the pipe wants texts
  handle([1], parsed, (n: number) => n);
  // @ts-expect-error texts behind the pipe, numbers wanted by the sink
  handle(["1"], parsed, (n) => n.toFixed(), { sink: (n: number) => n });
}

export function listsOfPipesFitTogether(): void {
  handle(["1"], map(Number), batch(2), (some: number[]) => some.length);
  handle(["1"], parsed, batch<number>(2), (some: number[]) => some.length);
  handle(
    ["1"],
    map(Number),
    filter((n: number) => n > 1),
    batch<number>(2),
    (some: number[]) => some.length,
    {
      sink: (length) => isExactly<typeof length, number>(true),
    },
  );
  // @ts-expect-error the second wants what the first does not give
  handle(["1"], parsed, parsed, (n: number) => n);
  handle([1], same, same, same, same, same, same, (n: number) => n, {});
  // @ts-expect-error the handler wants texts
  handle(["1"], map(Number), (s: string) => s);
  // @ts-expect-error the handler wants one number, lists come
  handle(["1"], map((s) => s.length), batch(2), (n: number) => n);
  handle([1], (n) => n, undefined);
  // @ts-expect-error seven are too many
  handle([1], same, same, same, same, same, same, same, (n: number) => n, {});
}

export function sixPipesInferInlineLambdas(): void {
  handle(
    ["1"],
    map((text) => (isExactly<typeof text, string>(true), Number(text))),
    filter((n) => (isExactly<typeof n, number>(true), n > 1)),
    map((n) => (isExactly<typeof n, number>(true), { n })),
    flatMap((one) => (isExactly<typeof one, { n: number }>(true), [one.n, `${one.n}`])),
    batch(2),
    map((some) => (isExactly<typeof some, (string | number)[]>(true), some.length)),
    (n) => (isExactly<typeof n, number>(true), [n, "a"] as const),
    { sink: ([n, text]) => (isExactly<typeof n, number>(true), isExactly<typeof text, "a">(true)) },
  );
  handle(
    ["1"],
    map((text) => Number(text)),
    filter((n) => n > 1),
    map((n) => ({ n })),
    flatMap((one) => [one.n, `${one.n}`]),
    map((some) => `${some}`),
    (text) => (isExactly<typeof text, string>(true), text.length),
  );
  handle(
    ["1"],
    map(async (text) => await Promise.resolve(Number(text))),
    (n) => (isExactly<typeof n, number>(true), n > 1),
    { sink: (big) => isExactly<typeof big, boolean>(true) },
  );
}

export function lambdasInNestedOptionsAreInferred(): void {
  const clicks: { key: string; value: { at: number; amount: number } }[] = [];
  handle(
    clicks,
    tumbling({
      size: { minutes: 1 },
      by: "key",
      time: (m) => m.value.at,
      into: { n: count(), total: sum((m) => m.value.amount) },
    }),
    ({ key, start, value }) => {
      isExactly<typeof value, { n: number; total: number }>(true);
      return [[key, start], value] as const;
    },
    { sink: ([[key], { total }]) => (isExactly<typeof key, string>(true), total.toFixed()) },
  );
  handle(
    clicks,
    filter((m) => m.value.amount > 1),
    tumbling({
      size: { minutes: 1 },
      by: (m) => m.value.at,
      time: (m) => m.value.at,
      into: { total: sum((m) => m.value.amount) },
    }),
    ({ value }) => value.total.toFixed(),
  );
  handle(
    clicks,
    // @ts-expect-error a click has no time
    tumbling({ size: { minutes: 1 }, by: "key", time: (m) => m.value.time, into: { n: count() } }),
    ({ value }) => value,
  );
}

declare function parsed(source: AsyncIterable<string>): AsyncIterable<number>;
declare function same(source: AsyncIterable<number>): AsyncIterable<number>;

export function argumentsOfStreamAreTyped(): void {
  const app = new App<{ limit: number }>();
  app.handle([1], (n, { args }) => {
    isExactly<typeof args, { limit: number }>(true);
    return n < args.limit;
  }, { sink: (fits) => isExactly<typeof fits, boolean>(true) });
  app.stream({ args: { limit: 3 } });
  // @ts-expect-error a limit is a number
  app.stream({ args: { limit: "3" } });
  // @ts-expect-error no argument of that name
  app.handle([1], (_n, { args }) => args.maximum);
  new App().handle([1], (_n, { args }) => isExactly<typeof args, unknown>(true));
}

export function policiesAreTyped(): void {
  handle([1], () => {}, { onError: "skip" });
  handle([1], () => {}, { onError: retry({ attempts: 3 }, deadLetter((error) => error.input)) });
  handle([1], () => {}, { onError: (error, { args }) => error.cause === args ? "skip" : "stop" });
  handle([1], () => {}, { onError: async (error) => await error.cause ? "skip" : retry() });
  // @ts-expect-error no such policy
  handle([1], () => {}, { onError: "retry" });
  // @ts-expect-error a retry cannot end in a retry
  handle([1], () => {}, { onError: { retry: {}, otherwise: { retry: {} } } });
}

export function unknownOptionsAreRefused(): void {
  // @ts-expect-error sink is its name
  handle([1], () => {}, { sinks: [] });
  // @ts-expect-error drainTimeout is its name
  new App().stream({ drain: 5 });
  // @ts-expect-error bound is its name
  new Proxy({ size: 5 });
}

export function adaptersAreTyped(): void {
  isExactly<ReturnType<typeof toReadable<number>>, ReadableStream<number>>(true);
  const readable = toReadable(merge([1], "a"));
  isExactly<typeof readable, ReadableStream<string | number>>(true);
  const transform = toTransform((n: number) => n > 1 ? `${n}` : undefined);
  isExactly<typeof transform, TransformStream<number, string>>(true);
  const doubled = toTransform(function* (n: number) {
    yield n;
  });
  isExactly<typeof doubled, TransformStream<number, number>>(true);
  const writable = toWritable([(n: number) => n, new Proxy<number>()]);
  isExactly<typeof writable, WritableStream<number>>(true);
  toReadable(numbers).pipeThrough(doubled).pipeTo(writable);
  // @ts-expect-error numbers come, texts are wanted
  toReadable([1]).pipeTo(texts);
  // @ts-expect-error a promise is no source
  toReadable(Promise.resolve([1]));
}

/** Checks a module and returns what the compiler says; empty when it says nothing. */
async function checked(path: string): Promise<string> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["check", "--config", "deno.json", path],
    env: { NO_COLOR: "1" },
  }).output();
  return success ? "" : new TextDecoder().decode(stderr);
}

Deno.test("types flow from the source through pipes and handler to the sinks", async () => {
  assertEquals(await checked(import.meta.filename!), "");
});

for (
  const [name, call, ...types] of [
    ["a wrong sink", "handle([1, 2], (n) => n, { sink: print })", "number", "string"],
    ["a wrong stream", "handle([1, 2], (n) => n, { sink: texts })", "number", "string"],
    ["a wrong Proxy", "handle([1], async (n) => n, { sink: proxy })", "number", "string"],
    ["a wrong handler", "handle([1, 2], (text: string) => text)", "number", "string"],
    ["one with options", "handle([1], (s: string) => s, { sink: print })", "number", "string"],
    [
      "one behind pipes",
      'handle(["1"], map(Number), (n) => n, { sink: print })',
      "number",
      "string",
    ],
    [
      "one behind inline pipes",
      'handle(["1"], map((s) => Number(s)), filter((n) => n > 1), (n) => n, { sink: texts })',
      "number",
      "string",
    ],
    [
      "one behind six pipes",
      'handle(["1"], map((s) => Number(s)), map((n) => n + 1), filter((n) => n > 1), map((n) => n), map((n) => n), ' +
      "map((n) => n), (n) => n, { sink: print })",
      "number",
      "string",
    ],
    ["a wrong source", "handle(Promise.resolve([1]), () => {})", "Promise<number[]>", "Source"],
    ["a wrong stream as handler", "handle([1], new TextEncoderStream())", "TextEncoderStream"],
  ] as const
) {
  Deno.test(`the first line of the compiler's message for ${name} names the types`, async () => {
    const path = await Deno.makeTempFile({ suffix: ".ts" });
    try {
      await Deno.writeTextFile(
        path,
        `import { filter, handle, map, Proxy } from ${
          JSON.stringify(import.meta.resolve("../mod.ts"))
        };
        declare const texts: WritableStream<string>;
        declare const proxy: Proxy<string>;
        const print = (text: string) => console.log(text);
        void [texts, proxy, print, map, filter];
        ${call};`,
      );
      const message = await checked(path);
      const first = /^TS\d+.*$/m.exec(message)![0];
      for (const type of types) assertStringIncludes(first, type);
      assertEquals(message.includes("No overload"), false, message);
    } finally {
      await Deno.remove(path);
    }
  });
}

Deno.test("the compiler's message for a wrong sink names the two types", async () => {
  const path = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(
      path,
      `import { handle } from ${JSON.stringify(import.meta.resolve("../mod.ts"))};
      const print = (text: string) => console.log(text);
      handle([1, 2], (n) => n, { sink: print });`,
    );
    assertStringIncludes(
      await checked(path),
      "Type 'number' is not assignable to type 'Result<string>'",
    );
  } finally {
    await Deno.remove(path);
  }
});

interface Click {
  readonly at: number;
  readonly amount: number;
}
declare const clicks: Topic<string, Click>;
declare const cache: Cache<{ n: number; total: number }>;
declare const results: Cache<{ n: number; total: number }>;

export function windowsAreTypedFromTheMessageToTheHandler(): void {
  handle(
    clicks,
    tumbling({
      size: { minutes: 1 }, // hopping({ size, every }), session({ gap }), sliding({ size }), countWindow({ size, every? }); calendar: size: { unit: "day", timeZone: "Europe/Paris" }
      by: "key", // the default; or a function
      time: (m) => m.value.at, // default: message.timestamp
      into: { n: count(), total: sum((m) => m.value.amount) }, // or one aggregate, or fold({ init, add, merge?, remove? })
      outOfOrderness: { seconds: 5 }, // default 0
      idle: "advance", // or "hold"
      emit: "final", // or "changes", or { every: Duration }
      late: "drop", // or a Sink<Late<M>>, or { accept: Duration, then?: … }
    }),
    ({ key, start, value }) => [[key, start], value],
    { name: "clicks", state: cache, sink: results },
  );

  handle(
    clicks,
    tumbling({
      size: { unit: "day", timeZone: "Europe/Paris" },
      into: {
        best: top(3, { by: (m) => m.value.amount, of: (m) => m.value }),
        all: fold({
          init: () => ({ sum: 0, last: "" }),
          add: (all, m) => ({ sum: all.sum + m.value.amount, last: m.topic }),
        }),
      },
    }),
    ({ key, value, id, replaces }) => {
      isExactly<typeof key, string>(true);
      isExactly<typeof value, { best: Click[]; all: { sum: number; last: string } }>(true);
      isExactly<typeof id, string>(true);
      isExactly<typeof replaces, readonly string[]>(true);
    },
  );
  handle(
    clicks,
    map(({ value, timestamp }) => ({ ...value, timestamp, half: value.amount / 2 })),
    session({
      gap: { minutes: 5 },
      by: ({ amount }) => amount > 10,
      into: mean(({ half }) => half),
      late: {
        accept: { minutes: 1 },
        then: ({ message }) => void isExactly<typeof message.half, number>(true),
      },
    }),
    ({ key, value }) => {
      isExactly<typeof key, boolean>(true);
      isExactly<typeof value, number>(true);
    },
  );
  handle(
    clicks,
    sliding({
      size: { seconds: 10 },
      into: fold({ init: () => 0, add: (sum, m) => sum + m.value.amount }),
    }),
    ({ value }) => isExactly<typeof value, number>(true),
  );
  handle(
    clicks,
    hopping({ size: 10, every: 5, by: (m) => [m.key, m.partition] as const, into: { n: count() } }),
    ({ key }) => isExactly<typeof key, readonly [string | null, number]>(true),
  );
  handle(
    clicks,
    countWindow({ size: 10, into: collect({ max: 10, of: (m) => m.offset }) }),
    ({ value }) => isExactly<typeof value, number[]>(true),
  );
  // count() alone says nothing of the messages.
  handle(
    clicks,
    tumbling({
      size: 1,
      time: (m) => m.value.at,
      by: (m) => m.value.amount,
      into: count(),
      late: ({ key, message }) => {
        isExactly<typeof key, number>(true);
        return message.value.at;
      },
    }),
    ({ key, value }) => isExactly<[typeof key, typeof value], [number, number]>(true),
  );
  handle(
    clicks,
    session({
      gap: 1,
      into: count(),
      late: { accept: 1, then: ({ key }) => isExactly<typeof key, string>(true) },
    }),
    () => {},
  );
  // @ts-expect-error the messages have no such property
  handle(clicks, tumbling({ size: 1, into: sum((m) => m.nothing) }), () => {});
  // @ts-expect-error a sum needs numbers
  handle(clicks, tumbling({ size: 1, into: sum((m) => m.topic) }), () => {});
}

declare const totals: Cache<{ n: number; sum: number }>;
declare const totalsTopic: Topic<string, { n: number; sum: number }>;

export function aggregationsAreTypedFromTheMessageToTheSink(): void {
  const sink = (pair: readonly [string, { n: number; sum: number }]) => pair;
  const ZERO = { n: 0, sum: 0 };
  handle(
    clicks,
    totals.aggregate(({ n, sum } = ZERO, { value }, { attempt }) => ({
      n: n + attempt,
      sum: sum + value.amount,
    })),
    { name: "totals", state: totals, sink: [totalsTopic, totals, sink] },
  );
  handle(
    clicks,
    map(({ value }) => value),
    totals.aggregate(({ n, sum } = ZERO, { amount }) => ({ n: n + 1, sum: sum + amount }), {
      by: ({ amount }) => amount,
    }),
    { sink: ([key]) => isExactly<typeof key, number>(true) },
  );
  handle(
    clicks,
    totals.aggregate((before = ZERO, { value }) => ({ ...before, sum: value.amount })),
  );
  const add = ({ n, sum } = ZERO, { value }: { value: Click }) => ({ n, sum: sum + value.amount });
  handle(clicks, totals.aggregate(add), { sink });
  // @ts-expect-error a number has no key
  handle([1, 2], totals.aggregate((before = ZERO) => before), {});
  // @ts-expect-error a date is no key of a cache
  handle([{ key: new Date() }], totals.aggregate((before = ZERO) => before), {});
  // @ts-expect-error the cache has other values
  handle(clicks, totals.aggregate(() => 1), {});
  // @ts-expect-error a promise is no value
  handle(clicks, totals.aggregate((before = ZERO) => Promise.resolve(before)), {});
  handle(
    clicks,
    // @ts-expect-error the sink has other values
    totals.aggregate((before = ZERO) => before),
    { sink: results },
  );
}
