/**
 * What the language's conformance tests (test262: for-await-of, AsyncFromSyncIteratorPrototype) try on iterators.
 * Each case is read by `for await` and by an app; what they got, asked for and threw must be the same.
 */
import { assertEquals } from "@std/assert";
import { App, FlowError, merge, replayable, type Source, toReadable } from "../../mod.ts";
import { settle } from "../../src/testing/mod.ts";

/** How a reader got on. */
interface Reading {
  /** Messages, and what the iterator was asked for, in their order. */
  readonly log: unknown[];
  /** What was thrown: the error itself, or the name of the class where the reader made it. */
  readonly thrown: unknown;
}

/** Makes a source anew for each reader; it writes down what it is asked for. */
type Case = (log: unknown[]) => Source<unknown>;

const BROKEN = new Error("broken");
const fail = (): never => {
  throw BROKEN;
};

/** Writes down every property of `object` that is read. */
function watched<T extends object>(object: T, log: unknown[], name: string): T {
  return new globalThis.Proxy(object, {
    get(target, key) {
      if (typeof key === "string" && key !== "constructor") log.push(`${name}.${key}`);
      return Reflect.get(target, key, target);
    },
  });
}

/** A source whose iterator has these members; `next` is called with the number of the call. */
function handMade(
  kind: "sync" | "async",
  next: unknown,
  rest: Record<string, unknown> | ((log: unknown[]) => object) = {},
): Case {
  return (log) => {
    let calls = 0;
    const members = {
      next: typeof next === "function" ? (...args: unknown[]) => next(++calls, ...args) : next,
    };
    const iterator = Object.defineProperties(
      members,
      Object.getOwnPropertyDescriptors(typeof rest === "function" ? rest(log) : rest),
    );
    const symbol = kind === "sync" ? Symbol.iterator : Symbol.asyncIterator;
    return { [symbol]: () => watched(iterator, log, "iterator") } as unknown as Source<unknown>;
  };
}

const upTo3 = (n: number) => ({ value: n, done: n > 3 });

/** Something that has a `then` and is no promise. */
const thenable = (
  then: (fulfil: (value: unknown) => void, reject: (error: unknown) => void) => void,
) => ({ then });
const atOnce = (value: unknown) => thenable((fulfil) => fulfil(value));

class Subclass<T> extends Promise<T> {}

const nexts: Record<string, unknown> = {
  "plain objects": upTo3,
  "promises": (n: number) => Promise.resolve(upTo3(n)),
  "thenables that answer at once": (n: number) => atOnce(upTo3(n)),
  "thenables that answer later": (n: number) =>
    thenable((fulfil) => queueMicrotask(() => fulfil(upTo3(n)))),
  "thenables that answer twice": (n: number) =>
    thenable((
      fulfil,
      reject,
    ) => (fulfil(upTo3(n)), fulfil({ value: 9, done: false }), reject(BROKEN))),
  "thenables that answer and throw": (n: number) =>
    thenable((fulfil) => (fulfil(upTo3(n)), fail())),
  "a thenable that throws": () => thenable(fail),
  "a thenable that rejects at once": () => thenable((_, reject) => reject(BROKEN)),
  "thenables of thenables": (n: number) => atOnce(atOnce(Promise.resolve(upTo3(n)))),
  "an object whose then cannot be read": () => ({
    get then() {
      return fail();
    },
  }),
  "a promise subclass": (n: number) => Subclass.resolve(upTo3(n)),
  "promises with a then of their own": (n: number) =>
    Object.assign(Promise.resolve(upTo3(n)), { then: fail }),
  "a promise whose constructor cannot be read": () =>
    Object.defineProperty(Promise.resolve(upTo3(1)), "constructor", { get: fail }),
  "a rejected promise": () => Promise.reject(BROKEN),
  "a throw": fail,
  "a throw after a value": (n: number) => n === 2 ? fail() : upTo3(n),
  "undefined": () => undefined,
  "null": () => null,
  "a number": () => 5,
  "a string": () => "abc",
  "a symbol": () => Symbol("x"),
  "a promise of null": () => Promise.resolve(null),
  "an empty object for ever, then the end": (n: number) => n < 3 ? {} : { done: true },
  "functions": (n: number) => Object.assign(() => {}, upTo3(n)),
  "a done that is truthy": (n: number) => ({ value: n, done: n > 2 ? "yes" : 0 }),
  "a done that cannot be read": (n: number) => ({
    value: n,
    get done() {
      return n === 2 ? fail() : false;
    },
  }),
  "a value that cannot be read": (n: number) => ({
    done: false,
    get value() {
      return n === 2 ? fail() : n;
    },
  }),
  "a value that cannot be read at the end": (n: number) => ({
    done: n === 2,
    get value() {
      return n === 2 ? fail() : n;
    },
  }),
  "no function": 5,
  "nothing": undefined,
};

