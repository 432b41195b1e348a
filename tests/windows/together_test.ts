/** Windows together with the rest of the library. */
import { assertEquals, assertRejects } from "@std/assert";
import {
  App,
  batch,
  Cache,
  deadLetter,
  HandlerError,
  JsonCodec,
  map,
  MemoryCache,
  merge,
  Proxy,
  retry,
} from "../../mod.ts";
import { encodeKey } from "../../src/cache/keys.ts";
import { openState } from "../../src/flow/state/state.ts";
import { Topic } from "../../src/kafka/mod.ts";
import { MemoryBroker } from "../../src/kafka/memory/mod.ts";
import { collect, count, fold, session, tumbling } from "../../src/windows/mod.ts";
import { temporaryFolder } from "../_support/temporary.ts";
import { until } from "../_support/processes.ts";
import { type Timed, WindowSource } from "../_support/window_source.ts";

const MINUTE = 60_000;
const at = (timestamp: number, key = "a"): Timed => ({ key, timestamp });
const open = () => new MemoryCache<number>({ maxBytes: Infinity });

Deno.test("a flow beside a window reads the same source, and keeps its state in the same store", async () => {
  await using state = open();
  const source = new WindowSource();
  const seen: unknown[] = [];
  const app = new App();
  app.handle(source, tumbling({ size: MINUTE, into: count() }), async ({ id, value }) => {
    await state.update(["given", id], (times = 0) => times + 1);
    seen.push([id, value]);
  }, { name: "windows", state });
  app.handle(source, async ({ key }) => {
    await state.update(key, (n = 0) => n + 1);
  }, { name: "counts", state });
  source.send([at(0), at(1), at(MINUTE), at(MINUTE + 1, "b")]);
  source.end();
  await app.stream();
  assertEquals(seen, [["0/a/0", 2], ["0/a/60000", 1], ["0/b/60000", 1]]);
  assertEquals([await state.get("a"), await state.get("b")], [3, 1]);
  assertEquals(await state.get(["given", "0/a/0"]), 1);
});

Deno.test("two windows over one source are two flows with windows of their own", async () => {
  await using state = open();
  const source = new WindowSource();
  const seen: unknown[] = [];
  const app = new App();
  const bind = (name: string, size: number) =>
    app.handle(source, tumbling({ size, into: count() }), ({ start, end, value }) => {
      seen.push([name, start, end, value]);
    }, { name, state });
  bind("short", 10);
  bind("long", 100);
  source.send([at(1), at(11), at(12), at(100)]);
  source.end();
  await app.stream();
  assertEquals(seen.filter((each) => (each as string[])[0] === "short"), [
    ["short", 0, 10, 1],
    ["short", 10, 20, 2],
    ["short", 100, 110, 1],
  ]);
  assertEquals(seen.filter((each) => (each as string[])[0] === "long"), [
    ["long", 0, 100, 3],
    ["long", 100, 200, 1],
  ]);
});

for (const merged of [false, true]) {
  const of = merged ? " of a merge" : "";
  Deno.test(`what an aggregate writes to the state is undone with the message${of} that it fails on`, () =>
    undoesAggregates(merged));
}

async function undoesAggregates(merged: boolean): Promise<void> {
  await using state = open();
  const source = new WindowSource();
  const other = new WindowSource(1, "other");
  const seen: unknown[] = [];
  const app = new App({ onError: "skip" });
  const into = fold({
    init: () => 0,
    add(n: number, { timestamp }: Timed) {
      void state.set(["read", timestamp], n).catch(() => {});
      if (timestamp === 2) throw new RangeError("two is refused");
      return n + 1;
    },
  });
  const from = merged ? merge(source, other) : source;
  app.handle(from, tumbling({ size: MINUTE, into }), async ({ value }) => {
    await state.set("given", value);
    seen.push(value);
  }, { name: "windows", state });
  // More than a turn of the hub, which is entered for all of its messages at once.
  const times = Array.from({ length: 600 }, (_, n) => n);
  source.send(times.filter((time) => !merged || time % 2 === 0).map((time) => at(time)));
  if (merged) other.send(times.filter((time) => time % 2 === 1).map((time) => at(time)));
  source.end();
  other.end();
  await app.stream();
  assertEquals(seen, merged ? [299, 300] : [599]);
  const read = await Array.fromAsync(
    state.keys({ prefix: ["read"] }),
    (key) => (key as number[])[1],
  );
  assertEquals(read, times.filter((time) => time !== 2));
}

