import { assert } from "@std/assert";
import { BytesCodec } from "../../mod.ts";
import { Topic } from "../../src/kafka/topic/topic.ts";
import { KafkaBroker } from "../../src/kafka/kafkajs/broker.ts";
import { brokers, kafkaTest, unique } from "../_support/kafka.ts";
import { openProducer, record } from "../_support/records.ts";
import { QUICK } from "../_support/topic_fixture.ts";

kafkaTest("a small value that is kept does not keep what was fetched with it", async () => {
  const name = unique("kept");
  await using broker = new KafkaBroker({ brokers });
  await broker.ensure(name, { partitions: 1 });
  const producer = await openProducer(broker, name);
  for (let i = 0; i < 200; i++) {
    await producer.add(record(null, i % 2 === 0 ? "small" : "x".repeat(1_000)));
  }
  await producer.close();
  await using topic = new Topic(name, {
    ...QUICK,
    brokers,
    groupId: name,
    codec: new BytesCodec(),
    keyCodec: new BytesCodec(),
  });
  const kept: Uint8Array[] = [];
  let seen = 0;
  for await (const { value } of topic) {
    if (value.length < 10) kept.push(value);
    if (++seen === 200) break;
  }
  const held = new Set(kept.map(({ buffer }) => buffer));
  const bytes = [...held].reduce((sum, { byteLength }) => sum + byteLength, 0);
  assert(bytes === 500, `${bytes} bytes`);
});
