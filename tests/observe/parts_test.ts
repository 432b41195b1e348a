import { assertEquals, assertStringIncludes } from "@std/assert";
import { App, MemoryCache } from "@slipstream/slipstream";
import { END, type FeedSource, type Host, openFeed } from "@slipstream/slipstream/connector";
import { Topic } from "@slipstream/slipstream/kafka";
import { MemoryBroker } from "@slipstream/slipstream/memory";
import { observer } from "@slipstream/slipstream/observe";
import { ManualClock } from "@slipstream/slipstream/testing";
import type { AppSnapshot } from "../../mod.ts";
import type { PartEvent } from "../../src/status.ts";
import { Incidents } from "../../src/observe/incidents.ts";
import { pricedOrders } from "../_support/priced_orders.ts";
import { statusReader } from "../_support/status_reader.ts";

const MINUTE = 60_000;

Deno.test("/status tells what topics and checkpoints tell, each with an id, and the page what is in no snapshot", async () => {
  await using cache = new MemoryCache();
  const downtimeThreshold = 10 * MINUTE;
  await using set = await pricedOrders({ downtimeThreshold, unit: MINUTE, correct: true, cache });
  const { rates, orders, rate, price } = set;
  const app = new App();
  app.handle(rates, rate, { name: "rate" });
  app.handle(orders, price, { name: "price" });
  using seen = observer(app, { interval: 50 });
  await using reader = await statusReader(seen);
  const told = async (type: string, name: string, kind: string) => {
    const { data, id } = await reader.until(({ data }) =>
      data.type === type && data.name === name && data.event.type === kind
    );
    assertEquals([typeof data.at, /^[\da-f]{8}-\d+$/.test(id!)], ["number", true]);
    return data.event;
  };
  const streaming = app.stream();
  assertEquals((await told("topic", "orders", "assigned")).partitions, [0]);
  await rates.send({ value: "1" });
  while (app.snapshot().checkpoints[0]!.frontier !== MINUTE) {
    await new Promise((resolve) => setTimeout(resolve));
  }
  await orders.send({ value: "2" });
  await orders.send({ value: "12" });
  assertEquals(await told("checkpoint", "priced", "down"), {
    type: "down",
    dependency: "rates",
    downtimeMs: 11 * MINUTE,
  });
  await rates.send({ value: "3" });
  await rates.send({ value: "13" });
  assertEquals((await told("checkpoint", "priced", "recovered")).dependency, "rates");
  assertEquals((await told("checkpoint", "priced", "correcting")).dependencies, ["rates"]);
  await rates.send({ value: `${Date.now()}` }); // minutes: tens of thousands of years ahead
  const { marker } = await told("checkpoint", "priced", "ahead");
  const { data } = await reader.until(({ data }) => data.problems?.length > 0);
  assertEquals(
    data.problems.map(({ id, text }: { id: string; text: string }) => [
      id,
      text.replace(/\d+ ms/, "n ms"),
    ]),
    [[
      "checkpoint:priced",
      "1 marker of rates is too far ahead of the clock, and ignored: is a clock wrong? " +
      "(checkpoint priced) (n ms ago)",
    ]],
  );
  assertEquals(marker > Date.now(), true);
  await app.close();
  await streaming;
});

Deno.test("/status shows nothing of messages that a topic does not send, and few of them", async () => {
  await using broker = new MemoryBroker();
  await using out = new Topic("out", { broker, dry: true });
  const clock = new ManualClock();
  const app = new App({ clock });
  app.handle(Array.from({ length: 50 }, (_, n) => n), (n) => [`key ${n}`, "a secret"] as const, {
    sink: out,
    name: "send",
  });
  using seen = observer(app, { clock });
  await app.stream();
  await clock.tick(1_000);
  await using reader = await statusReader(seen);
  const told: unknown[] = [];
  await reader.until(({ event, data }) => {
    if (event === "status" && data.type !== "more") told.push(data.event ?? data.type);
    return data.type === "more" && data.of === "topic out" && data.count === 40;
  });
  assertEquals(told, [
    "started",
    ...Array(10).fill({ type: "dry", topic: "out" }),
    "source_ended",
    "flow_ended",
    "ended",
  ]);
});

Deno.test("/status tells why brokers cannot be reached, and the page does", async () => {
  await using topic = new Topic("in", { brokers: ["127.0.0.1:1"], groupId: "g" });
  const app = new App();
  app.handle(topic, () => {}, { name: "read" });
  using seen = observer(app, { interval: 20 });
  await using reader = await statusReader(seen);
  const stop = new AbortController();
  const streaming = app.stream({ signal: stop.signal });
  const { data } = await reader.until(({ data }) => data.event?.type === "away");
  const { text, line } = data.event.error;
  assertEquals([text.includes("ECONNREFUSED 127.0.0.1:1"), line], [true, undefined], text);
  const shown = await reader.until(({ data }) => data.problems?.length > 0);
  const [problem] = shown.data.problems;
  assertEquals(problem.id, "source:in");
  assertStringIncludes(problem.text, "in cannot reach the brokers: ");
  assertStringIncludes(problem.text, "ECONNREFUSED");
  stop.abort();
  await streaming;
});

Deno.test("/status tells once for which message a source is blocked, without its key", async () => {
  const clock = new ManualClock();
  const app = new App({ clock });
  const { promise, resolve } = Promise.withResolvers<void>();
  const messages = Array.from({ length: 9 }, (_, n) => ({ key: 7n, partition: 0, offset: n }));
  app.handle(messages, () => promise, {
    name: "wait",
    concurrency: { max: 2, by: ({ key }) => key, ahead: 4 },
  });
  using seen = observer(app, { clock });
  await using reader = await statusReader(seen);
  const streaming = app.stream();
  await reader.until(({ data }) => data.type === "started");
  await clock.tick(3_000);
  resolve();
  await streaming;
  const told: unknown[] = [];
  await reader.until(({ event, data }) => {
    if (event === "status") told.push(data);
    return data.type === "ended";
  });
  const blocked = told.filter((each) => (each as { type: string }).type === "blocked");
  assertEquals(blocked.length, 1, JSON.stringify(told));
  const { source, offset, key } = blocked[0] as Record<string, unknown>;
  assertEquals([source, offset, key], ["Array", 0, undefined]);
});

