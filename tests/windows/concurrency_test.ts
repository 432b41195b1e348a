/** Windows in concurrent flows, and beside them: rule 8 of NEXT.md, section 2. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  App,
  batch,
  Cache,
  deadLetter,
  filter,
  flatMap,
  map,
  MemoryCache,
  merge,
  replayable,
  retry,
  type StatusEvent,
} from "../../mod.ts";
import { RootMessage } from "../../src/flow/state/root_message.ts";
import type { StateRows } from "../../src/flow/state/state.ts";
import { Topic } from "../../src/kafka/mod.ts";
import { MemoryBroker } from "../../src/kafka/memory/mod.ts";
import { ManualClock, settle } from "../../src/testing/mod.ts";
import { collect, count, countWindow, fold, type Late, tumbling } from "../../src/windows/mod.ts";
import { Outbox } from "../../src/windows/outbox.ts";
import { until } from "../_support/processes.ts";
import { temporaryFolder } from "../_support/temporary.ts";
import { type Timed, WindowSource } from "../_support/window_source.ts";

const at = (timestamp: number, key = "a"): Timed => ({ key, timestamp });
const open = () => new MemoryCache<unknown>({ maxBytes: Infinity });
const times = { max: 100, of: ({ timestamp }: Timed) => timestamp };

async function rest(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await settle();
}

/** Time passes in which commits are due, and results that they bring leave. */
async function commit(clock: ManualClock): Promise<void> {
  for (let round = 0; round < 20; round++) {
    await clock.tick(500);
    await rest();
  }
}

/** Calls that are open until they are let go, by what they are about. */
class Calls<K> {
  readonly begun: K[] = [];
  readonly #open = new Map<K, PromiseWithResolvers<void>>();

  call(key: K): Promise<void> {
    this.begun.push(key);
    const call = Promise.withResolvers<void>();
    this.#open.set(key, call);
    return call.promise;
  }

  /** Those that are open. */
  get open(): K[] {
    return [...this.#open.keys()];
  }

  /** Ends calls, one after the other, and waits for what follows each. */
  async end(...keys: K[]): Promise<void> {
    for (const key of keys) await this.#settle(key, (call) => call.resolve());
  }

  fail(key: K): Promise<void> {
    return this.#settle(key, (call) => call.reject(new Error(`no ${key}`)));
  }

  async #settle(key: K, how: (call: PromiseWithResolvers<void>) => void): Promise<void> {
    const call = this.#open.get(key);
    assert(call !== undefined, `${key} is not open`);
    this.#open.delete(key);
    how(call);
    await rest();
  }
}

/** Each message waits in a map() until its call is ended; each window has one message. */
function waiting(calls: Calls<number>, admitted: number[]) {
  return [
    map((message: Timed) => calls.call(message.timestamp).then(() => message)),
    countWindow({
      size: 100,
      into: fold({
        init: () => 0,
        add: (n: number, { timestamp }: Timed) => {
          admitted.push(timestamp);
          return n + 1;
        },
      }),
    }),
  ] as const;
}

Deno.test("rule 8: pipes before a window run concurrently, and it has the messages of a partition in their order", async () => {
  const source = new WindowSource(2);
  const calls = new Calls<number>();
  const admitted: number[] = [];
  await using state = open();
  const app = new App();
  app.handle(source, ...waiting(calls, admitted), () => {}, {
    name: "windows",
    state,
    concurrency: { max: 3, by: "none" },
  });
  source.send([at(0), at(1), at(2), at(3)]);
  source.send([at(10), at(11)], 1);
  source.end();
  const streamed = app.stream();
  await rest();
  assertEquals(calls.open, [0, 1, 2]);
  await calls.end(2, 1); // they wait for 0, and give up their slots
  assertEquals([calls.open, admitted], [[0, 3, 10], []]);
  await calls.end(10); // the other partition waits for nothing
  assertEquals([calls.open, admitted, source.done], [[0, 3, 11], [10], [0, 1]]);
  await calls.end(0);
  assertEquals([calls.open, admitted, source.done], [[3, 11], [10, 0, 1, 2], [3, 1]]);
  await calls.end(11, 3);
  await streamed;
  assertEquals(admitted, [10, 0, 1, 2, 11, 3]);
});

