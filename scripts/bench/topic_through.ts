/**
 * Topic → parse → change → topic, and the same with a count and a sum for each key, on a real broker. The floor is
 * kafkajs alone, with `node:sqlite` for the state. What is measured begins with the first message, and ends when
 * all outputs are confirmed and, with state, committed.
 */
import { App, Cache } from "@slipstream/slipstream";
import { MemoryBroker } from "@slipstream/slipstream/memory";
import type { Topic } from "@slipstream/slipstream/kafka";
import type kafkajs from "kafkajs";
import { DatabaseSync } from "node:sqlite";
import type { Benchmark } from "./benchmark.ts";
import {
  bareConsumer,
  bareProducer,
  emptyTopic,
  KEYS,
  open,
  parse,
  PARTITIONS,
  seed,
  type Value,
  value,
} from "./topic.ts";

const COUNT = 300_000;
const BATCH = 1_000;

function change(value: Value): Value {
  value.n *= 2;
  return value;
}

/** Throws unless `count` records are in a topic. */
async function checkOutputs(name: string, count: number): Promise<void> {
  await using topic = open(name);
  const offsets = await topic.offsets();
  const stored = offsets.values().reduce((sum, { high }) => sum + high, 0);
  if (stored !== count) throw new Error(`There are ${stored} outputs of ${count}`);
}

async function through(count: number): Promise<number> {
  const output = await emptyTopic();
  await using source = open(await seed(count));
  await using sink = open(output);
  const ms = await changed(source, sink, count);
  await checkOutputs(output, count);
  return ms;
}

/** The same on the broker in memory, where nothing is sent or stored. */
async function throughMemory(count: number): Promise<number> {
  await using broker = new MemoryBroker({ partitions: PARTITIONS, maxRecords: count });
  await using source = open("source", { broker, brokers: undefined });
  await using sink = open("sink", { broker, brokers: undefined });
  await source.ensure({ partitions: PARTITIONS });
  await sink.ensure({ partitions: PARTITIONS });
  for (let i = 0; i < count; i++) await source.send([String(i % KEYS), value(i)]);
  const ms = await changed(source, sink, count);
  const stored = (await sink.offsets()).values().reduce((sum, { high }) => sum + high, 0);
  if (stored !== count) throw new Error(`There are ${stored} outputs of ${count}`);
  return ms;
}

async function changed(
  source: Topic<string, Value>,
  sink: Topic<string, Value>,
  count: number,
): Promise<number> {
  const app = new App();
  let seen = 0, started = 0, ended = 0;
  app.handle(source, ({ key, value }) => {
    started ||= performance.now();
    if (++seen === count) app.close();
    return [key, change(value)] as const;
  }, { sink });
  app.onExit(() => ended = performance.now());
  await app.stream();
  return ended - started;
}

interface Totals {
  n: number;
  sum: number;
}

const ZERO: Totals = { n: 0, sum: 0 };

/** By `aggregate()`, or by a handler that calls `update()` of the cache. */
type By = "aggregate" | "update";

