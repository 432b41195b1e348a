import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { App, filter, HandlerError, map, PipeError } from "../../mod.ts";
import { settle } from "../../src/testing/mod.ts";
import { Recorder } from "../_support/recorder.ts";

Deno.test("map() passes on what its function returns, promises of it too", async () => {
  const seen: unknown[] = [];
  const app = new App();
  app.handle([1, 2], (n) => void seen.push(n), { pipe: map((n) => n * 10) });
  app.handle(["a"], (text) => void seen.push(text), {
    pipe: map(async (text) => {
      await settle();
      return text.toUpperCase();
    }),
  });
  await app.stream();
  assertEquals(seen, [10, 20, "A"]);
});

Deno.test("map() passes undefined on: it is a message, not a result", async () => {
  const seen: unknown[] = [];
  const app = new App();
  app.handle([1, 2], (message) => void seen.push(message), { pipe: map(() => undefined) });
  await app.stream();
  assertEquals(seen, [undefined, undefined]);
});

Deno.test("map() and filter() call their function with the message only", async () => {
  const calls: unknown[][] = [];
  const app = new App();
  const note = (...args: unknown[]) => calls.push(args) > 0;
  app.handle(["a"], () => {}, { pipe: [map(note), filter(note)] });
  await app.stream();
  assertEquals(calls, [["a"], [true]]);
});

Deno.test("filter() passes on the messages for which its function says true", async () => {
  const seen: number[] = [];
  const app = new App();
  app.handle([1, 2, 3, 4], (n) => void seen.push(n), { pipe: filter((n) => n % 2 === 0) });
  app.handle([5, 6, 7], (n) => void seen.push(n), {
    pipe: filter(async (n) => {
      await settle();
      return n !== 6;
    }),
  });
  await app.stream();
  assertEquals(seen.toSorted(), [2, 4, 5, 7]);
});

Deno.test("map() and filter() acknowledge each message when it is done, also a dropped one", async () => {
  const source = new Recorder([1, 2, 3, 4]);
  const watermarks: unknown[] = [];
  const app = new App();
  app.handle(source, (text: string) => text, {
    pipe: [filter((n: number) => n % 2 === 0), map((n: number) => `${n}`)],
    sink: async (text) => {
      await settle();
      watermarks.push([text, source.watermark]);
    },
  });
  await app.stream();
  assertEquals(watermarks, [["2", 1], ["4", 3]]);
  assertEquals(source.acknowledged, [0, 1, 2, 3]);
});

Deno.test("a function of map() or filter() that fails stops the app with a PipeError", async () => {
  const cause = new Error("no number");
  const failing = (message: string): boolean => {
    if (message === "x") throw cause;
    return true;
  };
  const later = async (message: string) => {
    await settle();
    return failing(message);
  };
  for (const pipe of [map(failing), map(later), filter(failing), filter(later)]) {
    const source = new Recorder(["1", "x", "2"]);
    const app = new App();
    app.handle(source, (_message: unknown) => {}, { pipe, onError: "skip", name: "parse" });
    const error = await assertRejects(() => app.stream(), PipeError, 'in flow "parse": no number');
    assertStrictEquals(error.cause, cause);
    assertEquals([source.watermark, source.handedOut, error.others], [1, 2, []]);
  }
});

Deno.test("a handler behind map() that fails is a HandlerError with what map() gave it", async () => {
  const app = new App();
  app.handle([1], (_text: string) => {
    throw new Error("no");
  }, { pipe: map((n) => `message ${n}`) });
  const error = await assertRejects(() => app.stream(), HandlerError, "no");
  assertEquals(error.input, "message 1");
});

Deno.test("one map() serves several flows and runs", async () => {
  const seen: number[] = [];
  const double = map((n: number) => n * 2);
  const app = new App();
  app.handle([1], (n: number) => void seen.push(n), { pipe: double });
  app.handle([2], (n: number) => void seen.push(n), { pipe: [double, double] });
  await app.stream();
  await app.stream();
  assertEquals(seen, [2, 8, 2, 8]);
});