Deno.test("rule 8: what is filtered out, fails or makes several gives up or keeps its place", async () => {
  for (
    const onError of ["skip" as const, deadLetter(() => {}), retry({ attempts: 1, minDelay: 0 })]
  ) {
    const source = new WindowSource();
    const calls = new Calls<number>();
    const admitted: number[] = [];
    await using state = open();
    const app = new App({ onError });
    const [wait, window] = waiting(calls, admitted);
    app.handle(source, filter(({ timestamp }) => timestamp !== 1), wait, window, () => {}, {
      name: "windows",
      state,
      concurrency: { max: 4, by: "none" },
    });
    source.send([at(0), at(1), at(2), at(3)]);
    source.end();
    const streamed = app.stream();
    await rest();
    assertEquals(calls.open, [0, 2, 3]);
    await calls.end(3);
    await calls.fail(0);
    if (typeof onError === "object" && "retry" in onError) {
      while (!calls.open.includes(0)) await rest();
      assertEquals(admitted, []); // it keeps its place
      await calls.end(0);
      assertEquals(admitted, [0]);
      await calls.end(2);
      assertEquals(admitted, [0, 2, 3]);
    } else {
      await calls.end(2);
      assertEquals(admitted, [2, 3]);
    }
    await streamed;
  }
});

Deno.test("rule 8: what flatMap() makes of a message reaches the window together", async () => {
  const source = new WindowSource();
  const calls = new Calls<number>();
  const seen: unknown[] = [];
  await using state = open();
  const app = new App();
  app.handle(
    source,
    flatMap(async (message: Timed) => {
      await calls.call(message.timestamp);
      return [message, { ...message, timestamp: message.timestamp + 0.5 }];
    }),
    countWindow({ size: 4, into: collect(times) }),
    ({ value }) => void seen.push(value),
    { name: "windows", state, concurrency: { max: 2, by: "none" } },
  );
  source.send([at(0), at(1)]);
  source.end();
  const streamed = app.stream();
  await rest();
  await calls.end(1, 0);
  await streamed;
  assertEquals(seen, [[0, 0.5, 1, 1.5]]);
});

Deno.test("rule 8: messages that wait for one before them count for ahead, which bounds them", async () => {
  const source = new WindowSource();
  const calls = new Calls<number>();
  const admitted: number[] = [];
  const events: StatusEvent[] = [];
  const clock = new ManualClock();
  await using state = open();
  const app = new App({ clock, onStatus: (event) => events.push(event) });
  app.handle(source, ...waiting(calls, admitted), () => {}, {
    name: "windows",
    state,
    concurrency: { max: 2, by: "none", ahead: 4 },
  });
  source.send([0, 1, 2, 3, 4, 5].map((time) => at(time)));
  source.end();
  const streamed = app.stream();
  await rest();
  await calls.end(1, 2, 3);
  assertEquals([calls.open, admitted], [[0], []]); // 4 is not read
  await clock.tick(1_000);
  await rest();
  const [blocked] = events.filter(({ type }) => type === "blocked");
  assertEquals(blocked, {
    type: "blocked",
    source: "source",
    bound: "ahead",
    partition: undefined,
    offset: undefined,
    key: "a",
    ageMs: 1_000,
    waiting: 3,
  });
  await calls.end(0);
  assertEquals([calls.open, admitted], [[4, 5], [0, 1, 2, 3]]);
  await calls.end(5, 4);
  await Promise.all([streamed, clock.tick(1_000)]);
  assertEquals(admitted, [0, 1, 2, 3, 4, 5]);
});