const values: Record<string, (n: number) => unknown> = {
  "promises": (n) => Promise.resolve(n),
  "thenables": (n) => atOnce(n),
  "functions that are thenables": (n) => Object.assign(() => {}, atOnce(n)),
  "a promise subclass": (n) => Subclass.resolve(n),
  "promises with a then of their own": (n) => Object.assign(Promise.resolve(n), { then: fail }),
  "a rejected promise": (n) => n === 2 ? Promise.reject(BROKEN) : n,
  "a promise rejected later": (n) => n === 2 ? settle().then(fail) : Promise.resolve(n),
  "a thenable that throws": (n) => n === 2 ? thenable(fail) : n,
  "an object whose then cannot be read": (n) =>
    n === 2
      ? {
        get then() {
          return fail();
        },
      }
      : n,
  "objects whose then is no function": (n) => ({ n, then: n }),
  "undefined": () => undefined,
  "a promise whose constructor cannot be read": (n) =>
    n === 2 ? Object.defineProperty(Promise.resolve(n), "constructor", { get: fail }) : n,
};

const returns: Record<string, (log: unknown[]) => object> = {
  "absent": () => ({}),
  "undefined": () => ({ return: undefined }),
  "null": () => ({ return: null }),
  "no function": () => ({ return: 5 }),
  "unreadable": () => ({
    get return() {
      return fail();
    },
  }),
  "a function that throws": () => ({ return: fail }),
  "told nothing": (log) => ({ return: (...args: unknown[]) => (log.push(args), { done: true }) }),
  "answered with a promise": () => ({ return: () => Promise.resolve({ done: true }) }),
  "answered with a rejected promise": () => ({ return: () => Promise.reject(BROKEN) }),
  "answered with a thenable": () => ({ return: () => atOnce({ done: true }) }),
  "answered with a thenable that throws": () => ({ return: () => thenable(fail) }),
  "answered with undefined": () => ({ return: () => undefined }),
  "answered with a number": () => ({ return: () => 5 }),
  "answered with a promise of a number": () => ({ return: () => Promise.resolve(5) }),
  "answered with an empty object": () => ({ return: () => ({}) }),
  "answered with a value that rejects": () => ({
    return: () => ({ done: true, value: Promise.reject(BROKEN) }),
  }),
  "answered with a value that cannot be read": () => ({
    return: () => ({
      done: true,
      get value() {
        return fail();
      },
    }),
  }),
};

/** Leaves the iteration after this many messages. */
async function byForAwait(made: Case, most: number): Promise<Reading> {
  const log: unknown[] = [];
  try {
    let seen = 0;
    for await (const message of made(log) as AsyncIterable<unknown>) {
      log.push(message);
      if (++seen === most) break;
    }
  } catch (error) {
    return { log, thrown: named(error) };
  }
  return { log, thrown: undefined };
}

/** Binds a source; the app is aborted after `most` messages. */
async function byApp(
  made: Case,
  most: number,
  as: (source: Source<unknown>) => Source<unknown> = (source) => source,
): Promise<Reading> {
  const log: unknown[] = [];
  const app = new App();
  let seen = 0;
  try {
    app.handle(as(made(log)), (message) => {
      log.push(message);
      if (++seen === most) void app.close();
    });
    await app.stream();
  } catch (error) {
    const others = (error as { others?: unknown[] }).others ?? [];
    assertEquals(others, []);
    return { log, thrown: named(error instanceof FlowError ? error.cause : error) };
  }
  return { log, thrown: undefined };
}

/** Errors that the language makes have other words. */
const named = (error: unknown) => error === BROKEN ? error : (error as Error).constructor.name;

async function assertSame(
  name: string,
  made: Case,
  adapt: (reading: Reading) => Reading = (reading) => reading,
): Promise<void> {
  for (const most of [2, Infinity]) {
    const expected = adapt(await byForAwait(made, most));
    assertEquals([name, most, await byApp(made, most)], [name, most, expected]);
  }
}

Deno.test("a hand-made async iterator is read as for await reads it, whatever next() gives", async () => {
  for (const [name, next] of Object.entries(nexts)) {
    await assertSame(name, handMade("async", next, () => ({ return: () => ({}) })));
  }
});

Deno.test("a hand-made iterator is read as for await reads it, whatever next() gives", async () => {
  for (const [name, next] of Object.entries(nexts)) {
    // A sync iterator whose answers are promises, and so say neither value nor done, never ends.
    if (/^(promise|a promise|thenable|a thenable|a rejected|an object whose)/.test(name)) continue;
    await assertSame(name, handMade("sync", next, () => ({ return: () => ({}) })), unclosed);
  }
});

