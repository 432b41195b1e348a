/** Aborted transactions, and the marks of their ends, as a reader of a Topic meets them. */
import { assertEquals } from "@std/assert";
import { Topic } from "../../src/kafka/topic/topic.ts";
import { FeedDriver } from "../_support/feed_driver.ts";
import { brokers, foreignClient, kafkaTest, unique } from "../_support/kafka.ts";
import { QUICK } from "../_support/topic_fixture.ts";

kafkaTest(
  "Topic delivers what interleaved transactions have committed, and counts the rest as read",
  async () => {
    const name = unique("mixed");
    // Fetches so small that a mark of an end stands alone in one.
    const options = { ...QUICK, brokers, groupId: name, maxBytesPerPartition: 1 };
    await using topic = new Topic(name, options);
    await topic.ensure({ partitions: 1 });
    const producers = [0, 1, 2].map((i) =>
      foreignClient().producer({ transactionalId: `${name}-${i}`, maxInFlightRequests: 1 })
    );
    for (const producer of producers) await producer.connect();
    const transactions = [];
    for (const producer of producers) transactions.push(await producer.transaction());
    // A key of four zero bytes is what kafkajs took for the mark of an aborted transaction.
    const key = "\0\0\0\0";
    for (let round = 0; round < 3; round++) {
      for (const [i, transaction] of transactions.entries()) {
        const messages = [{ key, value: `${i}.${round}`, partition: 0 }];
        await transaction.send({ topic: name, messages });
      }
    }
    await transactions[1]!.abort();
    await transactions[0]!.commit();
    await transactions[2]!.abort();
    for (const producer of producers) await producer.disconnect();
    await using driver = new FeedDriver(topic);
    await driver.feed.ready!();
    const caughtUp = () => [...driver.feed.parts!()].every((part) => part.caughtUp);
    while (!caughtUp() || driver.feed.lag!() !== 0) await topic.offsets();
    const values = driver.messages.map((message) => (message as { value: string }).value);
    assertEquals(values, ["0.0", "0.1", "0.2"]);
    await driver.commit();
    assertEquals((await topic.offsets()).get(0)?.committed, 12);
  },
);