Deno.test("rule 8: a message that fails in the window is retried before the next one is taken in", async () => {
  const source = new WindowSource();
  const calls = new Calls<number>();
  const tried: number[] = [];
  const seen: unknown[] = [];
  await using state = open();
  const app = new App({ onError: retry({ attempts: 2, minDelay: 1, maxDelay: 1 }) });
  const into = fold({
    init: (): number[] => [],
    add(times: number[], { timestamp }: Timed) {
      tried.push(timestamp);
      if (timestamp === 0 && tried.length < 3) throw new Error("not yet");
      return [...times, timestamp];
    },
  });
  app.handle(
    source,
    map((message: Timed) => calls.call(message.timestamp).then(() => message)),
    countWindow({ size: 3, into }),
    ({ value }) => void seen.push(value),
    { name: "windows", state, concurrency: { max: 3, by: "none" } },
  );
  source.send([at(0), at(1), at(2)]);
  source.end();
  const streamed = app.stream();
  await rest();
  await calls.end(2, 1, 0);
  await streamed;
  assertEquals([tried, seen], [[0, 0, 0, 1, 2], [[0, 1, 2]]]);
});

Deno.test("rule 8: results are handled concurrently, those of one key in order, and never more than max", async () => {
  for (const inMemory of [false, true]) {
    const calls = new Calls<string>();
    await using state = open();
    const app = new App({ commit: { interval: 10 } });
    const messages = [at(0), at(0, "b"), at(10), at(10, "b"), at(0, "c")];
    const source = new WindowSource();
    source.send(messages);
    source.end();
    app.handle(
      inMemory ? messages : source,
      tumbling({ size: 10, outOfOrderness: 100, into: count() }),
      ({ key, start }) => calls.call(`${key} ${start}`),
      {
        ...(!inMemory && { name: "windows", state }),
        concurrency: { max: 3, by: "partition" },
      },
    );
    const streamed = app.stream();
    while (calls.open.length < 3) await rest();
    assertEquals(calls.open.toSorted(), ["a 0", "b 0", "c 0"]);
    await calls.end("b 0");
    assertEquals(calls.open.toSorted(), ["a 0", "b 10", "c 0"]);
    await calls.end("b 10", "c 0");
    assertEquals(calls.open, ["a 0"]); // a 10 waits for it
    await calls.end("a 0", "a 10");
    await streamed;
  }
});

Deno.test("rule 8: a result that fails is retried in its place among those of its key", async () => {
  const seen: unknown[] = [];
  const failed = new Set<string>();
  await using state = open();
  const source = new WindowSource();
  source.send([0, 10, 20, 30].flatMap((time) => [at(time), at(time, "b")]));
  source.end();
  const app = new App({ onError: retry({ attempts: 3, minDelay: 1, maxDelay: 1 }) });
  app.handle(source, tumbling({ size: 10, into: count() }), async ({ key, start, id }) => {
    await state.update(["calls", id], (n) => ((n ?? 0) as number) + 1); // undone with the call that fails
    if (!failed.has(id)) {
      failed.add(id);
      throw new Error("not yet");
    }
    seen.push(`${key} ${start}`);
  }, { name: "windows", state, concurrency: { max: 4, by: "key" } });
  await app.stream();
  const of = (key: string) => seen.filter((each) => (each as string).startsWith(key));
  assertEquals(of("a"), ["a 0", "a 10", "a 20", "a 30"]);
  assertEquals(of("b"), ["b 0", "b 10", "b 20", "b 30"]);
  for (const key of ["a", "b"]) assertEquals(await state.get(["calls", `0/${key}/0`]), 1);
});

Deno.test("rule 8: late messages go to their sink in the order of their key", async () => {
  const lates: unknown[] = [];
  await using state = open();
  const source = new WindowSource();
  source.send([at(100), at(1), at(2), at(3, "b")]);
  source.end();
  const app = new App();
  app.handle(
    source,
    tumbling({
      size: 10,
      into: count(),
      late: async ({ message }: Late<Timed>) => {
        if (message.timestamp === 1) await rest();
        lates.push(message.timestamp);
      },
    }),
    () => {},
    { name: "windows", state, concurrency: { max: 4, by: "none" } },
  );
  await app.stream();
  assertEquals(lates.filter((time) => time !== 3), [1, 2]);
  assertEquals(lates.length, 3);
});

