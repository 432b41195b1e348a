/** A topic counted by key into another topic, on the embedded broker: with exact state, beside without. */
import { App, Cache, type StateKeeper } from "@slipstream/slipstream";
import { Topic } from "@slipstream/slipstream/kafka";
import { MemoryBroker } from "@slipstream/slipstream/memory";
import type { Benchmark } from "./benchmark.ts";

const COUNT = 300_000;
const KEYS = 1_000;

/** A broker with `count` messages in it, made once: filling it is no part of the benchmark. */
const filled = new Map<number, Promise<MemoryBroker>>();

async function fill(count: number): Promise<MemoryBroker> {
  const broker = new MemoryBroker({ maxRecords: count });
  await broker.ensure("in", { partitions: 1 });
  const producer = await broker.producer({
    topic: "in",
    lingerMs: 0,
    batchSize: 1_000,
    bufferMemory: 32 * 2 ** 20,
    compression: "none",
    deliveryTimeoutMs: 60_000,
    startTimeoutMs: 60_000,
  });
  const encoder = new TextEncoder();
  for (let n = 0; n < count; n++) {
    const key = encoder.encode(`key ${n % KEYS}`);
    await producer.add({ key, value: encoder.encode(`${n}`), headers: [] });
  }
  await producer.close();
  return broker;
}

/** Counts `count` messages by key, and passes each count on; barriers each second. */
async function count(count: number, exact: boolean): Promise<void> {
  let making = filled.get(count);
  if (making === undefined) filled.set(count, making = fill(count));
  const broker = await making;
  const folder = await Deno.makeTempDir();
  try {
    const options = { broker, groupId: crypto.randomUUID(), offset: "earliest" } as const;
    await using source = new Topic("in", options);
    await using output = new MemoryBroker({ maxRecords: 10_000 });
    await using sink = new Topic("out", { broker: output });
    await using counts = await Cache.open<number>(`${folder}/counts`, { maxBytes: Infinity });
    const state: { state?: StateKeeper } = exact ? { state: counts } : {};
    const app = new App();
    let seen = 0;
    app.handle(source, async ({ key }) => {
      const n = await counts.get(key!, 0) + 1;
      await counts.set(key!, n);
      if (++seen === count) app.close();
      return [key, `${n}`] as const;
    }, { name: "count", sink, ...state });
    await app.stream();
    const first = await counts.get("key 0");
    if (first !== count / KEYS) throw new Error(`Key 0 was counted ${first} times`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The benchmarks of delivery. */
export const delivery: Benchmark[] = [{
  name: "delivery/count",
  count: COUNT,
  goals: { floor: 0.5 },
  ours: (messages) => count(messages, true),
  floor: (messages) => count(messages, false),
}];
