/**
 * The real broker of a test run. `deno task test` starts one and names it in `SLIPSTREAM_TEST_KAFKA`;
 * without it the tests that need one are reported as ignored, with the reason in their names.
 */
import "../../src/kafka/kafkajs/repairs.ts";
import kafkajs from "kafkajs";
import { brokersFromEnvironment } from "../../scripts/kafka/server.ts";

const named = brokersFromEnvironment() ?? Deno.env.get("SLIPSTREAM_TEST_KAFKA")?.split(",");
const missing = Deno.env.get("SLIPSTREAM_TEST_KAFKA_MISSING") ?? "run by deno task test";
const required = Deno.env.get("KAFKA_REQUIRED") === "1";

/** The addresses of the broker; empty when there is none. */
export const brokers: string[] = named ?? [];

/**
 * Registers a test that needs the broker of the run, and, where `lacks` names something else that it does
 * not find, that. Without, it fails where `KAFKA_REQUIRED` is set, and is ignored elsewhere.
 */
export function kafkaTest(name: string, body: () => Promise<void>, lacks?: string): void {
  const reason = brokers.length > 0 ? lacks : `no Kafka broker: ${missing}`;
  if (reason === undefined) Deno.test(name, body);
  else if (required) Deno.test(name, () => Promise.reject(new Error(`Cannot test: ${reason}`)));
  else Deno.test.ignore(`${name} (${reason})`, body);
}

/** Registers a test that starts brokers of its own, which is possible where the run has one of its own. */
export function ownKafkaTest(name: string, body: () => Promise<void>): void {
  const possible = Deno.env.has("SLIPSTREAM_TEST_KAFKA");
  if (possible) Deno.test(name, body);
  else if (required && brokers.length === 0) kafkaTest(name, body);
  else Deno.test.ignore(`${name} (no broker of its own can be started)`, body);
}

/** Returns a name that no other test uses. */
export function unique(prefix: string): string {
  return `${prefix}-${crypto.randomUUID().slice(0, 8)}`;
}

/** Returns a client of the run's broker that is not ours. */
export function foreignClient(): kafkajs.Kafka {
  return new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING });
}

/** Aborts a transaction in partition 0 of a topic, which leaves three offsets that no reader is shown. */
export async function abort(topic: string): Promise<void> {
  const producer = foreignClient().producer({ transactionalId: topic, maxInFlightRequests: 1 });
  await producer.connect();
  const transaction = await producer.transaction();
  const messages = ["aborted", "too"].map((value) => ({ value, partition: 0 }));
  await transaction.send({ topic, messages });
  await transaction.abort();
  await producer.disconnect();
}

/** Deletes topics and groups, where they exist. */
export async function forget(topics: string[], groups: string[]): Promise<void> {
  const admin = foreignClient().admin();
  await admin.connect();
  const existing = await admin.listTopics();
  const found = topics.filter((topic) => existing.includes(topic));
  if (found.length > 0) await admin.deleteTopics({ topics: found });
  await admin.deleteGroups(groups).catch(() => {}); // of the groups that there are not
  await admin.disconnect();
}
