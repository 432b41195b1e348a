import type { Broker } from "../../src/kafka/client/broker.ts";
import { KafkaBroker } from "../../src/kafka/kafkajs/broker.ts";
import { MemoryBroker } from "../../src/kafka/memory/broker.ts";
import type { TopicOptions } from "../../src/kafka/topic/topic_options.ts";
import { Topic } from "../../src/kafka/topic/topic.ts";
import { abort, brokers, foreignClient, kafkaTest, unique } from "./kafka.ts";

/** A kind of broker under test. */
export interface TopicFixture {
  readonly name: string;
  readonly test: (name: string, body: () => Promise<void>) => void;
  readonly open: () => Broker;
  /** Adds partitions to a topic. */
  readonly grow: (broker: Broker, topic: string, partitions: number) => Promise<void>;
  /** Leaves offsets that no reader is shown at the end of partition 0. */
  readonly skip: (broker: Broker, topic: string) => Promise<void>;
}

/** The embedded broker. */
export const memory: TopicFixture = {
  name: "MemoryBroker",
  test: (name, body) => Deno.test(name, body),
  open: () => new MemoryBroker(),
  grow: (broker, topic, partitions) => (broker as MemoryBroker).grow(topic, partitions),
  skip: (broker, topic) => Promise.resolve((broker as MemoryBroker).skip(topic, 3)),
};

/** The broker of the test run. */
export const kafka: TopicFixture = {
  name: "KafkaBroker",
  test: kafkaTest,
  open: () => new KafkaBroker({ brokers }),
  async grow(_, topic, count) {
    const admin = foreignClient().admin();
    await admin.connect();
    await admin.createPartitions({ topicPartitions: [{ topic, count }] });
    await admin.disconnect();
  },
  skip: (_, topic) => abort(topic),
};

/** Quick heartbeats and fetches, for quick tests. */
export const QUICK = {
  offset: "earliest",
  sessionTimeout: 6_000,
  rebalanceTimeout: 6_000,
  heartbeatInterval: 100,
  maxWaitTimeInMs: 50,
} as const;

/** What a test gets. */
export interface Context {
  readonly broker: Broker;
  readonly name: string;
  /** Adds partitions to a topic. */
  grow(topic: string, partitions: number): Promise<void>;
  /** Leaves offsets that no reader is shown at the end of partition 0 of the topic. */
  skip(): Promise<void>;
  /** Makes a topic of that name, or another, that is closed at the end of the test. */
  make<K = string, V = string>(options?: TopicOptions<K, V>, name?: string): Topic<K, V>;
}

/** Returns what registers tests of Topic on one kind of broker. */
export function testOn(
  fixture: TopicFixture,
): (title: string, body: (context: Context) => Promise<void>) => void {
  return (title, body) =>
    fixture.test(`Topic on ${fixture.name} ${title}`, async () => {
      await using broker = fixture.open();
      await using stack = new AsyncDisposableStack();
      const name = unique("topic");
      await body({
        broker,
        name,
        skip: () => fixture.skip(broker, name),
        grow: (topic, partitions) => fixture.grow(broker, topic, partitions),
        make: (options, other = name) =>
          stack.use(new Topic(other, { broker, groupId: name, ...QUICK, ...options })),
      });
    });
}
