import type { Admin, PartitionMetadata } from "kafkajs";
import type { TopicSpec } from "../client/broker.ts";
import { KafkaError } from "../client/errors.ts";
import { typeOf } from "./failures.ts";

/** Creates a topic, which the brokers may not know at once; resolves to false when it was there already. */
export function createTopic(admin: Admin, topic: string, spec: TopicSpec): Promise<boolean> {
  const { partitions, replication, config = {} } = spec;
  return admin.createTopics({
    topics: [{
      topic,
      ...(partitions !== undefined && { numPartitions: partitions }),
      ...(replication !== undefined && { replicationFactor: replication }),
      configEntries: Object.entries(config).map(([name, value]) => ({ name, value })),
    }],
    // It gives up where a broker has not heard of the topic yet.
    waitForLeaders: false,
  });
}

/** Returns what a broker knows of the partitions of a topic. */
export async function partitionsOf(admin: Admin, topic: string): Promise<PartitionMetadata[]> {
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    return topics[0]!.partitions;
  } catch (error) {
    // kafkajs reads an answer that it did not get.
    if (!(error instanceof TypeError)) throw error;
    throw new KafkaError("no broker answered", { retriable: true, cause: error });
  }
}

/**
 * Checks that the brokers know all partitions of a topic, and a leader of each.
 *
 * @throws {KafkaError} A retriable one, while they do not.
 */
export async function checkKnown(admin: Admin, topic: string, count = 1): Promise<void> {
  const known = await partitionsOf(admin, topic).catch((error) => {
    if (typeOf(error) === "UNKNOWN_TOPIC_OR_PARTITION") return [];
    throw error;
  });
  const led = known.filter(({ leader }) => leader >= 0).length;
  if (led >= Math.max(count, known.length)) return;
  throw new KafkaError(
    `Cannot create topic "${topic}": the brokers know ${led} of its ${count} partitions`,
    { topic, retriable: true },
  );
}
