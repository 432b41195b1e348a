import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { KafkaError } from "../../src/kafka/client/errors.ts";
import { checkVersions, FETCH, PRODUCE, versionOf } from "../../src/kafka/kafkajs/versions.ts";
import { KafkaBroker } from "../../src/kafka/kafkajs/broker.ts";
import { BrokerProxy } from "../_support/broker_proxy.ts";
import { GroupReader } from "../_support/group_reader.ts";
import { abort, brokers, kafkaTest, unique } from "../_support/kafka.ts";
import { openProducer, record } from "../_support/records.ts";

const speaking = (produce: [number, number], fetch: [number, number]) => ({
  0: { minVersion: produce[0], maxVersion: produce[1] },
  1: { minVersion: fetch[0], maxVersion: fetch[1] },
});

Deno.test("checkVersions() refuses brokers without record batches of format 2, and those that have given up our versions", () => {
  checkVersions(["b:1"], speaking([0, 3], [0, 4]));
  checkVersions(["b:1"], speaking([7, 12], [11, 17]));
  const old = assertThrows(
    () => checkVersions(["b:1"], speaking([0, 2], [0, 3])),
    KafkaError,
    "Kafka 0.11 or later is needed, as they speak the versions 0 to 2 of Produce, and 3 to 7 are spoken here",
  );
  assertEquals(old.retriable, false);
  assertThrows(
    () => checkVersions(["b:1"], speaking([3, 9], [12, 17])),
    KafkaError,
    "a newer client is needed, as they speak the versions 12 to 17 of Fetch",
  );
});

Deno.test("versionOf() is the last version that both sides speak", () => {
  assertEquals(versionOf(PRODUCE, speaking([0, 5], [0, 4])), 5);
  assertEquals(versionOf(PRODUCE, speaking([0, 12], [0, 17])), 7);
});

/** Kafka's number of the request that asks which versions of requests a broker takes. */
const API_VERSIONS = 18;

/** Stands before the broker, and has it speak only some versions of the requests that `change` is given. */
function speakingOnly(
  change: Readonly<Record<number, readonly [first: number, last: number]>>,
  asked: (apiKey: number, version: number) => void = () => {},
): BrokerProxy {
  return new BrokerProxy(brokers[0]!, (apiKey, request) => {
    asked(apiKey, request.readInt16BE(6));
    if (apiKey !== API_VERSIONS) return "pass";
    return (answer) => {
      // Length, correlation, an error and a count; then number, first and last version of each request.
      for (let at = 14; at + 6 <= answer.length; at += 6) {
        const versions = change[answer.readInt16BE(at)];
        if (!versions) continue;
        answer.writeInt16BE(versions[0], at + 2);
        answer.writeInt16BE(versions[1], at + 4);
      }
    };
  });
}

kafkaTest("KafkaBroker refuses brokers that are too old when it connects, at once", async () => {
  await using proxy = speakingOnly({ 0: [0, 2], 1: [0, 2] });
  await using broker = new KafkaBroker({ brokers: proxy.brokers });
  await assertRejects(() => broker.partitions("t"), KafkaError, "Kafka 0.11 or later is needed");
});

kafkaTest(
  "KafkaBroker writes and reads with each version of the requests that it speaks",
  async () => {
    const name = unique("versions");
    const values = ["a", "b", "c", null];
    for (let fetch = FETCH.first; fetch <= FETCH.last; fetch++) {
      const produce = Math.min(PRODUCE.last, fetch - 1);
      const used = new Map<number, Set<number>>();
      const note = (apiKey: number, version: number) =>
        void used.getOrInsertComputed(apiKey, () => new Set()).add(version);
      const only = { 0: [produce, produce], 1: [fetch, fetch] } as const;
      await using proxy = speakingOnly(only, note);
      await using broker = new KafkaBroker({ brokers: proxy.brokers });
      const topic = `${name}-${fetch}`;
      await broker.ensure(topic, { partitions: 1 });
      const producer = await openProducer(broker, topic, { compression: "gzip" });
      const places = [];
      for (const value of values) places.push(await producer.send(record("k", value)));
      assertEquals(places.map(({ offset }) => offset), [0, 1, 2, 3]);
      await abort(topic); // which leaves three offsets
      await producer.send(record("k", "last"));
      await using reader = await GroupReader.join(broker, { topic, groupId: topic });
      await reader.until(({ next }) => next.get(0) === 8);
      assertEquals(reader.values, [...values, "last"]);
      assertEquals([used.get(0), used.get(1)], [new Set([produce]), new Set([fetch])]);
    }
  },
);