/** V8 closes an iterator that has failed itself; test262 says that it is not closed (next-throws-no-close). */
const unclosed = ({ log, thrown }: Reading): Reading => ({
  log: thrown === undefined ? log : log.filter((entry) => entry !== "iterator.return"),
  thrown,
});

Deno.test("promises among the values of an iterable are awaited, as for await does", async () => {
  for (const [name, value] of Object.entries(values)) {
    const next = (n: number) => n < 4 ? { value: value(n), done: false } : { done: true };
    await assertSame(name, handMade("sync", next, { return: () => ({}) }));
    await assertSame(
      `${name}, to its end`,
      handMade("sync", (n: number) => ({ value: value(n), done: n === 2 })),
    );
  }
});

Deno.test("the values of an async iterable are not awaited, as for await does not", async () => {
  for (const value of [Promise.resolve(1), atOnce(1)]) {
    const next = (n: number) => ({ value, done: n > 2 });
    await assertSame("a promise", handMade("async", next));
  }
});

Deno.test("an iterator is closed as for await closes it, whatever return() is and gives", async () => {
  for (const [name, rest] of Object.entries(returns)) {
    for (const kind of ["sync", "async"] as const) {
      // What is not awaited and rejects ends the process, as anywhere.
      const unheard = kind === "sync"
        ? "answered with a rejected promise"
        : "answered with a value that rejects";
      if (name === unheard) continue;
      await assertSame(`${kind}, return is ${name}`, handMade(kind, upTo3, rest));
    }
  }
});

Deno.test("merge(), toReadable() and fan-out read hand-made iterators as for await does", async () => {
  const cases = {
    ...Object.fromEntries(
      Object.entries(nexts).map(([name, next]) => [name, handMade("async", next)]),
    ),
    ...Object.fromEntries(
      Object.entries(values).map(([name, value]) => [
        name,
        handMade("sync", (n: number) => ({ value: value(n), done: n === 3 })),
      ]),
    ),
  };
  for (const [name, made] of Object.entries(cases)) {
    const expected = await byForAwait(made, Infinity);
    assertEquals([name, await byApp(made, Infinity, (source) => merge(source, []))], [
      name,
      expected,
    ]);

    const asked: unknown[] = [];
    const chunks: unknown[] = [];
    const thrown = await Array.fromAsync(toReadable(made(asked)), (chunk) => chunks.push(chunk))
      .then(() => undefined, named);
    const messages = expected.log.filter((entry) => !String(entry).startsWith("iterator."));
    assertEquals([name, chunks, thrown], [name, messages, expected.thrown]);

    const source = made([]);
    const [first, second]: [unknown[], unknown[]] = [[], []];
    const app = new App();
    app.handle(source, (message) => void first.push(message));
    app.handle(source, (message) => void second.push(message));
    await app.stream().catch(() => {});
    assertEquals([name, first, second], [name, messages, messages]);
  }
});

Deno.test("replayable() reads what read() returns as for await does", async () => {
  for (const [name, next] of Object.entries(nexts)) {
    const made = handMade("async", next, () => ({ return: () => ({}) }));
    const expected = await byForAwait(made, 2);
    const read = (source: Source<unknown>) =>
      replayable({ name, read: () => source as AsyncIterable<unknown>, position: () => 0 });
    assertEquals([name, await byApp(made, 2, read)], [name, expected]);
  }
});

Deno.test("what a pipe function returns is read as for await does", async () => {
  for (const [name, next] of Object.entries(nexts)) {
    const made = handMade("async", next, () => ({ return: () => ({}) }));
    const expected = await byForAwait(made, Infinity);
    const log: unknown[] = [];
    const app = new App();
    app.handle([0], () => made(log) as AsyncIterable<unknown>, (message) => void log.push(message));
    const thrown = await app.stream().then(() => undefined, ({ cause }) => named(cause));
    assertEquals([name, { log, thrown }], [name, expected]);
  }
});

Deno.test("an iterator is closed once when the app stops while a promise of it is awaited", async () => {
  for (const outcome of ["fulfilled", "rejected"]) {
    const promised = Promise.withResolvers<number>();
    let returned = 0;
    const source: Iterable<Promise<number>> = {
      [Symbol.iterator]: () => ({
        next: () => ({ done: false, value: promised.promise }),
        return: () => (returned++, { done: true, value: undefined }),
      }),
    };
    const seen: number[] = [];
    const app = new App();
    app.handle(source, (n) => void seen.push(n));
    const streaming = app.stream();
    await settle();
    await app.close();
    await streaming;
    if (outcome === "fulfilled") promised.resolve(1);
    else promised.reject(BROKEN);
    await settle();
    assertEquals([outcome, returned, seen], [outcome, 1, []]);
  }
});
