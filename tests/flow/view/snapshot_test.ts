import { assertEquals } from "@std/assert";
import {
  App,
  type AppSnapshot,
  Cache,
  deadLetter,
  MemoryCache,
  Proxy,
  retry,
} from "@slipstream/slipstream";
import { Topic } from "@slipstream/slipstream/kafka";
import { MemoryBroker } from "@slipstream/slipstream/memory";
import { ManualClock } from "@slipstream/slipstream/testing";
import { parse, string } from "valibot";
import { pricedOrders } from "../../_support/priced_orders.ts";

Deno.test("App.snapshot() before a run has the flows and sources, and is idle", () => {
  const app = new App({ clock: new ManualClock() });
  app.handle([1], () => {}, { name: "count" });
  const { state, flows: [flow], sources: [source], commits, startedAt } = app.snapshot();
  assertEquals([state, commits, startedAt], ["idle", undefined, undefined]);
  assertEquals([flow?.flow, flow?.messages, flow?.ended], ["count", 0, false]);
  assertEquals([source?.source, source?.messages, source?.lag], ["Array", 0, undefined]);
});

Deno.test("App.snapshot() shows the message in flight, and for how long", async () => {
  const clock = new ManualClock();
  const app = new App({ clock });
  const { promise, resolve } = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  app.handle([{ partition: 1, offset: 7, key: "secret" }], () => {
    begun.resolve();
    return promise;
  }, { name: "wait" });
  const streaming = app.stream();
  await begun.promise;
  await clock.tick(4_000);
  const { state, flows: [flow] } = app.snapshot();
  assertEquals([state, flow?.inFlight, flow?.messages], ["streaming", 1, 0]);
  assertEquals(flow?.oldest, {
    what: "handles a message",
    sinceMs: 4_000,
    flow: "wait",
    source: "Array",
    sink: undefined,
    topic: undefined,
    partition: 1,
    offset: 7,
  });
  resolve();
  await streaming;
  assertEquals(app.snapshot().flows[0]?.inFlight, 0);
});

Deno.test("App.snapshot() counts errors, retries, skips and dead letters, and places the last error", async () => {
  const app = new App();
  const letters: unknown[] = [];
  app.handle([{ partition: 0, offset: 3, value: "{oops" }], ({ value }) => {
    JSON.parse(value);
  }, {
    name: "parse",
    onError: retry({ attempts: 2, minDelay: 0 }, deadLetter((letter) => letters.push(letter))),
  });
  app.handle([1, 2], (n) => {
    throw new RangeError(`no ${n}`);
  }, { name: "refuse", onError: "skip" });
  await app.stream();
  const [parse, refuse] = app.snapshot().flows;
  assertEquals([parse?.errors, parse?.retries, parse?.skipped, parse?.deadLetters], [3, 2, 0, 1]);
  assertEquals([refuse?.errors, refuse?.retries, refuse?.skipped, refuse?.deadLetters], [
    2,
    0,
    2,
    0,
  ]);
  const { name, flow, partition, offset, line, quotes } = parse!.lastError!;
  assertEquals({ name, flow, partition, offset, quotes }, {
    name: "SyntaxError",
    flow: "parse",
    partition: 0,
    offset: 3,
    quotes: true,
  });
  assertEquals(/^snapshot_test\.ts:\d+:\d+$/.test(line!), true, line);
  assertEquals(letters.length, 1);
});

Deno.test("App.snapshot() places an error of a package at the line that called it", async () => {
  const app = new App();
  app.handle([1], (n) => parse(string(), n), { name: "parse", onError: "skip" });
  await app.stream();
  const { name, line } = app.snapshot().flows[0]!.lastError!;
  assertEquals(name, "ValiError");
  assertEquals(/^snapshot_test\.ts:\d+:\d+$/.test(line!), true, line);
});

Deno.test("App.snapshot() keeps the last error of each kind, so that none hides another", async () => {
  const app = new App();
  app.handle(Array.from({ length: 50 }, (_, n) => n), (n) => {
    if (n === 3) throw new SyntaxError("poison");
    throw new RangeError("full");
  }, { name: "refuse", onError: "skip" });
  await app.stream();
  const { errorKinds, lastError } = app.snapshot().flows[0]!;
  assertEquals(errorKinds.map(({ count, last: { name } }) => [name, count]), [
    ["RangeError", 49],
    ["SyntaxError", 1],
  ]);
  assertEquals(lastError, errorKinds[0]?.last);
});