Deno.test("rule 8: silence closes nothing while a message is in flight before the window", async () => {
  const clock = new ManualClock(1_000_000);
  const source = new WindowSource();
  const calls = new Calls<number>();
  const seen: unknown[] = [];
  await using state = open();
  const app = new App({ clock });
  app.handle(
    source,
    map((message: Timed) => calls.call(message.timestamp).then(() => message)),
    tumbling({ size: 10_000, into: collect(times) }),
    ({ value }) => void seen.push(value),
    { name: "windows", state, concurrency: { max: 2, by: "none" } },
  );
  source.send([at(990_000), at(991_000)]);
  const streamed = app.stream();
  await rest();
  await calls.end(990_000);
  source.silent(60_000); // of before the second message
  await clock.tick(60_000);
  assertEquals(seen, []);
  await calls.end(991_000);
  await clock.tick(1_000);
  assertEquals(seen, []); // silence counts from the last message on
  source.silent(10_000);
  await clock.tick(1_000);
  assertEquals(seen, [[990_000, 991_000]]);
  await Promise.all([app.close(), clock.tick(1_000)]);
  await streamed;
});

Deno.test("rule 8: while a source without fetches is waited for, a message in flight is no silence", async () => {
  const clock = new ManualClock(1_000_000);
  const calls = new Calls<number>();
  const seen: unknown[] = [];
  const end = Promise.withResolvers<void>();
  const source = async function* () {
    yield at(990_000);
    yield at(991_000);
    await end.promise;
  };
  const app = new App({ clock });
  app.handle(
    source(),
    map((message: Timed) => calls.call(message.timestamp).then(() => message)),
    tumbling({ size: 10_000, into: collect(times) }),
    ({ value }) => void seen.push(value),
    { concurrency: { max: 2, by: "none" } },
  );
  const streamed = app.stream();
  await rest();
  await calls.end(990_000);
  for (let second = 0; second < 60; second++) await clock.tick(1_000);
  assertEquals(seen, []);
  await calls.end(991_000);
  for (let second = 0; second < 8; second++) await clock.tick(1_000);
  assertEquals(seen, []);
  for (let second = 0; second < 2; second++) await clock.tick(1_000);
  assertEquals(seen, [[990_000, 991_000]]);
  end.resolve();
  await streamed;
});

/** An app whose window has the messages of all partitions, after a call for each; three at the same time. */
function collectingAll(source: WindowSource, state: ReturnType<typeof open>) {
  const calls = new Calls<number>();
  const seen: unknown[] = [];
  const clock = new ManualClock(1_000_000);
  const app = new App({ clock });
  app.handle(
    source,
    map((message: Timed) => calls.call(message.timestamp).then(() => message)),
    tumbling({ size: 10, by: () => "all", maxAhead: Infinity, into: collect(times) }),
    ({ value }) => void seen.push(value),
    { name: "windows", state, concurrency: { max: 3, by: "none" } },
  );
  return { app, calls, clock, seen };
}

Deno.test("rule 8: a partition whose first message is in flight does not follow the others", async () => {
  const source = new WindowSource(2);
  await using state = open();
  const { app, calls, clock, seen } = collectingAll(source, state);
  source.send([at(1), at(100)]);
  source.send([at(2), at(101)], 1);
  const streamed = app.stream();
  await rest();
  assertEquals(calls.open, [1, 100, 2]);
  await calls.end(1, 100);
  source.silent(0);
  await clock.tick(1_000);
  assertEquals(seen, []); // else 2 would be late
  await calls.end(2, 101);
  await clock.tick(1_000);
  assertEquals(seen, [[1, 2]]);
  await Promise.all([app.close(), clock.tick(1_000)]);
  await streamed;
});

Deno.test("rule 8: a partition without messages follows none whose first message is in flight", async () => {
  const source = new WindowSource(3);
  await using state = open();
  const { app, calls, clock, seen } = collectingAll(source, state);
  source.send([at(1), at(100)]);
  source.send([at(2)], 1);
  const streamed = app.stream();
  await rest();
  await calls.end(1, 100);
  source.silent(0);
  await clock.tick(1_000);
  source.send([at(5), at(101)], 2); // late, had its partition followed the first one
  await rest();
  await calls.end(2, 5, 101);
  source.send([at(102)], 1);
  await rest();
  await calls.end(102);
  await clock.tick(1_000);
  assertEquals(seen, [[1, 2, 5]]);
  await Promise.all([app.close(), clock.tick(1_000)]);
  await streamed;
});

