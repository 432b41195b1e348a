import { Buffer } from "node:buffer";
import { assertEquals } from "@std/assert";
import "../../src/kafka/kafkajs/batch_ends.ts";
import v4 from "kafkajs/src/protocol/requests/fetch/v4/response.js";
import v7 from "kafkajs/src/protocol/requests/fetch/v7/response.js";
import v11 from "kafkajs/src/protocol/requests/fetch/v11/response.js";
import Batch from "kafkajs/src/consumer/batch.js";
import { KafkaServer } from "../../scripts/kafka/server.ts";
import { KafkaBroker } from "../../src/kafka/kafkajs/broker.ts";
import { GroupReader } from "../_support/group_reader.ts";
import { ownKafkaTest, unique } from "../_support/kafka.ts";
import { openProducer, record } from "../_support/records.ts";

/** A batch of uncompressed records that once were `count`, of which those at the deltas are left. */
function batch(base: number, count: number, deltas: readonly number[], magic = 2): Buffer {
  const records = deltas.map((delta) => {
    // Attributes, times, the offset, no key, one byte, no headers; zigzag numbers below 64.
    const body = Buffer.from([0, 0, delta * 2, 1, 2, 118, 0]);
    return Buffer.from([body.length * 2, ...body]);
  });
  const head = Buffer.alloc(61);
  const body = Buffer.concat(records);
  head.writeBigInt64BE(BigInt(base), 0);
  head.writeInt32BE(49 + body.length, 8);
  head[16] = magic;
  head.writeInt32BE(count - 1, 23);
  head.writeInt32BE(records.length, 57);
  return Buffer.concat([head, body]);
}

const int = (bytes: 2 | 4 | 8, value: number) => {
  const buffer = Buffer.alloc(bytes);
  if (bytes === 8) buffer.writeBigInt64BE(BigInt(value));
  else buffer.writeIntBE(value, 0, bytes);
  return buffer;
};

/** The answer to a fetch, of a topic with these partitions. */
function answer(version: number, partitions: readonly Buffer[], aborted = 0): Buffer {
  return Buffer.concat([
    int(4, 0),
    ...(version >= 7 ? [int(2, 0), int(4, 0)] : []),
    int(4, 1),
    int(2, 5),
    Buffer.from("topic"),
    int(4, partitions.length),
    ...partitions.flatMap((records, partition) => [
      int(4, partition),
      int(2, 0),
      int(8, 100),
      int(8, 100),
      ...(version >= 5 ? [int(8, 0)] : []),
      int(4, aborted),
      ...Array.from({ length: aborted }, () => Buffer.concat([int(8, 7), int(8, 0)])),
      ...(version >= 11 ? [int(4, -1)] : []),
      int(4, records.length),
      records,
    ]),
  ]);
}

/** What kafkajs's reader makes of a partition: the visible offsets, and where it goes on. */
async function read(version: number, records: Buffer, from: number, aborted = 0) {
  const { decode } = { 4: v4, 7: v7, 11: v11 }[version]!;
  const whole = batch(0, 1, [0]);
  const { responses } = await decode(answer(version, [records, whole], aborted));
  const [it, next] = responses[0].partitions;
  assertEquals(new Batch("topic", "0", next).lastOffset(), "0");
  const found = new Batch("topic", String(from), it);
  const offsets = found.messages.map(({ offset }: { offset: string }) => Number(offset));
  return [
    offsets,
    found.isEmptyDueToFiltering() || offsets.length > 0 ? Number(found.lastOffset()) : "stays",
  ];
}

for (const version of [4, 7, 11]) {
  Deno.test(`kafkajs, repaired, passes over empty batches (fetch ${version})`, async () => {
    assertEquals(await read(version, batch(40, 10, []), 42), [[], 49]);
    const several = Buffer.concat([batch(0, 5, [0, 4]), batch(5, 5, []), batch(10, 3, [])]);
    assertEquals(await read(version, several, 0), [[0, 4], 12]);
    assertEquals(await read(version, several, 3, 2), [[4], 12]);
    const between = Buffer.concat([batch(0, 5, []), batch(5, 5, [1, 2])]);
    assertEquals(await read(version, between, 0), [[6, 7], 9]);
  });

  Deno.test(`kafkajs, repaired, stays before a batch that did not come whole (fetch ${version})`, async () => {
    const part = batch(5, 5, [0, 1]).subarray(0, 65);
    assertEquals(await read(version, Buffer.concat([batch(0, 5, []), part]), 0), [[], 4]);
    assertEquals(await read(version, Buffer.concat([batch(0, 2, [0, 1]), part]), 0), [[0, 1], 1]);
    assertEquals(await read(version, part, 5), [[], "stays"]);
    assertEquals(await read(version, Buffer.alloc(0), 5), [[], "stays"]);
  });
}

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
