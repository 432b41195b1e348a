/** What only a real broker does to a producer. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import kafkajs from "kafkajs";
import produced from "kafkajs/src/protocol/requests/produce/v7/response.js";
import { App } from "../../mod.ts";
import { Topic } from "../../src/kafka/topic/topic.ts";
import { KafkaBroker } from "../../src/kafka/kafkajs/broker.ts";
import { KafkaError } from "../../src/kafka/client/errors.ts";
import { GroupReader } from "../_support/group_reader.ts";
import { brokers, kafkaTest, unique } from "../_support/kafka.ts";
import { openProducer, record, texts } from "../_support/records.ts";

/** Kafka's number of NOT_LEADER_OR_FOLLOWER. */
const NOT_LEADER = 6;

/** Has the next answers to a producer say that the broker leads one partition no more; `using` ends it. */
function notLeading(partition: number, answers: number): Disposable {
  const response = produced as {
    decode(
      bytes: Uint8Array,
    ): Promise<{ topics: { partitions: { partition: number; errorCode: number }[] }[] }>;
  };
  const { decode } = response;
  response.decode = async (bytes) => {
    const answer = await decode(bytes);
    for (const one of answer.topics.flatMap(({ partitions }) => partitions)) {
      if (one.partition === partition && answers-- > 0) one.errorCode = NOT_LEADER;
    }
    return answer;
  };
  return { [Symbol.dispose]: () => void (response.decode = decode) };
}

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

kafkaTest("a flow that writes to a Topic as fast as it can commits all the while", async () => {
  await using topic = new Topic(unique("load"), { brokers });
  await topic.ensure({ partitions: 2 });
  const stop = new AbortController();
  let commits = 0;
  const app = new App({
    commit: { interval: 50, flushTimeout: 10_000 },
    onStatus: ({ type }) => {
      if (type === "commit" && ++commits === 10) stop.abort();
    },
  });
  app.handle(naturals(), (n) => [`k${n % 7}`, `value ${n}`] as const, { sink: topic });
  await app.stream({ signal: stop.signal });
  assert(commits >= 10);
});

/** Numbers from 0, without end. */
function* naturals(): Generator<number, void> {
  for (let n = 0;; n++) yield n;
}

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

kafkaTest("KafkaProducer sends again only the partitions that a broker has refused", async () => {
  await using broker = new KafkaBroker({ brokers });
  const topic = unique("again");
  await broker.ensure(topic, { partitions: 3 });
  const producer = await openProducer(broker, topic);
  await producer.send(record("k", "first", { partition: 0 }));
  using _ = notLeading(1, 3); // the attempts of one client
  const sent = texts("v", 30).map((value, i) =>
    producer.send(record("k", value, { partition: i % 3 }))
  );
  const places = await Promise.all(sent);
  assertEquals([places[0], places[29]], [{ partition: 0, offset: 1 }, { partition: 2, offset: 9 }]);
  const ends = await broker.offsets(topic, "latest");
  // The broker has stored partition 1 although it was made to say otherwise: it has it twice.
  assertEquals([...ends.values()], [11, 20, 10]);
  assertEquals(places[1], { partition: 1, offset: 10 });
  await using reader = await GroupReader.join(broker, { topic, groupId: topic });
  await reader.until(({ seen }) => seen.length === 41);
  const inOrder = (partition: number) => texts("v", 30).filter((_, i) => i % 3 === partition);
  const valuesOf = (partition: number) =>
    reader.seen.filter((one) => one.partition === partition).map(({ value }) => value);
  assertEquals(valuesOf(0), ["first", ...inOrder(0)]);
  assertEquals(valuesOf(1), [...inOrder(1), ...inOrder(1)]);
  assertEquals(valuesOf(2), inOrder(2));
});

kafkaTest(
  "KafkaProducer repeats nothing right after a topic of 200 partitions was created",
  async () => {
    await using broker = new KafkaBroker({ brokers });
    const topic = unique("many");
    await broker.ensure(topic, { partitions: 200 });
    const producer = await openProducer(broker, topic);
    for (let i = 0; i < 4_000; i++) await producer.add(record("k", "v", { partition: i % 200 }));
    await producer.flush();
    const ends = await broker.offsets(topic, "latest");
    assertEquals([...ends].filter(([, end]) => end !== 20), []);
  },
);
