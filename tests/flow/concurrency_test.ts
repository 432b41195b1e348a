/**
 * Keyed concurrency: the numbers are those of the rules in docs/concurrency.md. Those of rule 6 are in state_cut_test.ts
 * and its like, those of rule 7 in tests/checkpoint/concurrency_test.ts, those of windows in tests/windows/concurrency_test.ts.
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  App,
  batch,
  filter,
  flatMap,
  map,
  MemoryCache,
  type Pipe,
  Proxy,
  replayable,
  sequential,
  type StatusEvent,
} from "../../mod.ts";
import { exactPipe } from "../../src/connector/mod.ts";
import { InFlight } from "../../src/flow/concurrency/in_flight.ts";
import { KeyScheduler } from "../../src/flow/concurrency/key_scheduler.ts";
import { Delivery } from "../../src/flow/run/delivery.ts";
import type { LookAhead } from "../../src/flow/concurrency/look_ahead.ts";
import { Receipt } from "../../src/flow/source/receipt.ts";
import { cuttable, RootMessage } from "../../src/flow/state/root_message.ts";
import { RootSource } from "../../src/flow/state/root_source.ts";
import type { StateGroup } from "../../src/flow/state/state_group.ts";
import { Topic } from "../../src/kafka/mod.ts";
import { MemoryBroker } from "../../src/kafka/memory/mod.ts";
import { ManualClock, settle } from "../../src/testing/mod.ts";

interface Item {
  readonly key: string;
  readonly n: number;
}

/** Items whose keys are letters: "aab" is a 0, a 1, b 2. */
function items(letters: string): Item[] {
  return [...letters].map((key, n) => ({ key, n }));
}

const by = ({ key }: Item) => key;

/** A source of numbers that can begin at any of them. */
function numbers(count: number) {
  return replayable<{ n: number; next: number }, number>({
    name: "numbers",
    read: async function* (from = 0) {
      for (let n = from; n < count; n++) yield { n, next: n + 1 };
    },
    position: ({ next }) => next,
  });
}

/** A handler whose calls are open until they are let go, by number. */
class Calls {
  readonly begun: number[] = [];
  readonly ended: number[] = [];
  readonly #open = new Map<number, PromiseWithResolvers<void>>();

  readonly handle = async ({ n }: Item): Promise<number> => {
    this.begun.push(n);
    const call = Promise.withResolvers<void>();
    this.#open.set(n, call);
    await call.promise;
    this.ended.push(n);
    return n;
  };

