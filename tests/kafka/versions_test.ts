import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { KafkaError } from "../../src/kafka/client/errors.ts";
import { checkVersions, PRODUCE, versionOf } from "../../src/kafka/kafkajs/versions.ts";
import { KafkaBroker } from "../../src/kafka/kafkajs/broker.ts";
import { BrokerProxy } from "../_support/broker_proxy.ts";
import { brokers, kafkaTest } from "../_support/kafka.ts";

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

kafkaTest("KafkaBroker refuses brokers that are too old when it connects, at once", async () => {
  await using proxy = new BrokerProxy(brokers[0]!, (apiKey) => {
    if (apiKey !== API_VERSIONS) return "pass";
    return (answer) => {
      // Length, correlation, an error and a count; then number, first and last version of each request.
      for (let at = 14; at + 6 <= answer.length; at += 6) {
        if (answer.readInt16BE(at) > 1) continue;
        answer.writeInt16BE(0, at + 2);
        answer.writeInt16BE(2, at + 4);
      }
    };
  });
  await using broker = new KafkaBroker({ brokers: proxy.brokers });
  await assertRejects(() => broker.partitions("t"), KafkaError, "Kafka 0.11 or later is needed");
});
