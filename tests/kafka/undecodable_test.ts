/** What becomes of a batch that cannot be decoded: here of one that would fill the memory. */
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import kafkajs from "kafkajs";
import { App, BytesCodec, CodecError, deadLetter, type StatusEvent } from "../../mod.ts";
import { Topic } from "../../src/kafka/topic/topic.ts";
import { MAX_BATCH_BYTES } from "../../src/kafka/records/batch_format.ts";
import { UndecodableBatchError } from "../../src/kafka/records/undecodable_batch_error.ts";
import { brokers, foreignClient, kafkaTest, unique } from "../_support/kafka.ts";
import { QUICK } from "../_support/topic_fixture.ts";

/** Opens a topic with "a" in one batch, three records that nobody can decode in the next, and "b". */
async function damaged(): Promise<Topic> {
  const name = unique("bomb");
  const topic = new Topic(name, { ...QUICK, brokers, groupId: name });
  await topic.ensure({ partitions: 1 });
  const producer = foreignClient().producer();
  await producer.connect();
  const bomb = "0".repeat(MAX_BATCH_BYTES / 2);
  const compression = kafkajs.CompressionTypes.GZIP;
  await producer.send({ topic: name, messages: [{ value: "a" }] });
  const messages = ["x", bomb, bomb].map((value) => ({ value }));
  await producer.send({ topic: name, compression, messages });
  await producer.send({ topic: name, messages: [{ value: "b" }] });
  await producer.disconnect();
  return topic;
}

kafkaTest(
  "a Topic that is iterated fails at a batch that cannot be decoded, after what comes before it",
  async () => {
    await using topic = await damaged();
    const seen: string[] = [];
    const error = await assertRejects(async () => {
      for await (const { value } of topic) seen.push(value);
    }, CodecError);
    assertEquals([seen, error.topic, error.partition, error.offset], [["a"], topic.name, 0, 1]);
    assert(error.message.includes("the record batch of offsets 1 to 3"), error.message);
    assert(error.message.includes(String(MAX_BATCH_BYTES)), error.message);
    const { cause } = error;
    assertInstanceOf(cause, UndecodableBatchError);
    assertEquals([cause.firstOffset, cause.lastOffset], [1, 3]);
  },
);

kafkaTest(
  'a batch that cannot be decoded stops a flow with onError "stop", and stays unacknowledged',
  async () => {
    await using topic = await damaged();
    const app = new App();
    app.handle(topic, () => {}, { name: "reader" });
    const error = await assertRejects(() => app.stream(), CodecError);
    assertEquals([error.flow, error.topic, error.partition, error.offset], [
      "reader",
      topic.name,
      0,
      1,
    ]);
    assertEquals((await topic.offsets()).get(0)?.committed, 1);
  },
);

kafkaTest(
  'a batch that cannot be decoded is passed with onError "skip", as one message that failed',
  async () => {
    await using topic = await damaged();
    const stop = new AbortController();
    const seen: string[] = [];
    const events: StatusEvent[] = [];
    const app = new App({ onStatus: (event) => void events.push(event) });
    app.handle(topic, ({ value }) => {
      seen.push(value);
      if (value === "b") stop.abort();
    }, { onError: "skip" });
    // Another flow of the same source has a policy of its own.
    app.handle(topic, ({ value }) => void seen.push(value), { name: "other", onError: "skip" });
    await app.stream({ signal: stop.signal });
    assertEquals(seen, ["a", "a", "b", "b"]);
    assertEquals(events.filter(({ type }) => type === "skipped").length, 2);
    assertEquals((await topic.offsets()).get(0)?.committed, 5);
  },
);

kafkaTest("a dead letter of a batch that cannot be decoded has its bytes", async () => {
  await using topic = await damaged();
  await using dead = new Topic(unique("dead"), {
    ...QUICK,
    brokers,
    codec: new BytesCodec(),
    groupId: topic.name,
  });
  await dead.ensure({ partitions: 1 });
  const stop = new AbortController();
  const app = new App();
  app.handle(topic, ({ value }) => {
    if (value === "b") stop.abort();
  }, { onError: deadLetter(dead) });
  await app.stream({ signal: stop.signal });
  for await (const letter of dead) {
    assertEquals(new DataView(letter.value.buffer, letter.value.byteOffset).getBigInt64(0), 1n);
    assertEquals(new TextDecoder().decode(letter.headers.get("dead-letter-offset")!), "1");
    break;
  }
});
