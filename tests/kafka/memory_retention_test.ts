import { assertEquals, assertThrows } from "@std/assert";
import { MemoryBroker } from "../../src/kafka/memory/broker.ts";
import type { BrokerStatus } from "../../src/kafka/status.ts";
import { Topic } from "../../src/kafka/topic.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { FeedDriver } from "../_support/feed_driver.ts";
import { texts, write } from "../_support/records.ts";

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
    await driver.barrier();
  }
  await write(broker, "t", texts("w", 25));
  await using topic = new Topic("t", options);
  await using driver = new FeedDriver(topic);
  await driver.until((messages) => messages.length === 10);
  assertEquals(lost, [{ type: "lost", topic: "t", partition: 0, from: 5, to: 20 }]);
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
    '"maxRecords" must be an integer >= 1: 0',
  );
});
