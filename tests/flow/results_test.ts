import { assertEquals, assertInstanceOf, assertRejects, assertStrictEquals } from "@std/assert";
import { App, HandlerError, type Result, SinkError } from "../../mod.ts";
import { settle } from "../../src/testing/mod.ts";

/** Returns what reaches the sink when a handler gives `result`. */
async function sunk(result: () => Result<unknown>): Promise<unknown[]> {
  const values: unknown[] = [];
  const app = new App();
  app.handle([1], result, { sink: (value) => void values.push(value) });
  await app.stream();
  return values;
}

Deno.test("undefined goes to no sink, however it is given", async () => {
  assertEquals(await sunk(() => undefined), []);
  assertEquals(await sunk(() => {}), []);
  assertEquals(await sunk(() => Promise.resolve(undefined)), []);
  assertEquals(
    await sunk(function* () {
      yield undefined;
      yield 1;
      yield undefined;
    }),
    [1],
  );
  assertEquals(
    await sunk(async function* () {
      yield undefined;
      yield 1;
      await settle();
      yield undefined;
    }),
    [1],
  );
});

Deno.test("null and other values that are not true go to the sinks", async () => {
  for (const value of [null, 0, "", false, NaN, 0n]) {
    assertEquals(await sunk(() => value), [value]);
    assertEquals(await sunk(() => Promise.resolve(value)), [value]);
  }
  assertEquals(
    await sunk(function* () {
      yield null;
      yield 0;
    }),
    [null, 0],
  );
});

Deno.test("arrays, strings, Maps, Sets and iterators are values, not lists of results", async () => {
  const iterator = { [Symbol.iterator]: () => [1, 2][Symbol.iterator]() };
  for (
    const value of [[1, 2], "text", new Map([[1, 2]]), new Set([1]), iterator, new Uint8Array(2)]
  ) {
    const values = await sunk(() => value);
    assertEquals(values.length, 1);
    assertStrictEquals(values[0], value);
  }
});

Deno.test("a function is a value and is not called", async () => {
  const value = () => {
    throw new Error("called");
  };
  assertEquals(await sunk(() => value), [value]);
});

Deno.test("an object that can be awaited is awaited", async () => {
  const thenable = { then: (resolve: (value: number) => void) => resolve(7) };
  assertEquals(await sunk(() => thenable as unknown as Promise<number>), [7]);
});

Deno.test("a generator that is not a handler's own is spread as well", async () => {
  const inner = function* () {
    yield 1;
    yield 2;
  };
  assertEquals(await sunk(() => inner()), [1, 2]);
});

Deno.test("a generator's return value is ignored", async () => {
  const plain = function* () {
    yield 1;
    return 2;
  };
  const later = async function* () {
    yield 1;
    return 2;
  };
  assertEquals(await sunk(plain as () => Result<unknown>), [1]);
  assertEquals(await sunk(later as () => Result<unknown>), [1]);
});

Deno.test("a generator resumes only after its yield is in every sink", async () => {
  for (const kind of ["sync", "async"]) {
    const events: string[] = [];
    const letters = function* () {
      yield "a";
      events.push("resumed");
      yield "b";
      events.push("resumed");
    };
    const lettersLater = async function* () {
      yield* letters();
    };
    const app = new App();
    app.handle([1], kind === "sync" ? letters : lettersLater, {
      sink: [async (letter) => {
        await settle();
        events.push(`first ${letter}`);
      }, async (letter) => {
        await settle();
        events.push(`second ${letter}`);
      }],
    });
    await app.stream();
    assertEquals(events, [
      "first a",
      "second a",
      "resumed",
      "first b",
      "second b",
      "resumed",
    ]);
  }
});

Deno.test("a generator reads back what a sink stored for the yield before", async () => {
  const stored: number[] = [];
  const read: number[] = [];
  const app = new App();
  app.handle([1, 2], function* (n) {
    read.push(stored.length);
    yield n;
    read.push(stored.length);
    yield n;
  }, { sink: (n) => stored.push(n) });
  await app.stream();
  assertEquals(read, [0, 1, 2, 3]);
});

Deno.test("a generator is closed by return() when a sink fails, and never sees the sink's error", async () => {
  for (const sinkKind of ["throws", "rejects"]) {
    for (const failsAt of [1, 2]) {
      for (const kind of ["sync", "async"]) {
        const events: string[] = [];
        const numbers = function* () {
          try {
            yield 1;
            yield 2;
            yield 3;
          } catch {
            events.push("caught");
          } finally {
            events.push("closed");
          }
        };
        const numbersLater = async function* () {
          try {
            yield 1;
            await settle();
            yield 2;
            yield 3;
          } catch {
            events.push("caught");
          } finally {
            await settle();
            events.push("closed");
          }
        };
        const cause = new Error("full");
        const app = new App();
        app.handle(["message"], kind === "sync" ? numbers : numbersLater, {
          sink: (n) => {
            events.push(`got ${n}`);
            if (n < failsAt) return sinkKind === "throws" ? undefined : settle();
            if (sinkKind === "throws") throw cause;
            return Promise.reject(cause);
          },
        });
        const error = await assertRejects(() => app.stream(), SinkError, "full");
        assertStrictEquals(error.cause, cause);
        assertEquals([error.output, error.input], [failsAt, "message"]);
        assertEquals(events, [...[1, 2].slice(0, failsAt).map((n) => `got ${n}`), "closed"]);
      }
    }
  }
});

Deno.test("an error thrown while a generator is closed is added to the sink's error", async () => {
  const closing = new Error("cannot close");
  function* numbers() {
    try {
      yield 1;
    } finally {
      // deno-lint-ignore no-unsafe-finally -- it is what the test is about
      throw closing;
    }
  }
  const app = new App();
  app.handle([1], numbers, {
    sink: () => {
      throw new Error("full");
    },
  });
  const error = await assertRejects(() => app.stream(), Error, "full");
  const [other] = (error as SinkError & { others: unknown[] }).others;
  assertInstanceOf(other, HandlerError);
  assertStrictEquals(other.cause, closing);
});

Deno.test("an error of each kind of handler is a HandlerError with its message", async () => {
  const cause = new Error("no");
  const handlers: Record<string, () => Result<unknown>> = {
    plain: () => {
      throw cause;
    },
    async: () => Promise.reject(cause),
    // deno-lint-ignore require-yield
    generator: function* () {
      throw cause;
    },
    "generator, later": function* () {
      yield 1;
      throw cause;
    },
    // deno-lint-ignore require-yield
    "async generator": async function* () {
      throw cause;
    },
    "async generator, later": async function* () {
      yield 1;
      throw cause;
    },
  };
  for (const [name, handler] of Object.entries(handlers)) {
    for (const sink of [() => {}, () => settle()]) {
      const app = new App();
      app.handle(["message"], handler, { sink, name });
      const error = await assertRejects(() => app.stream(), HandlerError, `in flow "${name}"`);
      assertStrictEquals(error.cause, cause);
      assertEquals([error.input, error.flow, error.others], ["message", name, []]);
    }
  }
});
