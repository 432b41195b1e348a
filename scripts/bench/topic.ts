/**
 * Topic beside kafkajs alone, on a real broker; `peer/topic.py` has the same work in Python. Values are
 * JSON. What is measured begins with the first message: joining a group takes as long for everybody.
 */
import "../../src/kafka/kafkajs/repairs.ts";
import { App, JsonCodec } from "@slipstream/slipstream";
import { Topic, type TopicOptions } from "@slipstream/slipstream/kafka";
import kafkajs from "kafkajs";
import type { Benchmark } from "./benchmark.ts";

/** What the messages are. */
export interface Value {
  i: number;
  name: string;
  n: number;
}

/** How many keys the messages have. */
export const KEYS = 1_000;

const COUNT = 300_000;
/** How many partitions the topics have. */
export const PARTITIONS = 4;

const BATCH = 1_000;
const decoder = new TextDecoder();

/** The message of a number. */
export function value(i: number): Value {
  return { i, name: "hello world", n: i % BATCH };
}

/** The broker that the harness started, or was given. */
export function brokers(): string[] {
  return Deno.env.get("KAFKA_BROKERS")!.split(",");
}

/** A topic of JSON values, in a group of its own. */
export function open<V = Value>(name: string, options: TopicOptions<string, V> = {}) {
  return new Topic<string, V>(name, {
    brokers: brokers(),
    groupId: crypto.randomUUID(),
    offset: "earliest",
    codec: new JsonCodec<V>(),
    ...options,
  });
}

/** Creates a topic and returns its name. */
export async function emptyTopic(): Promise<string> {
  await using topic = open(`bench-${crypto.randomUUID()}`);
  await topic.ensure({ partitions: PARTITIONS });
  return topic.name;
}

async function* values(count: number, first: () => void): AsyncGenerator<Value, void> {
  yield value(0);
  first(); // asked for the second, so the first is written: the producer is open
  for (let i = 1; i < count; i++) yield value(i);
}

/** Sends `count` values through a flow into a topic and returns the milliseconds until they were confirmed. */
async function sink(name: string, count: number): Promise<number> {
  await using topic = open(name);
  const app = new App();
  let started = 0, ended = 0;
  app.handle(
    values(count, () => started = performance.now()),
    (value) => [String(value.n), value] as const,
    { sink: topic },
  );
  app.onExit(() => ended = performance.now()); // after the last commit
  await app.stream();
  return ended - started;
}

/** Creates a topic with `count` messages, unless it is there, and returns its name. */
export async function seed(count: number): Promise<string> {
  const name = `bench-${count}`;
  await using topic = open(name);
  if (await topic.ensure({ partitions: PARTITIONS })) await sink(name, count);
  return name;
}

/** Parses a value as the floor does. */
export function parse(bytes: Uint8Array): Value {
  return JSON.parse(decoder.decode(bytes));
}

/** A client without Topic. */
function client(): kafkajs.Kafka {
  return new kafkajs.Kafka({ brokers: brokers(), logLevel: kafkajs.logLevel.NOTHING });
}

/** A producer without Topic, as safe as Topic's. */
export function bareProducer(): kafkajs.Producer {
  const createPartitioner = kafkajs.Partitioners.DefaultPartitioner;
  return client().producer({ idempotent: true, createPartitioner });
}

/** A consumer without Topic, in a group of its own. */
export function bareConsumer(): kafkajs.Consumer {
  return client().consumer({ groupId: crypto.randomUUID(), maxWaitTimeInMs: 250 });
}

const consume: Benchmark = {
  name: "topic/consume",
  count: COUNT,
  peerCount: COUNT,
  goals: { floor: 1.2, peer: 2.5 },
  async ours(count) {
    await using topic = open(await seed(count));
    const app = new App();
    const all = new AbortController();
    let seen = 0, started = 0, ended = 0;
    app.handle(topic, ({ value }) => value.n, {
      sink: () => {
        started ||= performance.now();
        if (++seen < count) return;
        ended = performance.now();
        all.abort();
      },
    });
    await app.stream({ signal: all.signal });
    return ended - started;
  },
  async floor(count) {
    const consumer = bareConsumer();
    await consumer.connect();
    await consumer.subscribe({ topic: await seed(count), fromBeginning: true });
    const all = Promise.withResolvers<void>();
    let seen = 0, started = 0, ended = 0, sum = 0;
    await consumer.run({
      autoCommit: false,
      eachBatch: ({ batch }) => {
        started ||= performance.now();
        for (const message of batch.messages) {
          sum += parse(message.value!).n;
          seen++;
        }
        if (seen >= count) {
          ended = performance.now();
          all.resolve();
        }
        return Promise.resolve();
      },
    });
    await all.promise;
    await consumer.disconnect();
    if (sum === 0) throw new Error("Nothing was parsed");
    return ended - started;
  },
};

const produce: Benchmark = {
  name: "topic/sink",
  count: COUNT / 3,
  peerCount: COUNT / 100,
  goals: { floor: 3.5, peer: 20 },
  ours: async (count) => await sink(await emptyTopic(), count),
  async floor(count) {
    const topic = await emptyTopic();
    const producer = bareProducer();
    await producer.connect();
    await producer.send({ topic, messages: [{ key: "0", value: JSON.stringify(value(0)) }] });
    const started = performance.now();
    for (let i = 0; i < count; i += BATCH) {
      const messages = Array.from({ length: BATCH }, (_, j) => ({
        key: String((i + j) % BATCH),
        value: JSON.stringify(value(i + j)),
      }));
      await producer.send({ topic, acks: -1, messages });
    }
    const ended = performance.now();
    await producer.disconnect();
    return ended - started;
  },
};

/** The benchmarks of Topic. */
export const topic: readonly Benchmark[] = [consume, produce];