Deno.test("rule 8: what waits for one before it leaves room for other partitions", async () => {
  await using broker = new MemoryBroker();
  await broker.ensure("in", { partitions: 2 });
  await using topic = new Topic("in", { broker, groupId: "g", offset: "earliest" });
  await using state = open();
  for (let n = 0; n < 40; n++) {
    await topic.send({ key: `${n}`, value: "", partition: n < 30 ? 0 : 1 });
  }
  const head = Promise.withResolvers<void>();
  const admitted = [0, 0];
  const app = new App();
  app.handle(
    topic,
    map(async (message) => {
      if (message.partition === 0 && message.offset === 0) await head.promise;
      return message;
    }),
    countWindow({
      size: 100,
      into: fold({
        init: () => 0,
        add: (n: number, { partition }) => {
          admitted[partition]!++;
          return n + 1;
        },
      }),
    }),
    () => {},
    { name: "windows", state, concurrency: { max: 2, by: "none", ahead: 8 } },
  );
  const streamed = app.stream();
  await until(() => admitted[1] === 10);
  assertEquals(admitted[0], 0);
  head.resolve();
  await until(() => admitted[0] === 30);
  await app.close();
  await streamed;
});

Deno.test("rule 8: stopping finishes what comes before a message that has begun, and begins no result", async () => {
  const source = new WindowSource();
  const calls = new Calls<number>();
  const admitted: number[] = [];
  const handled: unknown[] = [];
  await using state = open();
  const window = countWindow({
    size: 1,
    into: fold({
      init: () => 0,
      add: (_: number, { timestamp }: Timed) => {
        admitted.push(timestamp);
        return timestamp;
      },
    }),
  });
  const run = async (during: (app: App) => Promise<void>) => {
    const app = new App();
    app.handle(
      source,
      map((message: Timed) => calls.call(message.timestamp).then(() => message)),
      window,
      ({ value }) => void handled.push(value),
      { name: "windows", state, concurrency: { max: 2, by: "key" } },
    );
    const streamed = app.stream();
    await rest();
    await during(app);
    await streamed;
  };
  // 1 waits for its key when 2 begins; 3 waits for a slot.
  source.send([at(0), at(1), at(2, "b"), at(3, "b")]);
  await run(async (app) => {
    assertEquals(calls.open, [0, 2]);
    const closed = app.close();
    await calls.end(2, 0);
    assertEquals([calls.open, admitted], [[1], [0]]);
    await calls.end(1);
    await closed;
  });
  assertEquals([admitted, handled], [[0, 1, 2], []]);
  source.end();
  await run(async () => {
    assertEquals(calls.open, [3]);
    await calls.end(3);
  });
  assertEquals(admitted, [0, 1, 2, 3]);
  assertEquals(handled.toSorted(), [0, 1, 2, 3]);
});

Deno.test("rule 8: stopping waits for the results that have begun, and begins no other", async () => {
  await using state = open();
  const source = new WindowSource();
  source.send([at(0), at(0, "b"), at(10)]);
  source.end();
  const calls = new Calls<string>();
  const run = () => {
    const app = new App();
    app.handle(source, tumbling({ size: 10, into: count() }), async ({ id }) => {
      await calls.call(id);
      await state.update(["given", id], (n) => ((n ?? 0) as number) + 1);
    }, { name: "windows", state, concurrency: { max: 3, by: "none" } });
    return { app, streamed: app.stream() };
  };
  const first = run();
  while (calls.open.length < 2) await rest();
  assertEquals(calls.open, ["0/a/0", "0/b/0"]); // 0/a/10 waits for its key
  const closed = first.app.close();
  await calls.end("0/a/0");
  assertEquals(calls.open, ["0/b/0"]);
  await calls.end("0/b/0");
  await closed;
  await first.streamed;
  const second = run();
  while (calls.open.length < 1) await rest();
  assertEquals(calls.open, ["0/a/10"]);
  await calls.end("0/a/10");
  await second.streamed;
  for (const id of ["0/a/0", "0/b/0", "0/a/10"]) assertEquals(await state.get(["given", id]), 1);
});

