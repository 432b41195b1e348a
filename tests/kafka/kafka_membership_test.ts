/** What only a real broker does to a member of a group. */
import { assertEquals } from "@std/assert";
import { gateOf } from "../../src/flow/source/gate.ts";
import { KafkaBroker } from "../../src/kafka/kafkajs/broker.ts";
import type { BrokerStatus } from "../../src/kafka/client/status.ts";
import { Topic } from "../../src/kafka/topic/topic.ts";
import { FeedDriver } from "../_support/feed_driver.ts";
import { brokers, foreignClient, kafkaTest, unique } from "../_support/kafka.ts";
import { texts, write } from "../_support/records.ts";
import { QUICK } from "../_support/topic_fixture.ts";

/** Deletes the records of partition 0 that are before `offset`. */
async function deleteBefore(topic: string, offset: number): Promise<void> {
  const admin = foreignClient().admin();
  await admin.connect();
  await admin.fetchTopicOffsets(topic); // else kafkajs does not know where the topic is
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: `${offset}` }] });
  await admin.disconnect();
}

kafkaTest("Topic goes on at the first record that is left, and says what was lost", async () => {
  const name = unique("lost");
  const statuses: BrokerStatus[] = [];
  await using topic = new Topic(name, {
    ...QUICK,
    brokers,
    groupId: name,
    onStatus: (status) => void statuses.push(status),
  });
  await topic.ensure({ partitions: 1 });
  gateOf(topic).pause("test");
  await using driver = new FeedDriver(topic);
  await driver.feed.ready!();
  await using broker = new KafkaBroker({ brokers });
  await write(broker, name, texts("v", 10));
  await deleteBefore(name, 4);
  gateOf(topic).resume("test");
  await driver.until((messages) => messages.length === 6);
  assertEquals(driver.offsets, [4, 5, 6, 7, 8, 9]);
  while (!statuses.some(({ type }) => type === "lost")) await topic.offsets();
  const lost = statuses.find(({ type }) => type === "lost");
  assertEquals(lost, { type: "lost", topic: name, partition: 0, from: 0, to: 4 });
});
