import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { App, HandlerError, Proxy, type StatusEvent } from "../../mod.ts";
import { type BrokerStatus, Topic } from "../../src/kafka/mod.ts";
import { MemoryBroker } from "../../src/kafka/memory/mod.ts";
import { ManualClock, settle } from "../../src/testing/mod.ts";

async function setUp(messages: number) {
  const clock = new ManualClock();
  const broker = new MemoryBroker({ clock });
  const statuses: BrokerStatus[] = [];
  const topic = new Topic("in", {
    broker,
    groupId: "g",
    offset: "earliest",
    onStatus: (status) => statuses.push(status),
  });
  for (let n = 0; n < messages; n++) await topic.send({ value: `${n}` });
  const stuck = () => statuses.filter(({ type }) => type === "stuck");
  return { clock, broker, topic, stuck };
}

async function settled(times = 30): Promise<void> {
  for (let n = 0; n < times; n++) await settle();
}

Deno.test("handlerTimeout: the member leaves, and the message meets the policy once the call is over", async () => {
  const { clock, broker, topic, stuck } = await setUp(3);
  const go = Promise.withResolvers<void>();
  const seen: string[] = [];
  const events: StatusEvent[] = [];
  const app = new App({ clock, onStatus: (event) => events.push(event) });
  app.handle(topic, async ({ value }) => {
    seen.push(value);
    if (value === "1") await go.promise;
    if (value === "2") queueMicrotask(() => app.close());
  }, { handlerTimeout: 1_000, onError: "skip" });
  const streaming = app.stream();
  await settled();
  await clock.tick(900);
  assertEquals(stuck(), []);
  await clock.tick(300);
  assertEquals(stuck(), [{ type: "stuck", topic: "in", partition: 0, offset: 1 }]);
  assertEquals(seen, ["0", "1"]);
  go.resolve();
  await settled();
  await streaming;
  assertEquals(seen, ["0", "1", "2"]); // it goes on after the message that was skipped
  const skipped = events.find(({ type }) => type === "skipped") as { error: HandlerError };
  assertEquals((skipped.error.cause as Error).name, "TimeoutError");
  assertEquals(await broker.committed("g", "in"), new Map([[0, 3]]));
  await topic.close();
});

Deno.test("handlerTimeout with onError stop ends the app, and the message is not committed", async () => {
  const { clock, broker, topic } = await setUp(1);
  const app = new App({ clock });
  const go = Promise.withResolvers<void>();
  app.handle(topic, () => go.promise, { handlerTimeout: 1_000 });
  const streaming = app.stream();
  streaming.catch(() => {});
  await settled();
  await clock.tick(1_500);
  go.resolve();
  await assertRejects(() => streaming, HandlerError, "handlerTimeout is 1000");
  assertEquals((await broker.committed("g", "in")).get(0) ?? 0, 0);
  await topic.close();
});

Deno.test("handlerTimeout is 5 minutes for a Topic, and none for other sources", async () => {
  const { clock, topic, stuck } = await setUp(1);
  const app = new App({ clock });
  const go = Promise.withResolvers<void>();
  const other: string[] = [];
  app.handle(topic, () => go.promise);
  app.handle(["a"], async (letter) => {
    await go.promise;
    other.push(letter);
  });
  const streaming = app.stream();
  streaming.catch(() => {});
  await settled();
  await clock.tick(299_000);
  assertEquals(stuck().length, 0);
  await clock.tick(31_000);
  assertEquals(stuck().length, 1);
  go.resolve();
  await assertRejects(() => streaming, HandlerError, "handlerTimeout is 300000");
  assertEquals(other, ["a"]);
  await topic.close();
});

Deno.test("a flow behind a Proxy has no limit of its own, and the member leaves by the Topic's", async () => {
  const { clock, topic, stuck } = await setUp(1);
  const app = new App({ clock });
  const proxy = new Proxy<string>();
  const begun = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  app.handle(topic, ({ value }) => value, { sink: proxy });
  app.handle(proxy, async () => {
    begun.resolve();
    await go.promise;
    queueMicrotask(() => app.close());
  });
  const streaming = app.stream();
  await begun.promise;
  await settled();
  await clock.tick(299_000);
  assertEquals(stuck().length, 0);
  await clock.tick(31_000);
  assertEquals(stuck().length, 1);
  go.resolve();
  await streaming; // no call has failed
  await topic.close();
});

Deno.test("a stuck sink holds only the flows of its own source", async () => {
  const { clock, broker, topic } = await setUp(1);
  await using other = new Topic("other", { broker, groupId: "g", offset: "earliest" });
  for (const value of ["a", "b"]) await other.send({ value });
  const go = Promise.withResolvers<void>();
  const app = new App({ clock });
  app.handle(topic, ({ value }) => value, { sink: () => go.promise });
  app.handle(other, () => {});
  const streaming = app.stream();
  await settled();
  await clock.tick(1_000);
  await settled();
  assertEquals((await broker.committed("g", "other")).get(0), 2);
  assertEquals((await broker.committed("g", "in")).get(0) ?? 0, 0);
  go.resolve();
  await app.close();
  await streaming;
  await topic.close();
});

Deno.test("handle() refuses a handlerTimeout that is not a time", () => {
  assertThrows(
    () => new App().handle([1], () => {}, { name: "f", handlerTimeout: 0 }),
    RangeError,
    '"handlerTimeout" of flow "f" as it must be a duration of milliseconds > 0',
  );
});
