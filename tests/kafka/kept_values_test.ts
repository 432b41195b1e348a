import { assert, assertEquals } from "@std/assert";
import { KafkaBroker } from "../../src/kafka/kafkajs/broker.ts";
import { brokers, kafkaTest, unique } from "../_support/kafka.ts";
import { openProducer, record } from "../_support/records.ts";

const FETCHES = 80;
const PROGRAM = new URL("../_support/keeping_program.ts", import.meta.url).pathname;

/** Reads the topic in a process of its own, which keeps `what` of one message of each fetch. */
async function keep(topic: string, what: string): Promise<{ count: number; bytesEach: number }> {
  const args = ["run", "-A", "--v8-flags=--expose-gc", PROGRAM, brokers.join(), topic, what];
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`${what}: ${decoder.decode(stderr)}`);
  return JSON.parse(decoder.decode(stdout));
}

kafkaTest("what is kept of a message does not keep what was fetched with it", async () => {
  const topic = unique("kept");
  await using broker = new KafkaBroker({ brokers });
  await broker.ensure(topic, { partitions: 1 });
  const producer = await openProducer(broker, topic, { batchSize: 100 });
  const headers = [["keep", new Uint8Array(8)]] as const;
  // 200 kB in each batch.
  for (let fetch = 0; fetch < FETCHES; fetch++) {
    for (let i = 0; i < 99; i++) await producer.add(record(null, "x".repeat(2_000)));
    await producer.add(record("small", "small", { headers }));
  }
  await producer.close();
  for (
    const what of [
      "message",
      "decoded message",
      "value",
      "key",
      "headers",
      "record.value",
      "record.headers",
      "cache",
    ]
  ) {
    const { count, bytesEach } = await keep(topic, what);
    assertEquals(count, FETCHES);
    // A message, and the few kilobytes that are copied together.
    assert(bytesEach < 8_000, `${what}: ${bytesEach} bytes for each of ${count}`);
  }
});