async function counted(count: number, by: By, exact = true): Promise<number> {
  const output = await emptyTopic();
  await using source = open(await seed(count));
  await using sink = open<Totals>(output);
  const folder = await Deno.makeTempDir();
  try {
    await using totals = await Cache.open<Totals>(`${folder}/totals`, { maxBytes: Infinity });
    const app = new App();
    let seen = 0, started = 0, ended = 0;
    const add = ({ n, sum } = ZERO, { value }: { value: Value }): Totals => {
      started ||= performance.now();
      if (++seen === count) app.close();
      return { n: n + 1, sum: sum + value.n };
    };
    const options = { name: "count", sink, ...(exact && { state: totals }) };
    if (by === "aggregate") app.handle(source, totals.aggregate(add), options);
    else {
      app.handle(source, async (message) => {
        const { key } = message;
        return [key, await totals.update(key!, (before) => add(before, message))] as const;
      }, options);
    }
    app.onExit(() => ended = performance.now());
    await app.stream();
    const each = await Array.fromAsync(totals.values());
    if (each.length !== KEYS || each.some(({ n }) => n !== count / KEYS)) {
      throw new Error(`${each.length} keys were counted, the first ${each[0]?.n} times`);
    }
    await checkOutputs(output, count);
    return ended - started;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Reads with kafkajs alone, batch by batch, sends what `change` makes of them, and returns the milliseconds. */
async function bare(
  count: number,
  changed: (messages: readonly kafkajs.KafkaMessage[], partition: number) => kafkajs.Message[],
  commit: (partition: number, next: string) => void = () => {},
): Promise<number> {
  const [source, output] = [await seed(count), await emptyTopic()];
  const producer = bareProducer();
  const consumer = bareConsumer();
  await Promise.all([producer.connect(), consumer.connect()]);
  await consumer.subscribe({ topic: source, fromBeginning: true });
  const all = Promise.withResolvers<void>();
  let seen = 0, started = 0, ended = 0;
  await consumer.run({
    autoCommit: false,
    async eachBatch({ batch: { messages, partition } }) {
      started ||= performance.now();
      const outputs = changed(messages, partition);
      for (let i = 0; i < outputs.length; i += BATCH) {
        await producer.send({ topic: output, acks: -1, messages: outputs.slice(i, i + BATCH) });
      }
      commit(partition, messages.at(-1)!.offset);
      if ((seen += messages.length) < count) return;
      ended = performance.now();
      all.resolve();
    },
  });
  await all.promise;
  await Promise.all([producer.disconnect(), consumer.disconnect()]);
  await checkOutputs(output, count);
  return ended - started;
}

function bareThrough(count: number): Promise<number> {
  return bare(count, (messages) =>
    messages.map(({ key, value }) => ({
      key,
      value: JSON.stringify(change(parse(value!))),
    })));
}

/** One transaction a batch has the counts and the position, so that the state is exact. */
async function bareCount(count: number): Promise<number> {
  const folder = await Deno.makeTempDir();
  const db = new DatabaseSync(`${folder}/totals.db`);
  try {
    db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
    db.exec("CREATE TABLE totals (key TEXT PRIMARY KEY, n INTEGER, sum INTEGER) WITHOUT ROWID");
    db.exec("CREATE TABLE positions (partition INTEGER PRIMARY KEY, next INTEGER)");
    const add = db.prepare(
      "INSERT INTO totals VALUES (?, 1, ?) ON CONFLICT (key) DO UPDATE SET n = n + 1, sum = sum + excluded.sum " +
        "RETURNING n, sum",
    );
    const move = db.prepare("INSERT OR REPLACE INTO positions VALUES (?, ?)");
    return await bare(count, (messages) => {
      db.exec("BEGIN");
      return messages.map(({ key, value }) => {
        const totals = add.get(key!.toString(), parse(value!).n);
        return { key, value: JSON.stringify(totals) };
      });
    }, (partition, last) => {
      move.run(partition, Number(last) + 1);
      db.exec("COMMIT");
    });
  } finally {
    db.close();
    await Deno.remove(folder, { recursive: true });
  }
}

/** The benchmarks of a topic that is read, changed and written. */
export const topicThrough: readonly Benchmark[] = [{
  name: "topic/through",
  count: COUNT,
  goals: { floor: 3.5, peer: 1 },
  ours: through,
  floor: bareThrough,
  rival: {
    program: "kafkats",
    request: async (count) => ({ source: await seed(count), sink: await emptyTopic(), count }),
  },
}, {
  name: "topic/through-memory",
  count: COUNT,
  ours: throughMemory,
}, {
  name: "topic/count",
  count: COUNT,
  goals: { floor: 1.6, peer: 1.2 },
  ours: (count) => counted(count, "aggregate"),
  floor: bareCount,
  rival: {
    program: "streams",
    request: async (count) => ({ source: await seed(count), sink: await emptyTopic(), count }),
  },
}, {
  // The floor is `topic/count`: this says what a handler of one's own costs.
  name: "topic/count-update",
  count: COUNT,
  ours: (count) => counted(count, "update"),
  floor: (count) => counted(count, "aggregate"),
}, {
  // The floor is the same with exact state: leaving the option out must not cost anything.
  name: "topic/count-inexact",
  count: COUNT,
  goals: { floor: 1 },
  ours: (count) => counted(count, "aggregate", false),
  floor: (count) => counted(count, "aggregate"),
}];
