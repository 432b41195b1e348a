import type {
  Broker,
  Producer,
  ProducerOptions,
  ProducerRecord,
} from "../../src/kafka/client/broker.ts";

const encoder = new TextEncoder();

/** Makes a record of texts. */
export function record(
  key: string | null,
  value: string | null,
  more: Partial<ProducerRecord> = {},
): ProducerRecord {
  const bytes = (text: string | null) => text === null ? null : encoder.encode(text);
  return { key: bytes(key), value: bytes(value), headers: [], ...more };
}

/** Opens a producer with the options that tests use. */
export function openProducer(
  broker: Broker,
  topic: string,
  options: Partial<ProducerOptions> = {},
): Promise<Producer> {
  return broker.producer({
    topic,
    lingerMs: 1,
    batchSize: 1_000,
    bufferMemory: 32 * 2 ** 20,
    compression: "none",
    deliveryTimeoutMs: 20_000,
    startTimeoutMs: 10_000,
    ...options,
  });
}

/** Writes values, without keys, to one partition and waits until they are confirmed. */
export async function write(
  broker: Broker,
  topic: string,
  values: string[],
  partition = 0,
): Promise<void> {
  const producer = await openProducer(broker, topic);
  await Promise.all(values.map((value) => producer.send(record(null, value, { partition }))));
  await producer.close();
}

/** Returns `count` texts that begin with `prefix`. */
export function texts(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i}`);
}
