/**
 * What every implementation of `Broker` does: each rule is at least one test here, and each test runs
 * against each implementation.
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import type { ProducerRecord } from "../../src/kafka/client/broker.ts";
import { KafkaError } from "../../src/kafka/client/errors.ts";
import { type BrokerFixture, contractTest } from "./broker_fixture.ts";
import { GroupReader, recordsOf } from "./group_reader.ts";
import { testGroupContract } from "./group_contract.ts";
import { openProducer, record, texts } from "./records.ts";

/** Registers the tests of the contract for one implementation. */
export function testBrokerContract(fixture: BrokerFixture): void {
  const test = contractTest(fixture);

  test("ensure() creates a topic once", async (broker, topic) => {
    assertEquals(await broker.ensure(topic, { partitions: 3 }), true);
    assertEquals(await broker.ensure(topic, { partitions: 5 }), false);
    assertEquals(await broker.partitions(topic), 3);
  });

  test("partitions() of an unknown topic rejects and names it", async (broker, topic) => {
    const error = await assertRejects(() => broker.partitions(topic), KafkaError, topic);
    assertEquals([error.topic, error.retriable], [topic, false]);
    assertEquals(
      error.message,
      `Cannot find topic "${topic}": it does not exist; ensure() creates it`,
    );
  });

  test("send() resolves to the place of the record", async (broker, topic) => {
    await broker.ensure(topic, { partitions: 4 });
    const producer = await openProducer(broker, topic);
    // Partitions as the Java client computes them.
    assertEquals(await producer.send(record("fish", "1")), { partition: 2, offset: 0 });
    assertEquals(await producer.send(record("fish", "2")), { partition: 2, offset: 1 });
    assertEquals(await producer.send(record("x", "3", { partition: 3 })), {
      partition: 3,
      offset: 0,
    });
  });

  test("send() to a missing partition rejects and writes nothing", async (broker, topic) => {
    await broker.ensure(topic, { partitions: 2 });
    const producer = await openProducer(broker, topic);
    const sent = [
      producer.send(record("a", "1", { partition: 0 })),
      producer.send(record("b", "2", { partition: 7 })),
      producer.send(record("c", "3", { partition: 0 })),
    ];
    const error = await assertRejects(
      () => sent[1]!,
      KafkaError,
      "it has 2 partitions: partition is 7",
    );
    assertEquals([error.topic, error.partition, error.key], [topic, 7, "b"]);
    assertEquals([(await sent[0])!.offset, (await sent[2])!.offset], [0, 1]);
    assertEquals([...await broker.offsets(topic, "latest")], [[0, 2], [1, 0]]);
  });

  test(
    "add() of an oversized record throws, names it, and the others are written",
    async (broker, topic) => {
      await broker.ensure(topic, { partitions: 1 });
      const producer = await openProducer(broker, topic);
      for (const text of texts("before", 5)) await producer.add(record("k", text));
      const big = record("big", "x".repeat(2_000_000));
      const error = await assertRejects(async () => await producer.add(big), KafkaError, '"big"');
      assertStringIncludes(error.message, "takes at most 1048588 bytes");
      for (const text of texts("after", 5)) await producer.add(record("k", text));
      await producer.flush();
      assertEquals((await broker.offsets(topic, "latest")).get(0), 10);
    },
  );

  test(
    "send() and add() refuse values that are not bytes, and times that are not valid",
    async (broker, topic) => {
      await broker.ensure(topic, { partitions: 1 });
      const producer = await openProducer(broker, topic);
      const text = "text" as unknown as Uint8Array;
      const wrong: [Partial<ProducerRecord>, typeof Error, string][] = [
        [{ key: text }, TypeError, `Cannot send a key to topic "${topic}"`],
        [{ value: undefined as unknown as null }, TypeError, `Cannot send a value to topic`],
        [{ headers: [["h", text]] }, TypeError, `Cannot send header "h" to topic "${topic}"`],
        ...[NaN, -1, 1.5, Infinity, new Date() as unknown as number].map((timestamp) =>
          [{ timestamp }, RangeError, `topic "${topic}" as timestamp must be an integer >= 0`] as [
            Partial<ProducerRecord>,
            typeof Error,
            string,
          ]
        ),
      ];
      for (const [part, type, message] of wrong) {
        await assertRejects(() => producer.send(record("k", "v", part)), type, message);
        await assertRejects(async () => await producer.add(record("k", "v", part)), type, message);
      }
      await producer.flush();
      assertEquals((await producer.send(record("k", "v"))).offset, 0);
    },
  );

  test("send() works again after a rejected one", async (broker, topic) => {
    await broker.ensure(topic, { partitions: 1 });
    const producer = await openProducer(broker, topic);
    await producer.send(record("k", "first"));
    await assertRejects(() => producer.send(record("k", "x".repeat(2_000_000))), KafkaError);
    assertEquals((await producer.send(record("k", "second"))).offset, 1);
    await using reader = await GroupReader.join(broker, { topic, groupId: topic });
    await reader.until(({ seen }) => seen.length === 2);
    assertEquals(reader.values, ["first", "second"]);
  });

  test("flush() resolves when everything added is in the log, in order", async (broker, topic) => {
    await broker.ensure(topic, { partitions: 1 });
    const producer = await openProducer(broker, topic, { batchSize: 100 });
    const values = texts("v", 2_500);
    for (const value of values) await producer.add(record("k", value));
    await producer.flush();
    assertEquals((await broker.offsets(topic, "latest")).get(0), 2_500);
    await using reader = await GroupReader.join(broker, { topic, groupId: topic });
    await reader.until(({ seen }) => seen.length === 2_500);
    assertEquals(reader.values, values);
  });

  test("keeps headers without a value", async (broker, topic) => {
    await broker.ensure(topic, { partitions: 1 });
    const producer = await openProducer(broker, topic);
    const bytes = new Uint8Array([1, 2]);
    const headers = [["a", null], ["b", bytes], ["b", null], ["c", new Uint8Array()]] as const;
    await producer.send(record("k", "v", { headers }));
    await producer.send(record("k", "w", { headers: [["only", null]] }));
    await using reader = await GroupReader.join(broker, { topic, groupId: topic });
    await reader.until(({ seen }) => seen.length === 2);
    const [first, second] = reader.chunks.flatMap(recordsOf);
    assertEquals(first!.headers, headers);
    assertEquals(second!.headers, [["only", null]]);
    assertEquals(reader.values, ["v", "w"]);
  });

  test("refuses a header whose name UTF-8 cannot hold", async (broker, topic) => {
    await broker.ensure(topic, { partitions: 1 });
    const producer = await openProducer(broker, topic);
    const headers = [["half \ud83d", new Uint8Array()]] as const;
    await assertRejects(
      () => producer.send(record("k", "v", { headers })),
      TypeError,
      `Cannot send the name "half \\ud83d" of a header to topic "${topic}"`,
    );
    assertEquals([...await broker.offsets(topic, "latest")], [[0, 0]]);
  });

  test("keeps keys, tombstones, timestamps and headers", async (broker, topic) => {
    await broker.ensure(topic, { partitions: 1 });
    const producer = await openProducer(broker, topic);
    const names = ["constructor", "toString", "constructor"];
    const headers = names.map((name, i) => [name, new Uint8Array([i])] as const);
    await producer.send(record("k", null, { headers, timestamp: 1_700_000_000_123 }));
    await producer.send(record(null, ""));
    await using reader = await GroupReader.join(broker, { topic, groupId: topic });
    await reader.until(({ seen }) => seen.length === 2);
    const [first, second] = reader.chunks.flatMap(recordsOf);
    assertEquals(new TextDecoder().decode(first!.key!), "k");
    assertEquals([first!.value, first!.timestamp], [null, 1_700_000_000_123]);
    const read = first!.headers.map(([header, bytes]) => [header, bytes![0]]);
    assertEquals(read.toSorted(), [["constructor", 0], ["constructor", 2], ["toString", 1]]);
    assertEquals([second!.key, second!.value!.byteLength, second!.headers.length], [null, 0, 0]);
    assert(Math.abs(second!.timestamp - Date.now()) < 60_000);
  });

  test("offsets() finds the beginning, the end, and a time", async (broker, topic) => {
    await broker.ensure(topic, { partitions: 1 });
    const producer = await openProducer(broker, topic);
    for (const timestamp of [1_000, 2_000, 3_000]) {
      await producer.send(record("k", "v", { timestamp }));
    }
    const at = async (time: "earliest" | "latest" | { timestamp: number }) =>
      (await broker.offsets(topic, time)).get(0);
    assertEquals(await at("earliest"), 0);
    assertEquals(await at("latest"), 3);
    assertEquals(await at({ timestamp: 2_000 }), 1);
    assertEquals(await at({ timestamp: 2_001 }), 2);
    assertEquals(await at({ timestamp: 9_000 }), 3);
  });

  testGroupContract(fixture);
}