Deno.test("rule 8: a seek drops what has not begun, and the window has the rest in order", async () => {
  await using broker = new MemoryBroker();
  await broker.ensure("in", { partitions: 1 });
  await using topic = new Topic("in", { broker, groupId: "g", offset: "earliest" });
  await using state = open();
  for (let n = 0; n < 4; n++) await topic.send({ key: "k", value: `${n}` });
  const admitted: string[] = [];
  let sought = false;
  const app = new App();
  app.handle(
    topic,
    map(async (message) => {
      if (message.value === "0") await rest();
      if (message.value === "1" && !sought) {
        sought = true;
        await topic.seek({ 0: 0 });
      }
      return message;
    }),
    countWindow({
      size: 100,
      into: fold({
        init: () => 0,
        add: (n: number, { value }) => {
          admitted.push(value);
          if (value === "3") queueMicrotask(() => void app.close());
          return n + 1;
        },
      }),
    }),
    () => {},
    { name: "windows", state, concurrency: { max: 2, by: "none" } },
  );
  await app.stream();
  assertEquals(admitted, ["0", "1", "0", "1", "2", "3"]);
});

Deno.test("rule 8: a partition that is taken away and comes back is admitted in order, each message once", async () => {
  await using broker = new MemoryBroker();
  await broker.ensure("in", { partitions: 1 });
  await using topic = new Topic("in", { broker, groupId: "g", offset: "earliest" });
  await using other = new Topic("other", { broker, groupId: "g", offset: "earliest" });
  await other.send({ value: "" });
  await using state = open();
  for (const key of ["a", "a", "b", "b"]) await topic.send({ key, value: "" });
  const calls = new Calls<number>();
  const admitted: number[] = [];
  const app = new App();
  app.handle(
    topic,
    map((message) => calls.call(message.offset).then(() => message)),
    countWindow({
      size: 100,
      into: fold({
        init: () => 0,
        add: (n: number, { offset }) => {
          if (admitted.push(offset) === 4) queueMicrotask(() => void app.close());
          return n + 1;
        },
      }),
    }),
    () => {},
    { name: "windows", state, concurrency: { max: 2, by: "key" } },
  );
  const streamed = app.stream();
  while (calls.open.length < 2) await rest();
  assertEquals(calls.open, [0, 2]); // 1 waits for its key
  const iterator = other[Symbol.asyncIterator]();
  const joined = iterator.next();
  await rest();
  await calls.end(2);
  await calls.end(0);
  await calls.end(1); // it is begun though the partition has gone, since 2 had begun
  await joined;
  await iterator.return();
  while (!calls.open.includes(3)) await rest();
  await calls.end(3);
  await streamed;
  assertEquals([admitted, calls.begun.toSorted()], [[0, 1, 2, 3], [0, 1, 2, 3]]);
});

Deno.test("rule 8: an error ends the run: the window takes in nothing behind the message that failed", async () => {
  await using folder = await temporaryFolder();
  const source = new WindowSource();
  const calls = new Calls<number>();
  const admitted: number[] = [];
  const run = async () => {
    await using state = await Cache.open(`${folder.path}/state`, { maxBytes: Infinity });
    const app = new App();
    app.handle(source, ...waiting(calls, admitted), () => {}, {
      name: "windows",
      state,
      concurrency: { max: 3, by: "none" },
    });
    await app.stream();
  };
  source.send([at(0), at(1), at(2)]);
  source.end();
  const failing = assertRejects(run, Error, "no 1");
  while (calls.open.length < 3) await rest();
  await calls.end(2, 0);
  await calls.fail(1);
  await failing;
  assertEquals(admitted, [0]);
  const again = run();
  while (calls.open.length < 2) await rest();
  assertEquals(calls.open, [1, 2]); // the last cut has what came before
  await calls.end(1, 2);
  await again;
  assertEquals(admitted, [0, 1, 2]);
});

