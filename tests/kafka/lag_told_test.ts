/** The status event `progress` of Topics: told each second, with the true lag, whatever they wait for. */
import { assert, assertEquals } from "@std/assert";
import { App, type StatusEvent } from "../../mod.ts";
import { gateOf } from "../../src/flow/source/gate.ts";
import type { Broker } from "../../src/kafka/client/broker.ts";
import { MemoryBroker } from "../../src/kafka/memory/mod.ts";
import { Topic, type TopicOptions } from "../../src/kafka/mod.ts";
import { ManualClock, settle } from "../../src/testing/mod.ts";
import { alteredBroker } from "../_support/altered_broker.ts";
import { unique } from "../_support/kafka.ts";
import { texts, write } from "../_support/records.ts";
import { kafka, testOn } from "../_support/topic_fixture.ts";

/** An app that reads topic "in" of a broker, by a clock of the test's; `take` is its handler. */
function reading(
  broker: Broker,
  take: (value: string) => unknown = () => {},
  options: TopicOptions = {},
) {
  const clock = new ManualClock();
  const told: (readonly [messages: number, lag: number | undefined])[] = [];
  const topic = new Topic("in", { broker, groupId: "g", offset: "earliest", ...options });
  const status = (event: StatusEvent) => {
    if (event.type === "progress") told.push([event.messages, event.lag]);
  };
  const app = new App({ clock, onStatus: status });
  app.handle(topic, ({ value }) => take(value));
  const stop = new AbortController();
  const streamed = app.stream({ signal: stop.signal, drainTimeout: 10 });
  return {
    app,
    clock,
    topic,
    /** What was told since the last call, after so many seconds. */
    async after(seconds: number) {
      await rest();
      await clock.tick(seconds * 1_000);
      await rest();
      return told.splice(0);
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await clock.tick(10);
      await streamed.catch(() => {});
      await topic.close();
      assertEquals(clock.pending, 0);
    },
  };
}

async function rest(): Promise<void> {
  for (let turn = 0; turn < 30; turn++) await settle();
}

Deno.test("progress is told each second while a Topic is paused, with the lag that grows meanwhile", async () => {
  await using broker = new MemoryBroker();
  await broker.ensure("in", {});
  await using world = reading(broker);
  await world.after(1);
  world.app.pause(world.topic, "operator");
  await write(broker, "in", texts("v", 100));
  const paused = await world.after(2);
  await write(broker, "in", texts("v", 50));
  const later = await world.after(1);
  world.app.resume(world.topic, "operator");
  assertEquals([paused.map(([, lag]) => lag), later.map(([, lag]) => lag)], [[100, 100], [150]]);
  assertEquals((await world.after(1)).map(([, lag]) => lag), [0]);
});

Deno.test("progress is told each second while a handler is slow", async () => {
  await using broker = new MemoryBroker();
  await broker.ensure("in", {});
  await write(broker, "in", ["slow"]);
  const slow = Promise.withResolvers<void>();
  await using world = reading(broker, () => slow.promise);
  assertEquals(await world.after(1), [[0, 1]]);
  await write(broker, "in", texts("v", 5));
  assertEquals(await world.after(3), [[0, 6], [0, 6], [0, 6]]);
  slow.resolve();
  assertEquals(await world.after(1), [[6, 0]]);
});

Deno.test("progress knows of messages that are not fetched, for want of room or of a partition set aside", async () => {
  await using broker = new MemoryBroker({ partitions: 2 });
  await broker.ensure("in", {});
  const slow = Promise.withResolvers<void>();
  await write(broker, "in", texts("v", 15_000), 0);
  await using world = reading(broker, () => slow.promise);
  await world.after(1);
  await write(broker, "in", texts("v", 7), 0);
  assertEquals(await world.after(1), [[0, 15_007]]);
  slow.resolve();
  await world.after(1);
  gateOf(world.topic).pause("held", 1);
  await write(broker, "in", ["held back", "not fetched"], 1);
  await world.after(1);
  await write(broker, "in", ["nor this"], 1);
  assertEquals((await world.after(1)).map(([, lag]) => lag), [3]);
});

Deno.test("progress is told while a Topic waits to be assigned: its lag is not known", async () => {
  await using broker = new MemoryBroker();
  await broker.ensure("in", {});
  await write(broker, "in", ["a", "b"]);
  const letIn = Promise.withResolvers<void>();
  const slow = alteredBroker(broker, { join: (join) => letIn.promise.then(join) });
  await using world = reading(slow);
  assertEquals(await world.after(2), [[0, undefined], [0, undefined]]);
  letIn.resolve();
  assertEquals(await world.after(1), [[2, 0]]);
});

Deno.test("progress is told though the brokers do not say where a paused Topic ends, and asks one question at a time", async () => {
  await using broker = new MemoryBroker();
  await broker.ensure("in", {});
  const signals: AbortSignal[] = [];
  let answers = true;
  const altered = alteredBroker(broker, {
    offsets(look, options) {
      if (answers) return look();
      signals.push(options!.signal!);
      return new Promise(() => {});
    },
  });
  {
    await using world = reading(altered);
    await world.after(1);
    answers = false;
    world.app.pause(world.topic, "operator");
    await write(broker, "in", texts("v", 5));
    // The first waits for the answer until the next one is due.
    assertEquals(await world.after(4), [[0, 0], [0, 0], [0, 0]]);
    assertEquals(signals.map(({ aborted }) => aborted), [false]);
  }
  assertEquals(signals.map(({ aborted }) => aborted), [true]);
});

Deno.test("progress is told though looking up where a paused Topic ends fails, and the app goes on", async () => {
  await using broker = new MemoryBroker();
  await broker.ensure("in", {});
  let fails = false;
  const altered = alteredBroker(broker, {
    offsets: (look) => fails ? Promise.reject(new Error("not allowed")) : look(),
  });
  await using world = reading(altered);
  await world.after(1);
  fails = true;
  world.app.pause(world.topic, "operator");
  await write(broker, "in", texts("v", 5));
  assertEquals(await world.after(2), [[0, 0], [0, 0]]);
  world.app.resume(world.topic, "operator");
  assertEquals(await world.after(1), [[5, 0]]);
});

testOn(kafka)(
  "tells its true lag while it is paused, and when it is not",
  async ({ broker, name, make }) => {
    await broker.ensure(name, { partitions: 2 });
    await write(broker, name, ["first"]);
    const topic = make({ groupId: unique("group") });
    const lags: (number | undefined)[] = [];
    let told = () => {};
    const until = async (lag: number | undefined) => {
      while (lags.at(-1) !== lag) await new Promise<void>((resolve) => told = resolve);
    };
    const app = new App({
      onStatus(event) {
        if (event.type !== "progress") return;
        lags.push(event.lag);
        told();
      },
    });
    app.handle(topic, () => {});
    const streamed = app.stream();
    await until(0);
    app.pause(topic, "operator");
    await write(broker, name, texts("v", 40), 0);
    await write(broker, name, texts("v", 2), 1);
    await until(42);
    app.resume(topic, "operator");
    await until(0);
    await app.close();
    await streamed;
    assert(lags.length >= 3);
  },
);