Deno.test("A part of an app is told by nobody to tell what happens, unless somebody looks at the app", async () => {
  const hosts: Host[] = [];
  const source: FeedSource<number> = {
    [openFeed](host) {
      hosts.push(host);
      return { poll: () => END, wait() {}, cancel() {} };
    },
  };
  const app = new App();
  const asked: unknown[] = [];
  app.handle(source, () => {}, { name: "read" });
  app.onExit(() => {
    const [host] = hosts;
    asked.push(host!.tell);
    const seen = observer(app);
    asked.push(typeof host!.tell);
    seen.close();
    asked.push(host!.tell);
  });
  await app.stream();
  assertEquals(asked, [undefined, "function", undefined]);
  using _late = observer(app);
  assertEquals(hosts[0]!.tell, undefined); // its run is over
});

Deno.test("A Topic tells nothing to a run that does not use it any more", async () => {
  await using broker = new MemoryBroker();
  await using topic = new Topic("out", { broker, dry: true });
  const app = new App();
  app.handle([1], () => ["x", "y"] as const, { sink: topic, name: "send" });
  using seen = observer(app);
  await app.stream();
  await topic.send({ value: "later" });
  await using reader = await statusReader(seen);
  const told: string[] = [];
  for (let next = await reader.next(); next !== undefined; next = await reader.next()) {
    if (next.data.type === "topic") told.push(next.data.event.type);
  }
  assertEquals(told, ["dry"]);
});

/** A snapshot, as far as incidents need it. */
function at(at: number): AppSnapshot {
  return {
    at,
    checkpoints: [{ id: "checkpoint:priced", checkpoint: "priced" }],
    sources: [{ id: "source:orders", source: "orders" }],
  } as unknown as AppSnapshot;
}

function topic(event: { type: string } & Record<string, unknown>): PartEvent {
  return { type: "topic", name: "orders", event };
}

Deno.test("Incidents are told for five minutes, with how many messages they are about", () => {
  const incidents = new Incidents();
  incidents.note(topic({ type: "lost", partition: 1, from: 3, to: 5 }), 0);
  incidents.note(topic({ type: "lost", partition: 1, from: 9, to: 10 }), 1_000);
  incidents.note(topic({ type: "stuck", partition: 2, offset: 7 }), 1_000);
  for (let n = 0; n < 2; n++) {
    incidents.note(topic({ type: "dry", key: "k", value: "a secret" }), 1_000);
  }
  const priced = (event: { type: string } & Record<string, unknown>): PartEvent => ({
    type: "checkpoint",
    name: "priced",
    event,
  });
  incidents.note(priced({ type: "lost", from: { 0: 3, 1: 7 }, to: { 0: 5, 1: 8 } }), 1_000);
  incidents.note(priced({ type: "late", dependency: "rates", marker: 1 }), 1_000);
  incidents.note(priced({ type: "recovered", dependency: "rates" }), 1_000); // the snapshot tells
  const problems = incidents.problems(at(3_000));
  assertEquals(problems.map(({ severity, id, text }) => [severity, id, text]), [
    [
      "bad",
      "source:orders",
      "orders partition 1 lost 3 messages: the brokers deleted them before they were read (2 s ago)",
    ],
    [
      "warn",
      "source:orders",
      "orders left its group, since the message at offset 7 of partition 2 takes too long: " +
      "others read its partitions until that is done (2 s ago)",
    ],
    ["info", "source:orders", "orders is dry: 2 messages were not sent (2 s ago)"],
    [
      "bad",
      "checkpoint:priced",
      "Stale results of 3 messages stay as they are: the messages have left the log " +
      "(checkpoint priced) (2 s ago)",
    ],
    [
      "warn",
      "checkpoint:priced",
      "1 message of rates came after the frontier: final results are not corrected for it " +
      "(checkpoint priced) (2 s ago)",
    ],
  ]);
  assertEquals(incidents.problems(at(1_000 + 5 * MINUTE)).length, 5);
  assertEquals(incidents.problems(at(1_001 + 5 * MINUTE)), []);
});

Deno.test("Incidents tell why brokers cannot be reached, until they answer, without credentials", () => {
  const incidents = new Incidents();
  incidents.note(topic({ type: "away" }), 0); // the snapshot tells as much
  assertEquals(incidents.problems(at(0)), []);
  const error = new Error("connect ECONNREFUSED sasl://me:secret@10.0.0.1:9092");
  incidents.note(topic({ type: "away", error }), 0);
  assertEquals(incidents.problems(at(0)).map(({ text }) => text), [
    "orders cannot reach the brokers: connect ECONNREFUSED sasl://***@10.0.0.1:9092 (0 ms ago)",
  ]);
  incidents.note(topic({ type: "back" }), 1);
  assertEquals(incidents.problems(at(1)), []);
});

Deno.test("Incidents are bounded, whatever happens", () => {
  const incidents = new Incidents();
  for (let partition = 0; partition < 1_000; partition++) {
    incidents.note(topic({ type: "lost", partition, from: 0, to: 1 }), 0);
  }
  const problems = incidents.problems(at(0));
  assertEquals([problems.length, problems.at(-1)?.text.includes("partition 999")], [32, true]);
});
