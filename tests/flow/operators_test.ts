import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import {
  App,
  batch,
  deadLetter,
  type ExactPipe,
  filter,
  flatMap,
  type FlowFailure,
  HandlerError,
  map,
  type OnError,
  Proxy,
  retry,
  type StatusEvent,
} from "../../mod.ts";
import { ManualClock, settle } from "../../src/testing/mod.ts";
import { Recorder } from "../_support/recorder.ts";

Deno.test("map() passes on what its function returns, promises of it too", async () => {
  const seen: unknown[] = [];
  const app = new App();
  app.handle([1, 2], map((n) => n * 10), (n) => void seen.push(n));
  app.handle(
    ["a"],
    map(async (text) => {
      await settle();
      return text.toUpperCase();
    }),
    (text) => void seen.push(text),
  );
  await app.stream();
  assertEquals(seen, [10, 20, "A"]);
});

Deno.test("map() passes undefined on: it is a message, not a result", async () => {
  const seen: unknown[] = [];
  const app = new App();
  app.handle([1, 2], map(() => undefined), (message) => void seen.push(message));
  await app.stream();
  assertEquals(seen, [undefined, undefined]);
});

Deno.test("map() and filter() call their function with the message only", async () => {
  const calls: unknown[][] = [];
  const app = new App();
  const note = (...args: unknown[]) => calls.push(args) > 0;
  app.handle(["a"], map(note), filter(note), () => {});
  await app.stream();
  assertEquals(calls, [["a"], [true]]);
});

Deno.test("filter() passes on the messages for which its function says true", async () => {
  const seen: number[] = [];
  const app = new App();
  app.handle([1, 2, 3, 4], filter((n) => n % 2 === 0), (n) => void seen.push(n));
  app.handle(
    [5, 6, 7],
    filter(async (n) => {
      await settle();
      return n !== 6;
    }),
    (n) => void seen.push(n),
  );
  await app.stream();
  assertEquals(seen.toSorted(), [2, 4, 5, 7]);
});

Deno.test("map() and filter() acknowledge each message when it is done, also a dropped one", async () => {
  const source = new Recorder([1, 2, 3, 4]);
  const ackedTo: unknown[] = [];
  const app = new App();
  app.handle(
    source,
    filter((n: number) => n % 2 === 0),
    map((n: number) => `${n}`),
    (text: string) => text,
    {
      sink: async (text) => {
        await settle();
        ackedTo.push([text, source.ackedTo]);
      },
    },
  );
  await app.stream();
  assertEquals(ackedTo, [["2", 1], ["4", 3]]);
  assertEquals(source.acknowledged, [0, 1, 2, 3]);
});

const cause = new Error("no number");
const failing = (message: string): boolean => {
  if (message === "x") throw cause;
  return true;
};
const later = async (message: string) => {
  await settle();
  return failing(message);
};
/** Pipes of our own with a function that fails on "x". */
const failingPipes: Record<string, () => ExactPipe<string, unknown>> = {
  map: () => map(failing),
  "map later": () => map(later),
  filter: () => filter(failing),
  "filter later": () => filter(later),
  flatMap: () => flatMap((message) => [failing(message)]),
  "flatMap later": () => flatMap(async (message) => [await later(message)]),
  "flatMap in a generator": () =>
    flatMap(function* (message) {
      yield failing(message);
    }),
  "flatMap in an async generator": () =>
    flatMap(async function* (message) {
      yield await later(message);
    }),
  "flatMap in a promise among its elements": () => flatMap((message) => [later(message)]),
};

