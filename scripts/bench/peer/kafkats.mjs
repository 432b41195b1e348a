/**
 * `topic/through` with `@kafkats/client`, whose package name is the first argument: answers each line
 * `{ source, sink, count }` on its input with `{ seconds }`. Deno runs it apart from the repository's lock file.
 */
import { Buffer } from "node:buffer";
import process from "node:process";
import { createInterface } from "node:readline";

const { KafkaClient } = await import(Deno.args[0]);
const brokers = Deno.env.get("KAFKA_BROKERS").split(",");

async function through({ source, sink, count }) {
  const client = new KafkaClient({ brokers, clientId: "bench" });
  await client.connect();
  const producer = client.producer({ idempotent: true, lingerMs: 0 });
  const consumer = client.consumer({
    groupId: crypto.randomUUID(),
    autoOffsetReset: "earliest",
    maxRecords: 5_000,
  });
  let seen = 0, started = 0, ended = 0;
  const all = Promise.withResolvers();
  const running = consumer.runBatch(source, async (messages) => {
    started ||= performance.now();
    await producer.send(
      sink,
      messages.map(({ key, value }) => {
        const changed = JSON.parse(value.toString());
        changed.n *= 2;
        return { key, value: Buffer.from(JSON.stringify(changed)) };
      }),
    );
    seen += messages.length;
    if (seen < count) return;
    ended ||= performance.now();
    all.resolve();
  });
  running.catch(all.reject);
  await all.promise;
  consumer.stop();
  await running;
  await producer.disconnect();
  await client.disconnect();
  return (ended - started) / 1_000;
}

for await (const line of createInterface({ input: process.stdin })) {
  const seconds = await through(JSON.parse(line));
  console.log(JSON.stringify({ seconds }));
}
Deno.exit();