Deno.test("App.snapshot() of a flow with many kinds of errors keeps the last eight", async () => {
  const app = new App();
  app.handle(Array.from({ length: 12 }, (_, n) => n), (n) => {
    throw Object.assign(new Error("no"), { name: `Error${n}` });
  }, { name: "refuse", onError: "skip" });
  await app.stream();
  const { errorKinds, errors } = app.snapshot().flows[0]!;
  assertEquals([errors, errorKinds.length], [12, 8]);
  assertEquals([errorKinds[0]?.last.name, errorKinds[7]?.last.name], ["Error11", "Error4"]);
});

Deno.test("App.snapshot() after an error tells which one ended the run", async () => {
  const app = new App();
  app.handle([1], () => {
    throw new Error("boom");
  }, { name: "fail" });
  await app.stream().catch(() => {});
  const { state, error, endedAt, flows: [flow] } = app.snapshot();
  assertEquals([state, error?.name, error?.flow, typeof endedAt], [
    "ended",
    "Error",
    "fail",
    "number",
  ]);
  assertEquals([flow?.errors, flow?.lastError?.text], [1, error?.text]);
});

Deno.test("App.snapshot() shows positions, ends, lags and commits of partitions, and why they are paused", async () => {
  await using broker = new MemoryBroker({ partitions: 2 });
  await using topic = new Topic("in", { broker, groupId: "g", offset: "earliest" });
  await topic.ensure({ partitions: 2 });
  for (let n = 0; n < 6; n++) await topic.send({ partition: n % 2, value: `${n}` });
  const app = new App();
  const done = Promise.withResolvers<void>();
  let count = 0;
  app.handle(topic, () => {
    if (++count !== 4) return;
    app.pause(topic, "lunch");
    done.resolve();
  }, { name: "count" });
  const streaming = app.stream();
  await done.promise;
  await Promise.resolve();
  const { sources: [source] } = app.snapshot();
  assertEquals(source?.pausedFor, ["lunch"]);
  const { partitions } = source!;
  assertEquals(partitions.map(({ partition, end }) => [partition, end]), [[0, 3], [1, 3]]);
  assertEquals(partitions.map(({ lag, position }) => lag! + position!), [3, 3]);
  assertEquals(source?.lag, partitions[0]!.lag! + partitions[1]!.lag!);
  app.resume(topic, "lunch");
  while (app.snapshot().sources[0]!.lag !== 0) await new Promise((resolve) => setTimeout(resolve));
  await app.close();
  await streaming;
  const last = app.snapshot();
  assertEquals(last.state, "ended");
  assertEquals(last.commits!.commits > 0, true);
  assertEquals(typeof last.commits!.ageMs, "number");
});

Deno.test("App.snapshot() tells what a Topic waits for that has no partitions", async () => {
  await using broker = new MemoryBroker();
  const topicOptions = { broker, groupId: "g" };
  await using topic = new Topic("in", topicOptions);
  const app = new App();
  app.handle(topic, () => {}, { name: "count" });
  const stop = new AbortController();
  const streaming = app.stream({ signal: stop.signal });
  const { state, sources: [source] } = app.snapshot();
  assertEquals([state, source?.waitsFor?.what], ["starting", "a connection to the brokers"]);
  stop.abort();
  await streaming;
});

Deno.test("App.snapshot() shows how full a Proxy is", async () => {
  const app = new App();
  const proxy = new Proxy<number>({ bound: 8 });
  const seen: AppSnapshot[] = [];
  app.handle([1, 2, 3], (n) => n, { name: "send", sink: proxy });
  app.handle(proxy, () => void seen.push(app.snapshot()), { name: "read" });
  await app.stream();
  assertEquals(seen.map(({ sources }) => sources[1]?.queue?.bound), [8, 8, 8]);
  assertEquals(seen[0]!.sources[1]!.queue!.size, 2);
});

Deno.test("App.snapshot() shows what is in the open stores, and when they were saved", async () => {
  const folder = await Deno.makeTempDir();
  {
    await using cache = await Cache.open<string>(`${folder}/db`);
    const app = new App();
    app.handle(["a", "b"], (letter) => [letter, letter] as const, { sink: cache, name: "keep" });
    await app.stream();
    const store = app.snapshot().stores.find(({ id }) => id !== undefined);
    assertEquals([store?.entries, store?.evictions, store?.failure], [2, 0, undefined]);
    assertEquals(store!.bytes! > 0, true);
    assertEquals(typeof store!.savedAt, "number");
  }
  await Deno.remove(folder, { recursive: true });
});

