/** What a topic is asked for, of an administrative client that answers as a test wants. */
import { assertEquals, assertRejects } from "@std/assert";
import type { Admin } from "kafkajs";
import kafkajs from "kafkajs";
import { KafkaError } from "../../src/kafka/client/errors.ts";
import { isNotYet } from "../../src/kafka/kafkajs/failures.ts";
import { checkKnown, createTopic, partitionsOf } from "../../src/kafka/kafkajs/topics.ts";

/** A client that knows partitions with these leaders, or fails so. */
function knowing(known: number[] | Error): Admin {
  const fetchTopicMetadata = () =>
    known instanceof Error ? Promise.reject(known) : Promise.resolve({
      topics: [{ name: "t", partitions: known.map((leader) => ({ leader })) }],
    });
  return { fetchTopicMetadata } as unknown as Admin;
}

function reported(type: string, retriable: boolean): Error {
  const failure = { message: type, code: 1, type, retriable };
  return new kafkajs.KafkaJSProtocolError(failure as unknown as Error);
}

Deno.test("checkKnown() fails, so that it is asked again, until each partition has a leader", async () => {
  const unknown = reported("UNKNOWN_TOPIC_OR_PARTITION", true);
  for (const known of [unknown, [], [1, 1], [1, 1, -1]]) {
    const error = await assertRejects(() => checkKnown(knowing(known), "t", 3), KafkaError);
    assertEquals([error.retriable, isNotYet(error)], [true, true], error.message);
  }
  await checkKnown(knowing([1, 1, 2]), "t", 3);
});

Deno.test("checkKnown() of a topic with any number of partitions waits for the leaders it has", async () => {
  await assertRejects(() => checkKnown(knowing([1, -1]), "t"), KafkaError);
  await checkKnown(knowing([1, 1]), "t");
});

Deno.test("checkKnown() fails for good when it may not know the topic", async () => {
  const refused = reported("TOPIC_AUTHORIZATION_FAILED", false);
  const error = await assertRejects(() => checkKnown(knowing(refused), "t"), Error);
  assertEquals(isNotYet(error), false);
});

Deno.test("partitionsOf() says when no broker answered, which kafkajs does not", async () => {
  const unread = new TypeError("Cannot read properties of null (reading 'topicMetadata')");
  const error = await assertRejects(() => partitionsOf(knowing(unread), "t"), KafkaError);
  assertEquals([error.message, error.retriable], ["no broker answered", true]);
});

Deno.test("createTopic() does not have kafkajs look for leaders: it gives up at the first miss", async () => {
  const asked: unknown[] = [];
  const admin = {
    createTopics(question: unknown) {
      asked.push(question);
      return Promise.resolve(true);
    },
  } as unknown as Admin;
  await createTopic(admin, "t", { partitions: 2, config: { "cleanup.policy": "compact" } });
  const configEntries = [{ name: "cleanup.policy", value: "compact" }];
  assertEquals(asked, [{
    topics: [{ topic: "t", numPartitions: 2, configEntries }],
    waitForLeaders: false,
  }]);
});

Deno.test("isNotYet() is true of a broker that cannot tell yet, not of an unknown topic", () => {
  const told = (type: string, retriable = true) => isNotYet(reported(type, retriable));
  assertEquals(told("GROUP_LOAD_IN_PROGRESS"), true);
  assertEquals(told("NOT_COORDINATOR_FOR_GROUP"), true);
  assertEquals(told("UNKNOWN_TOPIC_OR_PARTITION"), false);
  assertEquals(told("INVALID_REPLICATION_FACTOR", false), false);
  assertEquals(isNotYet(new Error("what is this")), false);
});