Deno.test("results go through a Proxy to a flow that writes to the same state, once", async () => {
  await using state = open();
  const source = new WindowSource();
  const proxy = new Proxy<number>();
  const app = new App();
  app.handle(source, tumbling({ size: MINUTE, into: count() }), ({ value }) => value, {
    name: "windows",
    state,
    sink: proxy,
  });
  app.handle(proxy, async (value) => {
    await state.update("total", (total = 0) => total + value);
  }, { name: "behind", state });
  source.send([at(0), at(1), at(MINUTE), at(MINUTE, "b")]);
  source.end();
  await app.stream();
  assertEquals(await state.get("total"), 4);
});

Deno.test("a pipe may stand before a window, and after it", async () => {
  const seen: unknown[] = [];
  const app = new App();
  app.handle(
    [[0, "x"], [5, "y"], [25, "z"]] as [number, string][],
    map(async ([timestamp, name]) => await Promise.resolve({ key: "a", timestamp, name })),
    tumbling({ size: 10, into: collect({ max: 9, of: ({ name }) => name }) }),
    map(({ start, value }) => `${start}${value.join("")}`),
    batch(5),
    (texts) => void seen.push(texts),
    {},
  );
  await app.stream();
  assertEquals(seen, [["0xy", "20z"]]);
});

Deno.test("results that had not left when the app was stopped come after it, and the others do not", async () => {
  await using state = open();
  const keys = Array.from({ length: 200 }, (_, n) => n);
  const rounds: number[][] = [];
  // It stops within a row of results, then at the end of the last one.
  for (const most of [100, 30, 70]) {
    const source = new WindowSource();
    const seen: number[] = [];
    rounds.push(seen);
    const app = new App();
    app.handle(
      source,
      tumbling({ size: 10, by: ({ key }: Timed) => Number(key), into: count() }),
      (result) => {
        if (result.start !== 0) return;
        seen.push(result.key as number);
        if (seen.length === most) app.close();
      },
      { name: "windows", state },
    );
    source.send([...keys.map((key) => at(1, String(key))), at(20, "0")]);
    await app.stream();
  }
  assertEquals(rounds.map(({ length }) => length), [100, 30, 70]);
  assertEquals(rounds.flat(), keys);
  const left = state[openState]().rows.scan(encodeKey(["windows", "window", "out"]));
  assertEquals(Array.from(left, ([, value]) => value), [200]);
});

Deno.test("a failing handler of results is retried, and no message is counted again", async () => {
  await using state = open();
  const source = new WindowSource();
  const seen: unknown[] = [];
  const app = new App({ onError: retry({ attempts: 3, minDelay: 1, maxDelay: 1 }) });
  app.handle(source, tumbling({ size: MINUTE, into: count() }), async ({ value }, { attempt }) => {
    await state.update("calls", (calls = 0) => calls + 1); // undone with the call that fails
    if (attempt < 3) throw new Error("not yet");
    seen.push([value, attempt]);
  }, { name: "windows", state });
  source.send([at(0), at(1)]);
  source.end();
  await app.stream();
  assertEquals(seen, [[2, 3]]);
  assertEquals(await state.get("calls"), 1);
});

Deno.test("a result that fails for good stays in the state, and comes again", async () => {
  await using folder = await temporaryFolder();
  const source = new WindowSource();
  source.send([at(0), at(1)]);
  source.end();
  const stream = async (fails: boolean) => {
    await using state = await Cache.open(`${folder.path}/state`, { maxBytes: Infinity });
    const seen: unknown[] = [];
    const app = new App();
    app.handle(source, tumbling({ size: MINUTE, into: count() }), ({ id, value, revision }) => {
      if (fails) throw new Error("no");
      seen.push([id, value, revision]);
    }, { name: "windows", state });
    await app.stream();
    return seen;
  };
  const error = await assertRejects(() => stream(true), HandlerError);
  assertEquals((error.input as { id: string }).id, "0/a/0");
  assertEquals(await stream(false), [["0/a/0", 2, 1]]);
  assertEquals(await stream(false), []);
});

