/**
 * Benchmarks of Topic against kafkajs alone, on the broker that `KAFKA_BROKERS` names. Each function runs
 * once and returns its figure; the harness interleaves rounds and compares.
 */
import "../../src/kafka/kafkajs/repairs.ts";
import process from "node:process";
import kafkajs from "kafkajs";
import type { Kafka } from "kafkajs";
import { delay, systemClock } from "../../src/clock.ts";
import { END, type FeedSource, type Host, openFeed, openSink, WAIT } from "../../src/flow/feed.ts";
import { gateOf } from "../../src/flow/gate.ts";
import { JsonCodec } from "@slipstream/slipstream";
import { Topic } from "../../src/kafka/mod.ts";

/** What the messages of the benchmarks are. */
interface Value {
  i: number;
  name: string;
  n: number;
}

const PARTITIONS = 4;
const BATCH = 1_000;
const decoder = new TextDecoder();

const json = new JsonCodec<Value>();

function value(i: number): Value {
  return { i, name: "hello world", n: i % BATCH };
}

function brokers(): string[] {
  const named = Deno.env.get("KAFKA_BROKERS");
  if (named) return named.split(",");
  throw new Error("Set KAFKA_BROKERS: deno task kafka start says to what");
}

function client(): Kafka {
  return new kafkajs.Kafka({ brokers: brokers(), logLevel: kafkajs.logLevel.NOTHING });
}

/** Creates a topic with `count` messages, unless it is there, and returns its name. */
export async function seed(count: number): Promise<string> {
  const name = `bench-${count}`;
  await using topic = new Topic<string, Value>(name, { brokers: brokers(), codec: json });
  if (!await topic.ensure({ partitions: PARTITIONS })) return name;
  const sink = topic[openSink](host(new AbortController().signal));
  for (let i = 0; i < count; i++) await sink.write([String(i % BATCH), value(i)]);
  await sink.flush!();
  return name;
}

