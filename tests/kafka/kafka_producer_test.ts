/** What only a real broker does to a producer. */
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import kafkajs from "kafkajs";
import { App } from "../../mod.ts";
import { Topic } from "../../src/kafka/topic/topic.ts";
import { KafkaBroker } from "../../src/kafka/kafkajs/broker.ts";
import { KafkaError } from "../../src/kafka/client/errors.ts";
import { BrokerProxy, type Fate, PRODUCE } from "../_support/broker_proxy.ts";
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
  // The broker applies it a moment after it has confirmed it.
  const asked = [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic }];
  for (let applied = false; !applied;) {
    const found = await admin.describeConfigs({ includeSynonyms: false, resources: asked });
    applied = found.resources[0]!.configEntries.some(({ configName, configValue }) =>
      configName === "max.message.bytes" && configValue === "2000"
    );
  }
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
  let refused: unknown;
  while (refused === undefined) { // the broker applies the limit a moment after it has confirmed it
    await producer.add(record("fine", "v"));
    await producer.add(record("big", "x".repeat(5_000)));
    refused = await producer.flush().then(() => undefined, (error) => error);
  }
  assertInstanceOf(refused, KafkaError);
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
  // Five batches in flight, four that wait.
  assertEquals(asked, 89);
  await producer.flush();
});

/** Has an answer, of version 5 or later, say that the broker leads a partition of `topic` no more. */
function notLeading(topic: string, partition: number): Fate {
  return (answer) => {
    // Length and correlation, one topic and its name, the count of partitions.
    const first = 4 + 4 + 4 + 2 + topic.length + 4;
    for (let at = first; at + 30 <= answer.length; at += 30) {
      if (answer.readInt32BE(at) === partition) answer.writeInt16BE(6, at + 4);
    }
  };
}

kafkaTest("KafkaProducer sends again only the partition that was refused", async () => {
  const topic = unique("again");
  const sizes: number[] = [];
  let refusals = 0;
  await using proxy = new BrokerProxy(brokers[0]!, (apiKey, request) => {
    if (apiKey !== PRODUCE) return "pass";
    sizes.push(request.length);
    return refusals-- > 0 ? notLeading(topic, 1) : "pass";
  });
  await using broker = new KafkaBroker({ brokers: proxy.brokers });
  await broker.ensure(topic, { partitions: 3 });
  const producer = await openProducer(broker, topic);
  const partitions = [0, 1, 2];
  await Promise.all(
    partitions.map((partition) => producer.send(record("k", "first", { partition }))),
  );
  sizes.length = 0;
  refusals = 2;
  const places = await Promise.all(
    texts("v", 30).map((value, i) => producer.send(record("k", value, { partition: i % 3 }))),
  );
  assertEquals(places.slice(0, 3), [
    { partition: 0, offset: 1 },
    { partition: 1, offset: 1 },
    { partition: 2, offset: 1 },
  ]);
  // One request for all, two for the partition that was refused.
  assertEquals(sizes.length, 3);
  assert(sizes[1]! < sizes[0]! / 2, sizes.join());
  // The broker had stored it although it seemed to say otherwise: it knows it by its numbers.
  assertEquals([...(await broker.offsets(topic, "latest")).values()], [11, 11, 11]);
});

kafkaTest(
  "KafkaProducer has each record stored once, in order, though answers are lost",
  async () => {
    const topic = unique("lost");
    let count = 0;
    await using proxy = new BrokerProxy(
      brokers[0]!,
      (apiKey) => apiKey === PRODUCE && ++count % 3 === 0 ? "lose" : "pass",
    );
    await using broker = new KafkaBroker({ brokers: proxy.brokers });
    await broker.ensure(topic, { partitions: 2 });
    const producer = await openProducer(broker, topic, { batchSize: 10 });
    const places = await Promise.all(
      texts("v", 100).map((value, i) => producer.send(record("k", value, { partition: i % 2 }))),
    );
    assert(count > 10, `${count} requests`);
    assertEquals(places.map(({ offset }) => offset), texts("", 100).map((_, i) => i >> 1));
    await using reader = await GroupReader.join(broker, { topic, groupId: topic });
    await reader.until(({ seen }) => seen.length >= 100);
    const valuesOf = (partition: number) =>
      reader.seen.filter((one) => one.partition === partition).map(({ value }) => value);
    assertEquals(valuesOf(0), texts("v", 100).filter((_, i) => i % 2 === 0));
    assertEquals(valuesOf(1), texts("v", 100).filter((_, i) => i % 2 === 1));
  },
);

/** Holds each answer of a connection until more requests have followed, or nothing follows for a while. */
class Held {
  /** The most requests that were in flight. */
  deepest = 0;
  #inFlight = 0;
  #connection = 0;
  #followed = Promise.withResolvers<void>();

  /** A request has come; returns what becomes of its answer: `then`, once `count` are in flight. */
  until(count: number, then: Fate): Fate {
    const connection = this.#connection;
    this.deepest = Math.max(this.deepest, ++this.#inFlight);
    this.#followed.resolve();
    return async (answer) => {
      while (this.#inFlight < count && await this.#follows());
      if (connection === this.#connection) this.#inFlight--;
      if (then === "lose") {
        this.#inFlight = 0;
        this.#connection++;
      }
      return typeof then === "function" ? then(answer) : then;
    };
  }

  async #follows(): Promise<boolean> {
    this.#followed = Promise.withResolvers();
    let timer: ReturnType<typeof setTimeout>;
    const quiet = new Promise<boolean>((resolve) => timer = setTimeout(resolve, 20, false));
    const follows = this.#followed.promise.then(() => true);
    return await Promise.race([quiet, follows]).finally(() => clearTimeout(timer));
  }
}

kafkaTest(
  "KafkaProducer has batches of a partition in flight together, stored once and in order, though answers are lost and leaders refuse",
  async () => {
    const topic = unique("together");
    let count = 0;
    const held = new Held();
    await using proxy = new BrokerProxy(brokers[0]!, (apiKey) => {
      if (apiKey !== PRODUCE) return "pass";
      count++;
      const fate = count % 17 === 0 ? "lose" : count % 11 === 0 ? notLeading(topic, 0) : "pass";
      return held.until(5, fate);
    });
    await using broker = new KafkaBroker({ brokers: proxy.brokers });
    await broker.ensure(topic, { partitions: 1 });
    const producer = await openProducer(broker, topic, { batchSize: 10 });
    const places = await Promise.all(
      texts("v", 1_000).map((value) => producer.send(record("k", value))),
    );
    assert(held.deepest > 1 && held.deepest <= 5, `${held.deepest} in flight`);
    assertEquals(places.map(({ offset }) => offset), texts("", 1_000).map((_, i) => i));
    await using reader = await GroupReader.join(broker, { topic, groupId: topic });
    await reader.until(({ seen }) => seen.length >= 1_000);
    assertEquals(reader.values, texts("v", 1_000));
  },
);

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