Deno.test("App.snapshot() shows an outage of a dependency and the correction after it", async () => {
  const MINUTE = 60_000;
  await using cache = new MemoryCache();
  const downtimeThreshold = 10 * MINUTE;
  await using set = await pricedOrders({ downtimeThreshold, unit: MINUTE, correct: true, cache });
  const { rates, orders, rate, price } = set;
  const app = new App();
  app.handle(rates, rate, { name: "rate" });
  let priced = 0;
  app.handle(orders, async (order) => {
    await price(order);
    priced++;
  }, { name: "price" });
  const streaming = app.stream();
  const until = async (test: (snapshot: AppSnapshot) => boolean) => {
    for (;;) {
      const snapshot = app.snapshot();
      if (test(snapshot)) return snapshot;
      await new Promise((resolve) => setTimeout(resolve));
    }
  };
  await rates.send({ value: "1" });
  await until(({ checkpoints }) => checkpoints[0]!.frontier === MINUTE);
  await orders.send({ value: "2" });
  await until(() => priced === 1);
  await orders.send({ value: "12" });
  const down = await until(({ checkpoints }) => checkpoints[0]!.pauses);
  assertEquals(down.checkpoints[0]!.dependencies[0]!.down, true);
  assertEquals(down.checkpoints[0]!.pulse, 12 * MINUTE);
  assertEquals(down.checkpoints[0]!.provisional.from, 2 * MINUTE);
  assertEquals(down.checkpoints[0]!.provisional.positions, { 0: 0 });
  assertEquals(down.sources.find(({ source }) => source === "orders")?.pausedFor, [
    "checkpoint priced",
  ]);
  assertEquals(down.sources.find(({ source }) => source === "rates")?.watermark?.of, "frontier");
  await rates.send({ value: "3" });
  await rates.send({ value: "13" });
  const { checkpoints: [after] } = await until(({ checkpoints }) =>
    checkpoints[0]!.lastCorrections[0]?.doneAt !== undefined
  );
  assertEquals(priced, 3);
  assertEquals([after?.outages, after?.corrections, after?.pauses], [1, 1, false]);
  const [outage] = after!.lastOutages;
  assertEquals([outage?.dependency, outage?.from, outage?.until], ["rates", MINUTE, 12 * MINUTE]);
  assertEquals(typeof outage?.upAt, "number");
  const [correction] = after!.lastCorrections;
  assertEquals([correction?.from, correction?.until], [3 * MINUTE, 12 * MINUTE]);
  assertEquals([correction?.positions, correction?.dependencies], [{ 0: 1 }, ["rates"]]);
  await app.close();
  await streaming;
});

Deno.test("App.snapshot() shows which messages a checkpoint holds in mode wait, and for what", async () => {
  await using set = await pricedOrders({ mode: "wait", time: ({ value }) => Number(value) });
  const { rates, orders, rate } = set;
  const app = new App();
  app.handle(rates, rate, { name: "rate" });
  const priced = Promise.withResolvers<void>();
  app.handle(orders, () => priced.resolve(), { name: "price" });
  const streaming = app.stream();
  await orders.send({ value: "5" });
  const held = () => app.snapshot().checkpoints[0]!.held;
  while (held().length === 0) await new Promise((resolve) => setTimeout(resolve));
  const [{ partition, time, waitsFor } = {}] = held();
  assertEquals([partition, time, waitsFor], [0, 5, ["rates"]]);
  await rates.send({ value: "6" });
  await priced.promise;
  assertEquals(held(), []);
  await app.close();
  await streaming;
});

Deno.test("App.snapshot() can be made into JSON and back, at every moment", async () => {
  const app = new App();
  const seen: string[] = [];
  app.handle("ab", () => void seen.push(JSON.stringify(app.snapshot())), { name: "look" });
  seen.push(JSON.stringify(app.snapshot()));
  await app.stream();
  seen.push(JSON.stringify(app.snapshot()));
  assertEquals(seen.map((text) => JSON.parse(text).state), [
    "idle",
    "streaming",
    "streaming",
    "ended",
  ]);
});
