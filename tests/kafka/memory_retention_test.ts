import { assertEquals, assertThrows } from "@std/assert";
import { gateOf } from "../../src/flow/source/gate.ts";
import { MemoryBroker } from "../../src/kafka/memory/broker.ts";
import { tellLoss } from "../../src/kafka/topic/loss.ts";
import { PartitionLog } from "../../src/kafka/memory/log.ts";
import type { BrokerRecord } from "../../src/kafka/client/broker.ts";
import type { BrokerStatus } from "../../src/kafka/client/status.ts";
import { Topic } from "../../src/kafka/topic/topic.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { FeedDriver } from "../_support/feed_driver.ts";
import { liveHeap } from "../_support/live_heap.ts";
import { record, texts, write } from "../_support/records.ts";

Deno.test("MemoryBroker keeps the newest maxRecords of a partition", async () => {
  await using broker = new MemoryBroker({ maxRecords: 10 });
  await broker.ensure("t", {});
  await write(broker, "t", texts("v", 25));
  assertEquals((await broker.offsets("t", "earliest")).get(0), 15);
  await using topic = new Topic("t", { broker, groupId: "g", offset: "earliest" });
  await using driver = new FeedDriver(topic);
  await driver.until((messages) => messages.length === 10);
  assertEquals(driver.messages.map(({ value }) => value), texts("v", 25).slice(15));
});

Deno.test("Topic tells which messages were deleted before they were read", async () => {
  await using broker = new MemoryBroker({ maxRecords: 10 });
  await broker.ensure("t", {});
  await write(broker, "t", texts("v", 5));
  const lost: BrokerStatus[] = [];
  const onStatus = (status: BrokerStatus) => void (status.type === "lost" && lost.push(status));
  const options = { broker, groupId: "g", offset: "earliest", onStatus } as const;
  {
    await using topic = new Topic("t", options);
    await using driver = new FeedDriver(topic);
    await driver.until((messages) => messages.length === 5);
    await driver.commit();
  }
  await write(broker, "t", texts("w", 25));
  await using topic = new Topic("t", options);
  await using driver = new FeedDriver(topic);
  await driver.until((messages) => messages.length === 10);
  assertEquals(lost, [{ type: "lost", topic: "t", partition: 0, from: 5, to: 20 }]);
});

Deno.test("Topic tells which messages were deleted while it was held back, and no others", async () => {
  await using broker = new MemoryBroker({ maxRecords: 10 });
  await broker.ensure("t", {});
  const lost: BrokerStatus[] = [];
  const told = Promise.withResolvers<void>();
  const onStatus = (status: BrokerStatus) => {
    if (status.type !== "lost") return;
    lost.push(status);
    told.resolve();
  };
  await using topic = new Topic("t", { broker, groupId: "g", offset: "earliest", onStatus });
  gateOf(topic).pause("test");
  await using driver = new FeedDriver(topic);
  await driver.feed.ready!();
  await write(broker, "t", texts("v", 25));
  gateOf(topic).resume("test");
  await driver.until((messages) => messages.length === 10);
  assertEquals(driver.offsets[0], 15);
  await told.promise;
  assertEquals(lost, [{ type: "lost", topic: "t", partition: 0, from: 0, to: 15 }]);
});

Deno.test("tellLoss() tells of no offset that was read before it was deleted", async () => {
  const lost = Promise.withResolvers<BrokerStatus>();
  await using broker = new MemoryBroker({ maxRecords: 5 });
  await broker.ensure("t", {});
  await write(broker, "t", texts("v", 20));
  const log = new PartitionLog(10);
  for (let i = 0; i < 14; i++) log.append(record("k", "v"), 0);
  const { records, bytes } = log.read(0, 100, Infinity);
  const place = { topic: "t", partition: 0, generation: 1, epoch: 0 };
  const chunk = { ...place, records, bytes, next: 14, high: 14 };
  await tellLoss(broker, chunk, 1, lost.resolve);
  assertEquals(await lost.promise, { type: "lost", topic: "t", partition: 0, from: 1, to: 4 });
});

Deno.test("PartitionLog keeps the newest maxRecords after every append", () => {
  for (const most of [1, 2, 7, 100]) {
    const log = new PartitionLog(most);
    for (let i = 0; i < 5 * most; i++) {
      assertEquals(log.append(record("k", `v${i}`), 0), i);
      const { records } = log.read(0, 1_000, Infinity);
      const low = Math.max(0, i + 1 - most);
      assertEquals([log.low, log.high, records[0]!.offset], [low, i + 1, low]);
      assertEquals(records.length, log.high - log.low);
    }
  }
});

Deno.test("PartitionLog keeps copies of the bytes of records, small and large", () => {
  const log = new PartitionLog(1_000);
  const sizes = [0, 1, 100, 1_024, 1_025, 8_192, 100_000];
  const given = Array.from({ length: 200 }, (_, i) => {
    const bytes = (step: number) =>
      new Uint8Array(sizes[(i + step) % sizes.length]!).fill(i + step);
    return { key: bytes(1), value: bytes(2), headers: [["h", bytes(3)]] as const };
  });
  for (const record of given) log.append(record, 0);
  const expected = structuredClone(given);
  for (const { key, value, headers } of given) {
    for (const bytes of [key, value, headers[0]![1]]) bytes.fill(255);
  }
  const { records } = log.read(0, 1_000, Infinity);
  assertEquals(
    records.map(({ key, value, headers }) => ({ key, value, headers })),
    expected as unknown as Pick<BrokerRecord, "key" | "value" | "headers">[],
  );
});

Deno.test("PartitionLog holds no record that it dropped", async () => {
  const log = new PartitionLog(4);
  for (let i = 0; i < 4; i++) log.append(record("k", "v"), 0);
  const first = new WeakRef(log.read(0, 1, Infinity).records[0]!);
  log.append(record("k", "v"), 0);
  // A WeakRef keeps its target until the end of the job that made it.
  await new Promise((resolve) => setTimeout(resolve));
  liveHeap();
  assertEquals(first.deref(), undefined);
});

Deno.test("MemoryBroker takes the time of records from its clock", async () => {
  const clock = new ManualClock(5_000);
  await using broker = new MemoryBroker({ clock });
  await using topic = new Topic("t", { broker, groupId: "g", offset: "earliest" });
  await topic.send(["k", "a"]);
  await clock.tick(1_000);
  await topic.send(["k", "b"]);
  await using driver = new FeedDriver(topic);
  await driver.until((messages) => messages.length === 2);
  assertEquals(driver.messages.map(({ timestamp }) => timestamp), [5_000, 6_000]);
});

Deno.test("new MemoryBroker() refuses bounds below 1", () => {
  assertThrows(
    () => new MemoryBroker({ maxRecords: 0 }),
    RangeError,
    '"maxRecords" of MemoryBroker as it must be an integer >= 1: current value is 0',
  );
});