  /** Those that are open. */
  get open(): number[] {
    return [...this.#open.keys()];
  }

  /** Ends calls, and waits for what follows. */
  async end(...numbers: number[]): Promise<void> {
    for (const n of numbers) {
      this.#open.get(n)!.resolve();
      this.#open.delete(n);
    }
    await rest();
  }

  async fail(n: number): Promise<void> {
    this.#open.get(n)!.reject(new Error(`no ${n}`));
    this.#open.delete(n);
    await rest();
  }
}

async function rest(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await settle();
}

Deno.test("rule 1: messages of one key are handled in order to the end of their sinks, others beside them", async () => {
  const calls = new Calls();
  const sunk = new Calls();
  const app = new App();
  app.handle(items("aabcd"), calls.handle, {
    concurrency: { max: 3, by },
    sink: (n) => sunk.handle({ key: "", n }).then(() => {}),
  });
  const streamed = app.stream();
  await rest();
  assertEquals(calls.open, [0, 2, 3]); // 1 waits for its key, 4 for a slot
  await calls.end(0);
  assertEquals([calls.open, sunk.open], [[2, 3], [0]]); // until its sink is done too
  await sunk.end(0);
  assertEquals(calls.open, [2, 3, 1]);
  await calls.end(2);
  await sunk.end(2);
  assertEquals(calls.open, [3, 1, 4]);
  await calls.end(3, 1, 4);
  await sunk.end(3, 1, 4);
  await streamed;
});

Deno.test("rule 1: no more than max are handled, also when a retry is due and a key is freed", async () => {
  const clock = new ManualClock();
  const calls = new Calls();
  const app = new App({ clock });
  app.handle(items("abbc"), calls.handle, {
    concurrency: { max: 2, by },
    onError: { retry: { attempts: 2, minDelay: 1_000, maxDelay: 1_000 } },
  });
  const streamed = app.stream();
  await rest();
  await calls.fail(0);
  assertEquals(calls.open, [1, 3]); // 2 waits for its key
  await clock.tick(1_000);
  await calls.end(1);
  assertEquals(calls.open, [3, 0]); // 2 waits for a slot
  await calls.end(3);
  assertEquals(calls.open, [0, 2]);
  await calls.end(0, 2);
  await streamed;
});

Deno.test('rule 1: a message of a Topic without a key keeps the order of its partition, and "none" keeps no order', async () => {
  for (
    const [by, expected] of [["key", [0, 2]], ["partition", [0]], ["none", [0, 1, 2]]] as const
  ) {
    await using broker = new MemoryBroker();
    await using topic = new Topic("in", { broker, groupId: "g", offset: "earliest" });
    for (const message of [{ value: "0" }, { value: "1" }, { key: "k", value: "2" }]) {
      await topic.send(message);
    }
    const calls = new Calls();
    const app = new App();
    app.handle(topic, ({ value }) => calls.handle({ key: "", n: Number(value) }), {
      concurrency: { max: 3, by },
    });
    const streamed = app.stream();
    while (calls.open.length < expected.length) await settle();
    await rest();
    assertEquals(calls.open, [...expected]);
    const closed = app.close();
    await calls.end(...calls.open);
    await closed;
    await streamed;
  }
});

Deno.test("rule 1: keys that are equal as data are one key, and what is no key meets onError", async () => {
  const seen: unknown[] = [];
  const failed: unknown[] = [];
  const app = new App();
  const keys = [
    { a: 1, b: [2] },
    { b: [2], a: 1 },
    new Uint8Array([1]),
    new Uint8Array([1]),
    () => {},
  ];
  let open = 0;
  let most = 0;
  app.handle(keys, async (key) => {
    most = Math.max(most, ++open);
    await rest();
    open--;
    seen.push(key);
  }, {
    concurrency: { max: 5, by: (key) => key },
    onError: { deadLetter: ({ cause }) => void failed.push((cause as Error).message) },
  });
  await app.stream();
  assertEquals([seen.length, most], [4, 2]);
  assert(String(failed[0]).startsWith("Cannot order messages by"), String(failed[0]));
});

Deno.test("rule 2: reading stops at ahead, and blocked says what everything waits for", async () => {
  const clock = new ManualClock();
  const events: StatusEvent[] = [];
  let read = 0;
  const source = function* () {
    for (const item of items("aaaaaaaaaa")) {
      read++;
      yield item;
    }
  };
  const calls = new Calls();
  const app = new App({ clock, onStatus: (event) => events.push(event) });
  app.handle(source(), calls.handle, { concurrency: { max: 2, by, ahead: 4 } });
  const streamed = app.stream();
  await rest();
  assertEquals([read, calls.open], [4, [0]]);
  await clock.tick(1_000);
  await rest();
  assertEquals(events.filter(({ type }) => type === "blocked" || type === "progress"), [
    { type: "progress", source: "Generator", messages: 0, lag: undefined, inFlight: 4, waiting: 3 },
    {
      type: "blocked",
      source: "Generator",
      bound: "ahead",
      partition: undefined,
      offset: undefined,
      key: "a",
      ageMs: 1_000,
      waiting: 3,
    },
  ]);
  for (let n = 0; n < 10; n++) await calls.end(n);
  await streamed;
  assertEquals(calls.ended, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

Deno.test("rule 2: one partition does not take all of the look-ahead", async () => {
  await using broker = new MemoryBroker();
  await broker.ensure("in", { partitions: 4 });
  await using topic = new Topic("in", { broker, groupId: "g", offset: "earliest" });
  for (let n = 0; n < 400; n++) await topic.send({ value: `${n}`, partition: Math.floor(n / 100) });
  const open = new Map<number, number>();
  let most = 0;
  const app = new App();
  app.handle(topic, async ({ partition }) => {
    open.set(partition, 1);
    most = Math.max(most, open.size);
    await rest();
    open.delete(partition);
    if (most === 4) queueMicrotask(() => void app.close());
  }, { concurrency: { max: 4, by: "partition" } });
  await app.stream();
  assertEquals(most, 4);
});

Deno.test("rule 2: span bounds what is done behind one that is not", async () => {
  let read = 0;
  const source = function* () {
    for (const item of items("abcdefghij")) {
      read++;
      yield item;
    }
  };
  const calls = new Calls();
  const app = new App();
  app.handle(source(), (item) => item.n === 0 ? calls.handle(item) : undefined, {
    concurrency: { max: 2, by, span: 5 },
  });
  const streamed = app.stream();
  await rest();
  assertEquals(read, 5);
  await calls.end(0);
  await streamed;
  assertEquals(read, 10);
});

Deno.test("rule 3: no more is committed than what is done without a gap", async () => {
  await using broker = new MemoryBroker();
  await broker.ensure("in", { partitions: 1 });
  await using topic = new Topic("in", { broker, groupId: "g", offset: "earliest" });
  for (let n = 0; n < 5; n++) await topic.send({ key: `k${n}`, value: `${n}` });
  const calls = new Calls();
  const app = new App({ commit: { interval: 1 } });
  app.handle(topic, ({ value }) => calls.handle({ key: "", n: Number(value) }), {
    concurrency: { max: 5 },
  });
  const streamed = app.stream();
  while (calls.open.length < 5) await settle();
  const committed = async () => (await broker.committed("g", "in")).get(0);
  await calls.end(0, 1, 3, 4);
  while (await committed() !== 2) await settle();
  const closed = app.close();
  await calls.end(2);
  await closed;
  await streamed;
  assertEquals(await committed(), 5);
});

Deno.test("rule 3: what a state has done behind its position is not new to its flow, unless reading is moved back", () => {
  const branch = {};
  const root = new RootSource({ name: "in", feed: {}, branches: { all: [branch] } });
  root.perMessage = true;
  const stored = new Map([[0, { position: 5, done: [8] }]]);
  root.add({ join: () => stored } as unknown as StateGroup, "f", branch);
  root.began(0, 5, false);
  const isNew = () => [6, 8, 9].map((next) => root.isNew(branch, new Receipt(() => {}, next, 0)));
  assertEquals([root.start(0, 5), isNew(), root.selective], [5, [true, false, true], true]);
  root.began(0, 2, true);
  assertEquals([isNew(), root.selective], [[true, true, true], false]);
});

Deno.test("rule 4: a message that waits for its retry keeps its key, and gives up its slot", async () => {
  const clock = new ManualClock();
  const calls = new Calls();
  const app = new App({ clock });
  app.handle(items("abac"), calls.handle, {
    concurrency: { max: 1, by },
    onError: { retry: { attempts: 2, minDelay: 1_000, maxDelay: 1_000 } },
  });
  const streamed = app.stream();
  await rest();
  assertEquals(calls.open, [0]);
  await calls.fail(0);
  assertEquals(calls.open, [1]); // the slot is another one's; 2 waits for its key
  await clock.tick(1_000);
  await rest();
  assertEquals(calls.open, [1]); // the retry is due, and waits for a slot
  await calls.end(1);
  assertEquals(calls.open, [0]); // it goes before new ones
  await calls.end(0);
  await calls.end(2);
  await calls.end(3);
  await streamed;
  assertEquals(calls.begun, [0, 1, 0, 2, 3]);
});

Deno.test("rule 5: each message has a context of its own, and a send without await is part of its message", async () => {
  const clock = new ManualClock();
  const attempts: [number, number][] = [];
  const app = new App({ clock });
  app.handle(items("abc"), async ({ n }, { attempt }) => {
    await rest();
    attempts.push([n, attempt]);
    if (n === 1 && attempt < 3) throw new Error("not yet");
  }, {
    concurrency: { max: 3, by },
    onError: { retry: { attempts: 3, minDelay: 0, maxDelay: 0 } },
  });
  const streamed = app.stream();
  for (let turn = 0; turn < 20; turn++) {
    await rest();
    await clock.tick(1);
  }
  await streamed;
  assertEquals(attempts.toSorted(), [[0, 1], [1, 1], [1, 2], [1, 3], [2, 1]]);
});

Deno.test("rule 5: a retry of one message changes no context of another", async () => {
  const clock = new ManualClock();
  const calls = new Calls();
  const attempts: [number, number][] = [];
  const app = new App({ clock });
  app.handle(items("ab"), async (item, context) => {
    await calls.handle(item);
    attempts.push([item.n, context.attempt]);
  }, {
    concurrency: { max: 2, by },
    onError: { retry: { attempts: 2, minDelay: 1_000, maxDelay: 1_000 } },
  });
  const streamed = app.stream();
  await rest();
  await calls.fail(1);
  await clock.tick(1_000);
  await rest();
  await calls.end(0, 1);
  await streamed;
  assertEquals(attempts, [[0, 1], [1, 2]]);
});

Deno.test("rule 5: a call that met what another one has taken back gives no result from that", async () => {
  const source = numbers(60);
  await using state = new MemoryCache<number>({ maxBytes: Infinity });
  const counts: number[] = [];
  const app = new App();
  app.handle(source, async ({ n }) => {
    for (let turn = n % 3; turn > 0; turn--) await rest();
    const count = (await Array.fromAsync(state.keys())).length;
    await state.set(`m${n}`, 1);
    for (let turn = n % 5; turn > 0; turn--) await rest();
    return count;
  }, {
    name: "count",
    state,
    sink: (count) => void counts.push(count),
    concurrency: { max: 16, by: "none" },
    onError: { retry: { attempts: 2 } },
  });
  await app.stream();
  assertEquals(counts.length, 60); // calls that were taken back have given none
});

Deno.test("rule 5: an older call that reads what a younger one has written takes that back, and does not see it", async () => {
  const source = numbers(2);
  await using state = new MemoryCache<number>({ maxBytes: Infinity });
  const calls = new Calls();
  const seen: [number, string, unknown][] = [];
  const app = new App();
  app.handle(source, async ({ n }) => {
    if (n === 1) {
      seen.push([n, "old", await state.get("x")]);
      await state.set("x", 1);
    }
    await calls.handle({ key: "", n });
    if (n === 1) return;
    seen.push([n, "scanned", await Array.fromAsync(state.values())]);
    seen.push([n, "got", await state.get("x")]);
    await state.set("x", 2);
  }, {
    name: "f",
    state,
    concurrency: { max: 2, by: "none" },
    onError: { retry: { attempts: 2 } },
  });
  const streamed = app.stream();
  await rest();
  assertEquals(calls.open, [0, 1]);
  await calls.end(0);
  await calls.end(1); // and runs again
  while (calls.begun.length < 3) await rest();
  await calls.end(1);
  await streamed;
  assertEquals(seen, [
    [1, "old", undefined],
    [0, "scanned", []],
    [0, "got", undefined],
    [1, "old", 2],
  ]);
});

Deno.test("rule 5: a younger call waits with what an older one has written until that is not taken back any more", async () => {
  const clock = new ManualClock();
  await using state = new MemoryCache<number>({ maxBytes: Infinity });
  const calls = new Calls();
  const seen: unknown[] = [];
  const app = new App({ clock });
  app.handle(numbers(2), async ({ n }, { attempt }) => {
    if (n === 1) {
      const value = await state.get("x");
      seen.push(value);
      return;
    }
    await state.set("x", attempt);
    await calls.handle({ key: "", n });
  }, {
    name: "f",
    state,
    concurrency: { max: 2, by: "none" },
    onError: { retry: { attempts: 2, minDelay: 1_000, maxDelay: 1_000 } },
  });
  const streamed = app.stream();
  await rest();
  assertEquals([calls.open, seen], [[0], []]);
  await calls.fail(0);
  await clock.tick(1_000);
  await rest();
  await calls.end(0);
  await streamed;
  assertEquals([seen.length, seen.includes(1)], [1, false]);
});

Deno.test("rule 5: what a younger call has written when it returns stays, or the call is run again", async () => {
  for (let jobs = 0; jobs < 20; jobs++) {
    await using state = new MemoryCache<number[]>({ maxBytes: Infinity });
    const written = Promise.withResolvers<void>();
    const app = new App();
    app.handle(numbers(2), async ({ n }) => {
      if (n === 0) {
        await written.promise;
        for (let i = 0; i < jobs; i++) await null; // the other call may be about to be over
      }
      await state.update("all", (all = []) => [...all, n]);
      if (n === 1) written.resolve();
    }, { name: "f", state, concurrency: { max: 2, by: "none" }, onError: "skip" });
    await app.stream();
    assertEquals((await state.get("all"))?.toSorted(), [0, 1], `after ${jobs} promise jobs`);
  }
});

Deno.test("rule 5: whatever the timing, each message that does not fail is in the state once, the others are not", async () => {
  const changes: ((all: number[] | undefined, n: number) => number[] | Promise<number[]>)[] = [
    (all = [], n) => [...all, n],
    async (all = [], n) => await [...all, n],
    (all = [], n) => Promise.resolve().then(() => [...all, n]),
    (all = [], n) => new Promise((resolve) => setTimeout(() => resolve([...all, n]), 1)),
  ];
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({ change: fc.nat(3), rests: fc.boolean(), fails: fc.nat(4) }),
        { minLength: 2, maxLength: 20 },
      ),
      fc.nat(2),
      async (messages, attempts) => {
        await using state = new MemoryCache<number[]>({ maxBytes: Infinity });
        const retry = { attempts, minDelay: 0 };
        const onError = attempts === 0 ? "skip" : { retry, otherwise: "skip" } as const;
        const sunk: number[] = [];
        const app = new App();
        app.handle(numbers(messages.length), async ({ n }) => {
          const { change, rests, fails } = messages[n]!;
          await state.update("all", (all) => changes[change]!(all, n));
          if (rests) await rest();
          if (fails === 0) throw new Error("invalid");
          return n;
        }, {
          name: "f",
          state,
          concurrency: { max: 4, by: "none" },
          onError,
          sink: (n) => void sunk.push(n),
        });
        await app.stream();
        const expected = messages.flatMap(({ fails }, n) => fails === 0 ? [] : [n]);
        assertEquals((await state.get("all", [])).toSorted((a, b) => a - b), expected);
        // What a call has given just before it was taken back comes again.
        assertEquals([...new Set(sunk)].toSorted((a, b) => a - b), expected);
      },
    ),
    { numRuns: 200 },
  );
});

Deno.test("rule 6: in a cut a message of a key comes after the one before it", async () => {
  const source = { drives: () => true, finished: () => {}, abandoned: () => {} };
  const delivery = new Delivery();
  const chain = { flowRun: { dead: false, writing: "" }, delivery, emit: () => undefined };
  const scheduler = new KeyScheduler({
    max: 2,
    keyOf: ({ key }: Item) => key,
    makeChain: () => chain,
    eventLoop: { watch: () => {} },
    failed: () => {},
  } as never);
  const lookAhead = {
    isCurrent: () => true,
    begin: () => {},
    settle: ({ receipt }: InFlight) => receipt!.release(),
    changed: () => {},
  } as unknown as LookAhead;
  const roots = items("aba").map((item) => {
    const receipt = new Receipt(() => {}, item.n + 1, 0);
    const root = receipt.root = new RootMessage(source, 0, item.n + 1);
    scheduler.take(new InFlight(item, receipt, undefined, 0, item.n, 0, true), lookAhead);
    return root;
  });
  await rest();
  assertEquals(roots.map(({ done }) => done), [true, true, true]);
  roots[0]!.done = false; // as if it built on one that is open
  assertEquals(cuttable(new Set(roots)), [roots[1]!]);
});

Deno.test("rule 8: a flow behind a Proxy gets results as they are finished, those of one key in order", async () => {
  const calls = new Calls();
  const proxy = new Proxy<number>();
  const seen: number[] = [];
  const app = new App();
  app.handle(items("aabb"), calls.handle, { concurrency: { max: 2, by }, sink: proxy });
  app.handle(proxy, (n) => void seen.push(n));
  const streamed = app.stream();
  await rest();
  await calls.end(2);
  await calls.end(0);
  await calls.end(1);
  await calls.end(3);
  await streamed;
  assertEquals(seen, [2, 0, 1, 3]);
});

Deno.test("rule 9: what takes one message after the other is refused", () => {
  const pipes: Pipe<Item, unknown>[] = [
    batch<Item>(2),
    exactPipe<Item, Item>((emit) => emit),
    sequential(async function* (source: AsyncIterable<Item>) {
      yield* source;
    }),
    new TransformStream<Item, Item>(),
  ];
  for (const pipe of pipes) {
    assertThrows(
      () =>
        new App().handle(items("a"), pipe, () => {}, {
          name: "f",
          concurrency: { max: 2, by },
        }),
      TypeError,
      'Cannot handle messages of flow "f" concurrently: batch(), exactPipe(), pipe functions',
    );
  }
});

Deno.test("rule 9: flows that are not concurrent keep their order beside one that is", async () => {
  const calls = new Calls();
  const slow = new Calls();
  const others: number[] = [];
  const source = items("abcd");
  const app = new App();
  app.handle(source, calls.handle, { concurrency: { max: 2, by, ahead: 3 } });
  app.handle(source, slow.handle);
  app.handle(source, ({ n }) => void others.push(n));
  const streamed = app.stream();
  await rest();
  assertEquals([calls.open, slow.open, others], [[0, 1], [0], [0]]);
  await calls.end(0, 1);
  assertEquals([calls.open, slow.open, others], [[2], [0], [0]]); // no further than ahead in front of the slowest
  await slow.end(0);
  assertEquals([calls.open, slow.open, others], [[2, 3], [1], [0, 1]]);
  await calls.end(2, 3);
  for (const n of [1, 2, 3]) await slow.end(n);
  await streamed;
  assertEquals(others, [0, 1, 2, 3]);
});

Deno.test("rule 9: pipes stand before the handler, and Proxies before and behind the flow", async () => {
  const before = new Proxy<Item>();
  const behind = new Proxy<number>();
  const seen: number[] = [];
  const app = new App();
  app.handle(items("abcabc"), (item) => item, { sink: before });
  app.handle(
    before,
    map(({ n }) => n),
    filter((n) => n !== 1),
    flatMap((n) => [n, 10 * n]),
    async (n) => {
      await rest();
      return n;
    },
    { concurrency: { max: 3, by }, sink: behind },
  );
  app.handle(behind, (n) => void seen.push(n));
  await app.stream();
  assertEquals(seen.toSorted((a, b) => a - b), [0, 0, 2, 3, 4, 5, 20, 30, 40, 50]);
});

Deno.test("rule 10: a function as a sink is called concurrently, other sinks one value after the other", async () => {
  for (const [kind, most] of [["function", 3], ["stream", 1], ["object", 1]] as const) {
    let open = 0;
    let reached = 0;
    const write = async () => {
      reached = Math.max(reached, ++open);
      await rest();
      open--;
    };
    const sink = kind === "function"
      ? write
      : kind === "stream"
      ? new WritableStream({ write })
      : { write };
    const app = new App();
    app.handle(items("abcdef"), ({ n }) => n, { concurrency: { max: 3, by }, sink });
    await app.stream();
    assertEquals([kind, reached], [kind, most]);
  }
});

Deno.test("rule 11: a seek drops what has not begun, and what was begun is handled again", async () => {
  await using broker = new MemoryBroker();
  await broker.ensure("in", { partitions: 1 });
  await using topic = new Topic("in", { broker, groupId: "g", offset: "earliest" });
  for (let n = 0; n < 4; n++) await topic.send({ key: "k", value: `${n}` });
  const seen: number[] = [];
  const app = new App();
  app.handle(topic, async ({ value }) => {
    const n = Number(value);
    seen.push(n);
    if (seen.length === 2) await topic.seek({ 0: 0 });
    if (seen.filter((each) => each === 3).length === 1) queueMicrotask(() => void app.close());
  }, { concurrency: { max: 2 } });
  await app.stream();
  assertEquals(seen, [0, 1, 0, 1, 2, 3]);
});

Deno.test("rule 12: stopping drops what has not begun, and waits for what has", async () => {
  const calls = new Calls();
  const app = new App();
  app.handle(items("aab"), calls.handle, { concurrency: { max: 2, by } });
  const streamed = app.stream();
  await rest();
  assertEquals(calls.open, [0, 2]);
  const closed = app.close();
  await calls.end(0, 2);
  await closed;
  await streamed;
  assertEquals(calls.begun, [0, 2]);
});

Deno.test("rule 12: the time limit counts from the beginning of a call, for each by itself", async () => {
  const clock = new ManualClock();
  const late: number[] = [];
  const calls = new Calls();
  const app = new App({ clock });
  app.handle(items("aab"), (item, { signal }) => {
    signal.addEventListener("abort", () => late.push(item.n));
    return calls.handle(item);
  }, { concurrency: { max: 2, by }, handlerTimeout: 1_000, onError: "skip" });
  const streamed = app.stream();
  await rest();
  await clock.tick(900);
  await calls.end(0);
  await clock.tick(200);
  await rest();
  assertEquals([calls.open, late], [[2, 1], [2]]); // 1 has begun 200 ms ago
  await calls.end(2, 1);
  await streamed;
});

Deno.test("an error ends the run: nothing more of any key begins", async () => {
  const calls = new Calls();
  const app = new App();
  app.handle(items("aabbc"), calls.handle, { concurrency: { max: 2, by } });
  const streamed = assertRejects(() => app.stream(), Error, "no 0");
  await rest();
  await calls.fail(0);
  await calls.end(2);
  await streamed;
  assertEquals(calls.begun, [0, 2]);
});

Deno.test("a source without keys needs the option by, and max must be there", () => {
  const bind = (concurrency: object) =>
    new App().handle(items("a"), () => {}, {
      name: "f",
      concurrency: concurrency as { max: number },
    });
  assertThrows(() => bind({ max: 2 }), TypeError, 'without the option "by"');
  assertThrows(() => bind({}), TypeError, "must be an integer >= 1");
  assertThrows(() => bind({ max: 0, by }), RangeError, "must be an integer >= 1");
  assertThrows(
    () => bind({ max: 4, by, ahead: 3 }),
    RangeError,
    "must be at least max, which is 4",
  );
  assertThrows(() => bind({ max: 2, by, order: 1 }), TypeError, 'Cannot use option "order"');
});

Deno.test("a sequence that never waits lets timers have their turn", async () => {
  let ticks = 0;
  const timer = setInterval(() => ticks++, 1);
  const app = new App();
  app.handle(Array.from({ length: 300_000 }, (_, n) => n), () => {}, {
    concurrency: { max: 2, by: "none" },
  });
  await app.stream();
  clearInterval(timer);
  assert(ticks > 0);
});