/** Messages a second of a bare kafkajs `eachBatch` that parses the same JSON. */
export async function consumeBare(topic: string, count: number): Promise<number> {
  const consumer = client().consumer({ groupId: crypto.randomUUID(), maxWaitTimeInMs: 250 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const done = Promise.withResolvers<void>();
  let seen = 0, start = 0, sum = 0;
  await consumer.run({
    autoCommit: false,
    eachBatch: ({ batch }) => {
      start ||= performance.now();
      for (const message of batch.messages) {
        sum += JSON.parse(decoder.decode(message.value!)).n;
        seen++;
      }
      if (seen >= count) done.resolve();
      return Promise.resolve();
    },
  });
  await done.promise;
  const seconds = (performance.now() - start) / 1_000;
  await consumer.disconnect();
  return sum > 0 ? count / seconds : NaN;
}

/** Messages a second of a Topic whose values are read, with acknowledgements, and commits each second. */
export async function consumeTopic(name: string, count: number): Promise<number> {
  const groupId = crypto.randomUUID();
  await using topic = new Topic<string, Value>(name, {
    brokers: brokers(),
    groupId,
    offset: "earliest",
    codec: json,
  });
  let seen = 0, start = 0, sum = 0;
  await read(topic, ({ value }) => {
    start ||= performance.now();
    sum += value.n;
    return ++seen < count;
  });
  return sum > 0 ? count / ((performance.now() - start) / 1_000) : NaN;
}

/** Messages a second of bare kafkajs sends of 1,000, idempotent, confirmed by all replicas. */
export async function sinkBare(count: number): Promise<number> {
  const topic = await emptyTopic();
  const producer = client().producer({
    idempotent: true,
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  });
  await producer.connect();
  await producer.send({ topic, messages: [{ key: "first", value: "{}" }] });
  const start = performance.now();
  for (let i = 0; i < count; i += BATCH) {
    const messages = Array.from({ length: BATCH }, (_, j) => ({
      key: String((i + j) % BATCH),
      value: JSON.stringify(value(i + j)),
    }));
    await producer.send({ topic, acks: -1, messages });
  }
  const seconds = (performance.now() - start) / 1_000;
  await producer.disconnect();
  return count / seconds;
}

/** Messages a second of a Topic as a sink, confirmed by a flush each 10,000 messages. */
export async function sinkTopic(count: number): Promise<number> {
  await using topic = new Topic<string, Value>(await emptyTopic(), {
    brokers: brokers(),
    codec: json,
  });
  const sink = topic[openSink](host(new AbortController().signal));
  await sink.write(["first", value(0)]);
  await sink.flush!();
  const start = performance.now();
  for (let i = 0; i < count; i++) {
    const room = sink.write([String(i % BATCH), value(i)]);
    if (room) await room;
    if (i % 10_000 === 9_999) await sink.flush!();
  }
  await sink.flush!();
  return count / ((performance.now() - start) / 1_000);
}

/** Milliseconds from a send to the handling of the message, one message a millisecond: median and p99. */
export async function roundtrip(count: number): Promise<{ p50: number; p99: number }> {
  const name = await emptyTopic();
  const options = { brokers: brokers(), groupId: name, offset: "earliest", codec: json } as const;
  await using topic = new Topic<string, Value>(name, options);
  const sent: number[] = [];
  const took: number[] = [];
  const sending: Promise<unknown>[] = [];
  const send = () => {
    const i = sent.push(performance.now()) - 1;
    sending.push(topic.send({ key: "k", value: value(i) }));
  };
  await topic.send({ key: "k", value: value(-1) });
  let timer: ReturnType<typeof setInterval> | undefined;
  await read(topic, ({ value: { i } }) => {
    if (i < 0) timer = setInterval(() => sent.length < count ? send() : clearInterval(timer), 1);
    else took.push(performance.now() - sent[i]!);
    return took.length < count;
  });
  await Promise.all(sending);
  took.sort((a, b) => a - b);
  return { p50: took[count >> 1]!, p99: took[Math.floor(count * 0.99)]! };
}

/**
 * How many megabytes the heap grows while a topic waits behind a gate that is paused, after its first
 * messages were read; its fetching stops, so the length of the topic does not matter.
 */
export async function pausedGrowth(name: string, forMs: number): Promise<number> {
  const options = { brokers: brokers(), groupId: crypto.randomUUID(), offset: "earliest" } as const;
  await using topic = new Topic(name, options);
  const ended = new AbortController();
  const gate = gateOf(topic);
  const feed = topic[openFeed](host(ended.signal), gate);
  while (feed.poll() === WAIT) await new Promise<void>((resolve) => feed.wait(resolve));
  gate.pause("bench");
  await delay(systemClock, 1_000);
  const before = Deno.memoryUsage().rss;
  await delay(systemClock, forMs);
  const growth = Deno.memoryUsage().rss - before;
  ended.abort();
  await feed.cancel();
  return growth / 2 ** 20;
}

/** The share of one processor, in percent, that an idle producer and an idle consumer take. */
export async function idleCpu(forMs: number): Promise<number> {
  const name = await emptyTopic();
  const options = { brokers: brokers(), groupId: name, offset: "earliest" } as const;
  await using topic = new Topic(name, options);
  await topic.send(["k", "v"]);
  const ended = new AbortController();
  const feed = topic[openFeed](host(ended.signal), gateOf(topic));
  await feed.ready!();
  await delay(systemClock, 2_000);
  const before = processorMs();
  await delay(systemClock, forMs);
  const used = processorMs() - before;
  ended.abort();
  await feed.cancel();
  return 100 * used / forMs;
}

function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

async function emptyTopic(): Promise<string> {
  const name = `bench-${crypto.randomUUID()}`;
  await using topic = new Topic(name, { brokers: brokers() });
  await topic.ensure({ partitions: PARTITIONS });
  return name;
}

/** Reads as the engine does, until `handle` returns false: acknowledged, committed each second. */
async function read<T>(source: FeedSource<T>, handle: (message: T) => boolean): Promise<void> {
  const ended = new AbortController();
  const feed = source[openFeed](host(ended.signal), gateOf(source));
  const timer = setInterval(() => void feed.snapshot?.()?.(), 1_000);
  for (let going = true; going;) {
    const message = feed.poll();
    if (message === END) break;
    if (message === WAIT) {
      await new Promise<void>((resolve) => feed.wait(resolve));
      continue;
    }
    const { receipt } = feed;
    going = handle(message);
    receipt?.release();
  }
  clearInterval(timer);
  await feed.snapshot?.()?.();
  ended.abort();
  await feed.cancel();
}

function host(signal: AbortSignal): Host {
  return {
    clock: systemClock,
    stopping: signal,
    signal,
    fail: (error) => reportError(error),
    barrier: () => Promise.resolve(),
  };
}