Deno.test("a handler of results has the time limit of its flow", async () => {
  const errors: unknown[] = [];
  const app = new App({ onError: deadLetter((error) => errors.push(error.cause)) });
  app.handle(
    [at(0)],
    tumbling({ size: MINUTE, into: count() }),
    (_, { signal }) =>
      new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve())),
    { handlerTimeout: 5 },
  );
  await app.stream();
  assertEquals((errors[0] as Error).name, "TimeoutError");
});

Deno.test("partitions that are added to a topic take part in windows of all partitions", async () => {
  await using broker = new MemoryBroker();
  await broker.ensure("in", { partitions: 1 });
  await using source = new Topic("in", {
    broker,
    groupId: "g",
    offset: "earliest",
    maxWaitTimeInMs: 20,
  });
  await using state = open();
  const base = Math.floor(Date.now() / MINUTE) * MINUTE - 10 * MINUTE;
  const send = (partition: number, offset: number) =>
    source.send({ value: "", partition, timestamp: base + offset });
  await send(0, 0);
  const seen: unknown[] = [];
  const app = new App({ commit: { interval: 20 } });
  app.handle(
    source,
    tumbling({ size: MINUTE, by: () => "all", idle: "hold", into: count() }),
    ({ start, value }) => void seen.push([start - base, value]),
    { name: "windows", state },
  );
  const streaming = app.stream();
  await until(async () => (await source.lag()).get(0) === 0);
  await broker.grow("in", 2);
  await send(1, 5);
  await send(1, MINUTE);
  await send(0, MINUTE);
  await until(() => seen.length === 1);
  assertEquals(seen, [[0, 2]]); // the first minute has the message of the new partition
  await app.close();
  await streaming;
});

Deno.test("a Topic takes results, and late messages, and its dead letters are results", async () => {
  await using broker = new MemoryBroker();
  await broker.ensure("in", { partitions: 2 });
  const topic = <V>(name: string) =>
    new Topic<string, V>(name, {
      broker,
      groupId: "g",
      offset: "earliest",
      codec: new JsonCodec<V>(),
    });
  await using source = topic<number>("in");
  await using results = topic<unknown>("results");
  await using letters = topic<unknown>("letters");
  await using lates = topic<unknown>("lates");
  await using state = open();
  const base = Math.floor(Date.now() / MINUTE) * MINUTE - 10 * MINUTE;
  const send = (value: number, offset: number, key = "a") =>
    source.send({ key, value, partition: 0, timestamp: base + offset });
  await send(1, 0);
  await send(2, 0, "b");
  await send(3, 2 * MINUTE);
  await send(4, 10);
  const stop = new AbortController();
  const app = new App({ commit: { interval: 20 }, onError: deadLetter(letters) });
  app.handle(
    source,
    session({
      gap: 1000,
      into: collect({ max: 5, of: ({ value }) => value }),
      late: {
        write: ({ message, partition, position }) =>
          lates.send({ key: message.key, value: { of: message.value, partition, position } }),
      },
    }),
    ({ id, key, value }) => {
      if (key === "b") throw new Error("no");
      return [id, value] as const;
    },
    { name: "windows", state, sink: results },
  );
  const streaming = app.stream({ signal: stop.signal });
  const ends = async (of: Topic<string, unknown>) => {
    const offsets = await of.offsets().catch(() => new Map());
    return [...offsets.values()].reduce((sum, { high }) => sum + high, 0);
  };
  await until(async () =>
    await ends(results) >= 2 && await ends(letters) >= 1 && await ends(lates) >= 1
  );
  stop.abort();
  await streaming;
  const first = async (of: Topic<string, unknown>) => {
    for await (const { key, value } of of) return [key, value];
    return undefined;
  };
  assertEquals(await first(results), [`0/a/${base}`, [1]]);
  assertEquals(await first(lates), ["a", { of: 4, partition: 0, position: 4 }]);
  assertEquals((await first(letters))?.[0], null);
});