for (const [kind, pipe] of Object.entries(failingPipes)) {
  const run = async (onError: OnError | undefined, pipes: ExactPipe<string, unknown> = pipe()) => {
    const source = new Recorder(["1", "x", "2"]);
    const events: StatusEvent[] = [];
    const app = new App({ onStatus: (event) => events.push(event) });
    let seen = 0;
    app.handle(source, pipes, (_message: unknown) => void seen++, { onError, name: "parse" });
    const error = await app.stream().catch((error) => error);
    const told = events.filter(({ type }) => /retry|skipped|dead/.test(type));
    return { source, error, seen, told: told.map(({ type }) => type) };
  };

  Deno.test(`an error in ${kind} stops the app by default, as a HandlerError`, async () => {
    const { source, error, seen } = await run(undefined);
    assert(error instanceof HandlerError);
    assertStrictEquals(error.cause, cause);
    assertEquals(
      [error.flow, error.input, error.root, error.origin, error.others],
      ["parse", "x", "x", "x", []],
    );
    assertEquals([seen, source.acknowledged, source.handedOut], [1, [0], 2]);
  });

  Deno.test(`an error in ${kind} is skipped with its message alone`, async () => {
    const { source, error, seen, told } = await run("skip");
    assertEquals([error, seen, told], [undefined, 2, ["skipped"]]);
    assertEquals(source.acknowledged, [0, 1, 2]);
  });

  Deno.test(`an error in ${kind} becomes a dead letter`, async () => {
    const dead: unknown[] = [];
    const { source, error, seen, told } = await run(deadLetter((error) => {
      dead.push([error.name, error.input, error.origin, error.cause]);
    }));
    assertEquals([error, seen, told], [undefined, 2, ["dead_letter"]]);
    assertEquals(dead, [["HandlerError", "x", "x", cause]]);
    assertEquals(source.acknowledged, [0, 1, 2]);
  });

  Deno.test(`an error in ${kind} meets a policy function, and its retry repeats that call`, async () => {
    const attempts: unknown[] = [];
    const choose: OnError = (error, { attempt }) => {
      attempts.push([error.input, attempt]);
      return retry({ attempts: 2, minDelay: 0.01 }, "skip");
    };
    const { source, error, seen, told } = await run(choose);
    assertEquals([error, seen, attempts], [undefined, 2, [["x", 1]]]);
    assertEquals(told, ["retry", "retry", "skipped"]);
    assertEquals(source.acknowledged, [0, 1, 2]);
  });
}

Deno.test("a retry of map() or filter() that succeeds passes the message on once", async () => {
  const seen: unknown[] = [];
  const app = new App({ onError: retry({ minDelay: 0.01 }) });
  const twice = () => {
    let failures = 2;
    return <T>(message: T): T => {
      if (failures-- > 0) throw new Error("not yet");
      return message;
    };
  };
  const changed = twice();
  const passed = twice();
  app.handle(
    [1],
    map((n: number) => changed(n * 10)),
    filter((n: number) => passed(n > 1)),
    (n, { attempt }) => void seen.push([n, attempt]),
  );
  await app.stream();
  assertEquals(seen, [[10, 1]]);
});

Deno.test("map() in front of batch() counts its attempts for itself", async () => {
  const clock = new ManualClock();
  const source = new Recorder([1], { open: true });
  const done = Promise.withResolvers<void>();
  const seen: unknown[] = [];
  const app = new App({ clock, onError: retry({ minDelay: 1 }) });
  let calls = 0;
  const again = Promise.withResolvers<number>();
  app.handle(
    source,
    map((n: number) => {
      if (n !== 2) return n;
      if (calls++ === 0) throw new Error("not yet");
      return again.promise;
    }),
    batch<number>(5, 100),
    async (some: number[], context) => {
      await done.promise;
      seen.push([some, context.attempt]);
    },
  );
  const streaming = app.stream();
  await clock.tick(100); // the first batch waits in the handler
  source.push(2);
  await settle();
  await clock.tick(1); // and map() is called again for the second message
  assertEquals(calls, 2);
  done.resolve();
  await settle();
  again.resolve(2);
  await settle();
  source.end();
  await streaming;
  assertEquals(seen, [[[1], 1], [[2], 1]]);
});

Deno.test("an error in map() in front of batch() is a dead letter of its message alone", async () => {
  const source = new Recorder([1, 2, 3]);
  const letters = new Proxy<FlowFailure>();
  const dead: unknown[] = [];
  const seen: unknown[] = [];
  const app = new App();
  app.handle(
    source,
    map((n: number) => {
      if (n === 2) throw cause;
      return n * 10;
    }),
    batch<number>(2),
    (some: number[]) => void seen.push(some),
    {
      onError: deadLetter(letters),
    },
  );
  app.handle(letters, ({ input, origin }) => void dead.push([input, origin]));
  await app.stream();
  assertEquals([seen, dead], [[[10, 30]], [[2, 2]]]);
  assertEquals(source.acknowledged.toSorted(), [0, 1, 2]);
});

Deno.test("a handler behind map() that fails is a HandlerError with what map() gave it", async () => {
  const app = new App();
  app.handle([1], map((n) => `message ${n}`), (_text: string) => {
    throw new Error("no");
  });
  const error = await assertRejects(() => app.stream(), HandlerError, "no");
  assertEquals(error.input, "message 1");
});

Deno.test("one map() serves several flows and runs", async () => {
  const seen: number[] = [];
  const double = map((n: number) => n * 2);
  const app = new App();
  app.handle([1], double, (n: number) => void seen.push(n));
  app.handle([2], double, double, (n: number) => void seen.push(n));
  await app.stream();
  await app.stream();
  assertEquals(seen, [2, 8, 2, 8]);
});