Deno.test("rule 8: a cut waits where a window has a message that another flow has not done", async () => {
  const source = new WindowSource();
  const calls = new Calls<number>();
  const seen: unknown[] = [];
  await using state = open();
  const clock = new ManualClock();
  const blocked: [bound: string, source: string, waiting: number][] = [];
  const app = new App({
    clock,
    onStatus: (event) => {
      if (event.type === "blocked") blocked.push([event.bound, event.source, event.waiting]);
    },
  });
  app.handle(source, countWindow({ size: 1, into: collect(times) }), ({ value }) => {
    seen.push(value);
  }, { name: "windows", state });
  app.handle(source, ({ timestamp }) => calls.call(timestamp), {
    name: "beside",
    state,
    concurrency: { max: 2, by: "none" },
  });
  source.send([at(0), at(1), at(2)]);
  source.end();
  const streamed = app.stream();
  await commit(clock);
  assertEquals([calls.open, seen], [[0, 1], []]); // no result leaves that is in no cut
  assertEquals(blocked.splice(0).at(-1), ["commit", "source", 2]);
  await calls.end(1, 0);
  await commit(clock);
  assertEquals([calls.open, seen], [[2], []]);
  await calls.end(2);
  await Promise.all([streamed, commit(clock)]);
  assertEquals(seen, [[0], [1], [2]]);
  assertEquals(blocked.every(([bound]) => bound === "commit"), true);
});

Deno.test("rule 8: blocked names the message that a cut waits for, though another one is older", async () => {
  const source = new WindowSource(2);
  const [before, beside] = [new Calls<number>(), new Calls<number>()];
  const told: unknown[] = [];
  await using state = open();
  const clock = new ManualClock();
  const app = new App({
    clock,
    onStatus: (event) => {
      if (event.type === "blocked") told.push([event.bound, event.key]);
    },
  });
  const concurrency = { max: 4, by: "none" } as const;
  app.handle(
    source,
    map(async (message: Timed) => {
      if (message.key === "old") await before.call(0);
      return message;
    }),
    countWindow({ size: 1, into: collect(times) }),
    () => {},
    { name: "windows", state, concurrency },
  );
  app.handle(source, ({ key }) => key === "new" ? beside.call(1) : undefined, {
    name: "beside",
    state,
    concurrency,
  });
  source.send([at(0, "old")]);
  source.send([at(1, "new")], 1);
  source.end();
  const streamed = app.stream();
  await commit(clock);
  assertEquals(told.splice(0).at(-1), ["commit", "new"]);
  await beside.end(1);
  await commit(clock);
  assertEquals(told, []); // the cut is taken without the older message
  await before.end(0);
  await Promise.all([streamed, commit(clock)]);
});

Deno.test("rule 8: a cut waits for a flow of another source only where a window has what builds on it", async () => {
  for (const builds of [false, true]) {
    const source = new WindowSource();
    source.send([at(0)]);
    source.end();
    const numbers = replayable<number, number>({
      name: "numbers",
      read: async function* () {
        yield await Promise.resolve(1);
      },
      position: (n) => n,
    });
    const calls = new Calls<number>();
    const seen: unknown[] = [];
    const written = Promise.withResolvers<void>();
    await using state = open();
    const clock = new ManualClock();
    const app = new App({ clock });
    app.handle(
      source,
      map(async (message: Timed) => {
        await written.promise;
        if (builds) await state.get("shared");
        return message;
      }),
      countWindow({ size: 1, into: collect(times) }),
      ({ value }) => void seen.push(value),
      { name: "windows", state },
    );
    app.handle(numbers, async (n) => {
      await state.set("shared", n);
      written.resolve();
      await calls.call(n);
    }, { name: "elsewhere", state, concurrency: { max: 2, by: "none" } });
    const streamed = app.stream();
    while (!calls.open.includes(1)) await rest();
    await commit(clock);
    assertEquals(seen, builds ? [] : [[0]]);
    await calls.end(1);
    await Promise.all([streamed, commit(clock)]);
    assertEquals(seen, [[0]]);
  }
});

Deno.test("rule 8: a window beside a concurrent flow handles one result or message after the other", async () => {
  await using state = open();
  const source = new WindowSource();
  source.send([0, 10, 20, 30].flatMap((time) => [at(time), at(time, "b")]));
  source.end();
  let open_ = 0;
  let most = 0;
  const seen: unknown[] = [];
  const one = async () => {
    most = Math.max(most, ++open_);
    await rest();
    open_--;
  };
  const app = new App();
  app.handle(
    source,
    map(async (message: Timed) => {
      await one();
      return message;
    }),
    tumbling({ size: 10, into: count() }),
    async ({ id }) => {
      await one();
      seen.push(id);
    },
    { name: "windows", state },
  );
  const handled: number[] = [];
  app.handle(source, async ({ timestamp }) => {
    if (timestamp === 0) await rest();
    handled.push(timestamp);
  }, { name: "beside", state, concurrency: { max: 4, by: "none" } });
  await app.stream();
  assertEquals([most, handled.length], [1, 8]);
  assertEquals(seen, [0, 10, 20, 30].flatMap((time) => [`0/a/${time}`, `0/b/${time}`]));
});

