/** What only a real broker does to a producer. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import kafkajs from "kafkajs";
import { KafkaBroker } from "../../src/kafka/kafkajs/broker.ts";
import { KafkaError } from "../../src/kafka/errors.ts";
import { GroupReader } from "../_support/group_reader.ts";
import { brokers, kafkaTest, unique } from "../_support/kafka.ts";
import { openProducer, record, texts } from "../_support/records.ts";

/** Makes a topic take records of 2,000 bytes at most; producers that are open do not know it. */
async function limit(topic: string): Promise<void> {
  const admin = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING }).admin();
  await admin.connect();
  const configEntries = [{ name: "max.message.bytes", value: "2000" }];
  const resources = [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configEntries }];
  await admin.alterConfigs({ validateOnly: false, resources });
  await admin.disconnect();
}

kafkaTest(
  "KafkaProducer names the one record that the broker refuses, and sends the others",
  async () => {
    await using broker = new KafkaBroker({ brokers });
    const topic = unique("refused");
    await broker.ensure(topic, { partitions: 1 });
    const producer = await openProducer(broker, topic);
    await limit(topic);
    const sent = texts("v", 30).map((value) => producer.send(record("k", value)));
    const big = producer.send(record("big", "x".repeat(5_000)));
    const more = texts("w", 30).map((value) => producer.send(record("k", value)));
    const error = await assertRejects(() => big, KafkaError, '"big"');
    assertEquals([error.topic, error.key, error.retriable], [topic, "big", false]);
    assert(error.message.includes("MESSAGE_TOO_LARGE"), error.message);
    await Promise.all([...sent, ...more]);
    await producer.send(record("k", "last"));
    await using reader = await GroupReader.join(broker, { topic, groupId: topic });
    await reader.until(({ seen }) => seen.at(-1)?.value === "last");
    // In order, each once: nothing was lost to reused sequence numbers, nothing repeated.
    assertEquals(reader.values, [...texts("v", 30), ...texts("w", 30), "last"]);
  },
);

kafkaTest("KafkaProducer fails flush() and add() after an added record was refused", async () => {
  await using broker = new KafkaBroker({ brokers });
  const topic = unique("refused");
  await broker.ensure(topic, { partitions: 1 });
  const producer = await openProducer(broker, topic);
  await limit(topic);
  await producer.add(record("fine", "v"));
  await producer.add(record("big", "x".repeat(5_000)));
  await assertRejects(() => producer.flush(), KafkaError, '"big"');
  await assertRejects(() => producer.flush(), KafkaError, '"big"');
  await assertRejects(async () => await producer.add(record("fine", "v")), KafkaError, '"big"');
});

kafkaTest("KafkaProducer cuts batches to what the topic takes", async () => {
  await using broker = new KafkaBroker({ brokers });
  const topic = unique("cut");
  await broker.ensure(topic, { partitions: 1, config: { "max.message.bytes": "10000" } });
  const producer = await openProducer(broker, topic);
  for (const value of texts("x".repeat(1_000), 500)) await producer.add(record(null, value));
  await producer.flush();
  assertEquals((await broker.offsets(topic, "latest")).get(0), 500);
});

kafkaTest("KafkaProducer is bounded: add() asks to be awaited", async () => {
  await using broker = new KafkaBroker({ brokers });
  const topic = unique("bounded");
  await broker.ensure(topic, { partitions: 1 });
  const producer = await openProducer(broker, topic, { batchSize: 10 });
  const asked = texts("v", 100).findIndex((value) =>
    producer.add(record("k", value)) !== undefined
  );
  assert(asked >= 0 && asked <= 60, `after ${asked} records`);
  await producer.flush();
});
