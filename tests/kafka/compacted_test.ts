import { KafkaServer } from "../../scripts/kafka/server.ts";
import { KafkaBroker } from "../../src/kafka/kafkajs/broker.ts";
import { GroupReader } from "../_support/group_reader.ts";
import { ownKafkaTest, unique } from "../_support/kafka.ts";
import { openProducer, record } from "../_support/records.ts";

ownKafkaTest("a reader passes over the empty batch that compaction leaves", async () => {
  await using server = await KafkaServer.start({ properties: { "log.cleaner.backoff.ms": "100" } });
  await using broker = new KafkaBroker({ brokers: server.brokers });
  const topic = unique("compacted");
  const config = {
    "cleanup.policy": "compact",
    "segment.bytes": "1048576",
    "min.cleanable.dirty.ratio": "0.001",
    "max.compaction.lag.ms": "100",
  };
  await broker.ensure(topic, { partitions: 1, config });
  const text = (bytes: number) => "v".repeat(bytes);
  // The last batch of a producer is kept, as an empty one when its records are gone.
  const a = await openProducer(broker, topic);
  for (let i = 0; i < 9; i++) await a.send(record(`a${i}`, text(100_000)));
  await a.send(record("again", "one"));
  await a.close();
  const b = await openProducer(broker, topic);
  await b.send(record("big", text(200_000))); // in a new segment: the batch before it ends an answer
  await b.send(record("again", "two"));
  for (let i = 0; i < 12; i++) await b.send(record(`b${i}`, text(100_000)));
  await b.close();
  const end = (await broker.offsets(topic, "latest")).get(0)!;
  for (let round = 0; round < 100; round++) {
    await using reader = await GroupReader.join(broker, { topic, groupId: unique("g") });
    await reader.until(({ next }) => next.get(0) === end);
    if (!reader.values.includes("one")) return; // it was compacted
  }
  throw new Error("It was never compacted");
});