Deno.test("rule 8: a flow that takes one message after the other goes on beside a concurrent window", async () => {
  await using state = open();
  const source = new WindowSource();
  source.send([0, 1, 2, 3].map((time) => at(time)));
  source.end();
  const calls = new Calls<number>();
  const handled: number[] = [];
  const admitted: number[] = [];
  const app = new App();
  app.handle(source, ({ timestamp }) => void handled.push(timestamp), { name: "beside", state });
  app.handle(source, ...waiting(calls, admitted), () => {}, {
    name: "windows",
    state,
    concurrency: { max: 4, by: "none" },
  });
  const streamed = app.stream();
  await rest();
  assertEquals(handled, [0, 1, 2, 3]);
  await calls.end(3, 2, 1, 0);
  await streamed;
  assertEquals(admitted, [0, 1, 2, 3]);
});

Deno.test("rule 8: a result that builds on a message in flight stays in the outbox until that is in a cut", () => {
  const table = new Map<string, unknown>();
  const rows: StateRows = {
    *scan(prefix) {
      for (const key of [...table.keys()].sort()) {
        if (key.startsWith(prefix)) yield [key, structuredClone(table.get(key))];
      }
    },
    set: (key, value) => void table.set(key, structuredClone(value)),
    delete: (key) => void table.delete(key),
  };
  const load = () => {
    const outbox = new Outbox("out", true);
    outbox.load(rows);
    return outbox;
  };
  const valuesOf = (outbox: Outbox) => {
    const values: unknown[] = [];
    while (outbox.first !== undefined) values.push(outbox.take().value);
    return values;
  };
  const source = { drives: () => false, finished: () => {}, abandoned: () => {} };
  const root = () => new RootMessage(source, 0, undefined);
  const outbox = load();
  for (const value of ["a", "b", "c", "d"]) outbox.add("result", value);
  assertEquals(outbox.first, undefined); // it is on no disk
  outbox.save(rows)();
  const [a, b, c] = [outbox.take(), outbox.take(), outbox.take()];
  const [ofA, ofB, ofC] = [root(), root(), root()];
  outbox.left(c, ofC);
  outbox.left(b, ofB);
  ofB.cut = true;
  outbox.save(rows);
  assertEquals(valuesOf(load()), ["a", "c", "d"]);
  outbox.left(a, ofA);
  ofA.cut = true;
  outbox.save(rows);
  assertEquals(valuesOf(load()), ["c", "d"]);
  ofC.cut = true;
  outbox.save(rows);
  const last = load();
  assertEquals([last.size, valuesOf(last)], [1, ["d"]]);
});

Deno.test("rule 8: what cannot be right is refused", async () => {
  const refusedBy = async (bind: (app: App) => void) => {
    const app = new App();
    bind(app);
    return (await assertRejects(() => app.stream(), TypeError)).message;
  };
  const window = tumbling({ size: 10, by: ({ key }: Timed) => key, into: count() });
  const concurrency = { max: 2, by: "none" as const };
  assertStringIncludes(
    await refusedBy((app) => {
      const messages = [at(0)];
      app.handle(messages, window, batch(2), () => {}, { name: "windows" });
      app.handle(messages, () => {}, { name: "beside", concurrency });
    }),
    'Cannot use tumbling() in flow "windows": another flow handles the messages of its source concurrently',
  );
  assertStringIncludes(
    await refusedBy((app) => {
      app.handle(merge([at(0)], [at(1)]), window, () => {}, { name: "windows", concurrency });
    }),
    'Cannot use tumbling() in flow "windows": it reads a merge, whose sources have no common order, and its flow',
  );
});
