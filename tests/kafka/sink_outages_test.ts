/** Brokers that go away while a flow writes to a Topic: what bounds the commit, and what bounds stopping. */
import { assertEquals, assertRejects } from "@std/assert";
import { App, CommitError, DrainError } from "../../mod.ts";
import type { Producer, ProducerOptions } from "../../src/kafka/client/broker.ts";
import { KafkaProducer } from "../../src/kafka/kafkajs/producer.ts";
import { MemoryBroker } from "../../src/kafka/memory/mod.ts";
import { redrive, Topic } from "../../src/kafka/mod.ts";
import { ManualClock, settle } from "../../src/testing/mod.ts";
import { KafkajsStub } from "../_support/kafkajs_stub.ts";
import { Recorder } from "../_support/recorder.ts";

/** A broker that writes through kafkajs, which reaches nobody while it is away. */
class FailingBroker extends MemoryBroker {
  readonly clock: ManualClock;
  /** When the brokers go away and come back, in milliseconds. */
  away: readonly [from: number, to: number] = [0, 0];
  readonly stub: KafkajsStub = new KafkajsStub({
    send: () => {
      const [from, to] = this.away;
      if (this.clock.monotonic() < from || this.clock.now() >= to) return Promise.resolve();
      return Promise.reject(Object.assign(new Error("reset"), { code: "ECONNRESET" }));
    },
  });

  constructor(clock: ManualClock) {
    super({ clock });
    this.clock = clock;
  }

  override producer(options: ProducerOptions): Promise<Producer> {
    const { topic, signal = new AbortController().signal } = options;
    const limits = () => Promise.resolve({ topic, partitions: 1, maxBytes: 1_000_000 });
    return KafkaProducer.open(() => this.stub.client, { ...options, signal }, limits, this.clock);
  }

  /** The values that were stored. */
  get values(): string[] {
    return this.stub.batches.flatMap(({ values }) => values);
  }
}

/** Moves a clock on, in steps in which nothing that was started waits for the next one. */
async function pass(clock: ManualClock, seconds: number): Promise<void> {
  for (let i = 0; i < seconds; i++) await clock.tick(1_000);
}

/** An app that copies a source to a Topic, on brokers that go away after five seconds. */
function copying(deliveryTimeout: number, outageMs: number) {
  const clock = new ManualClock();
  const broker = new FailingBroker(clock);
  broker.away = [5_000, 5_000 + outageMs];
  const topic = new Topic("out", { broker, deliveryTimeout });
  const source = new Recorder(["a"], { open: true });
  const failed: unknown[] = [];
  const app = new App({
    clock,
    onStatus: (event) => {
      if (event.type === "commit_failed") failed.push(event.error);
    },
  });
  return { clock, broker, topic, source, failed, app };
}

Deno.test("a Topic sink survives an outage as long as deliveryTimeout, beyond flushTimeout", async () => {
  const { clock, broker, topic, source, failed, app } = copying(120_000, 100_000);
  await broker.ensure("out", {});
  app.handle(source, (value) => ["k", value] as const, { sink: topic });
  const streaming = app.stream();
  await pass(clock, 5);
  assertEquals([broker.values, source.committed], [["a"], [1]]);
  source.push("b");
  await pass(clock, 60);
  source.push("c");
  await pass(clock, 35);
  assertEquals([broker.values, source.committed], [["a"], [1]]);
  await pass(clock, 10);
  assertEquals([broker.values, source.committed, failed], [["a", "b", "c"], [1, 2, 3], []]);
  source.end();
  await streaming;
  await topic.close();
});

Deno.test("an outage longer than deliveryTimeout stops the app and names the record", async () => {
  const { clock, broker, topic, source, app } = copying(60_000, 1e9);
  await broker.ensure("out", {});
  app.handle(source, (value) => ["k", value] as const, { sink: topic });
  const streaming = app.stream();
  streaming.catch(() => {});
  await pass(clock, 5);
  source.push("b");
  await pass(clock, 55);
  assertEquals(source.acknowledged, [0, 1]);
  await pass(clock, 60);
  await assertRejects(
    () => streaming,
    CommitError,
    'Cannot send the record with key "k" to topic "out" partition 0 within 60000 ms: reset',
  );
  assertEquals(source.committed, [1]);
  await topic.close();
  assertEquals(clock.pending, 0);
});

Deno.test("a commit that waited for the brokers of a Topic is still tried again when its commit fails", async () => {
  const { clock, broker, topic, source, failed, app } = copying(120_000, 60_000);
  await broker.ensure("out", {});
  app.handle(source, (value) => ["k", value] as const, { sink: topic });
  const streaming = app.stream();
  await pass(clock, 5);
  let refusals = 1;
  source.onCommit = () => {
    if (refusals-- > 0) throw new Error("not yet");
  };
  source.push("b");
  await pass(clock, 70);
  assertEquals([source.committed, failed.length], [[1, 2], 1]);
  source.end();
  await streaming;
  await topic.close();
});

Deno.test("a sink that hangs stops the app after flushTimeout, though a Topic beside it may take longer", async () => {
  const { clock, broker, topic, source, app } = copying(120_000, 1e9);
  await broker.ensure("out", {});
  app.handle(source, (value) => ["k", value] as const, {
    sink: [topic, { write: () => {}, flush: () => new Promise<void>(() => {}) }],
  });
  const streaming = app.stream();
  streaming.catch(() => {});
  await pass(clock, 32);
  const message = "sink 2 of flow";
  await assertRejects(() => streaming, CommitError, message);
  await topic.close();
  assertEquals(clock.pending, 0);
});

Deno.test("redrive() survives an outage as its topics do", async () => {
  const { clock, broker, topic, app } = copying(120_000, 100_000);
  await broker.ensure("out", {});
  await broker.ensure("dead", {});
  const dead = new Topic("dead", { broker, groupId: "g", offset: "earliest" });
  const writer = await MemoryBroker.prototype.producer.call(broker, {
    topic: "dead",
    batchSize: 1,
  } as ProducerOptions);
  const headers = [["dead-letter-topic", new TextEncoder().encode("out")]] as const;
  app.handle(dead, (letter) => letter, { sink: redrive(topic) });
  const streaming = app.stream();
  await pass(clock, 10);
  await writer.send({ key: null, value: new TextEncoder().encode("again"), headers });
  await pass(clock, 90);
  assertEquals([broker.values, (await broker.committed("g", "dead")).get(0)], [[], undefined]);
  await pass(clock, 10);
  assertEquals([broker.values, (await broker.committed("g", "dead")).get(0)], [["again"], 1]);
  await app.close();
  await streaming;
  await Promise.all([topic.close(), dead.close()]);
});

Deno.test("stopping is bounded by drainTimeout while the brokers of a sink are away; close() then waits for nothing", async () => {
  const { clock, broker, topic, source, app } = copying(120_000, 1e9);
  await broker.ensure("out", {});
  app.handle(source, (value) => ["k", value] as const, { sink: topic });
  const stop = new AbortController();
  const streaming = app.stream({ signal: stop.signal, drainTimeout: 3_000 });
  streaming.catch(() => {});
  await pass(clock, 5);
  source.push("b");
  await pass(clock, 10);
  stop.abort();
  await clock.tick(3_000);
  await assertRejects(() => streaming, DrainError, "drainTimeout");
  await topic.close();
  await settle();
  assertEquals([source.committed, clock.pending], [[1], 0]);
});

Deno.test("close() of a Topic drops what handlers were sending as their app was ended at once, and nothing else", async () => {
  for (const isSentOutside of [false, true]) {
    const { clock, broker, topic, source, app } = copying(120_000, 1e9);
    await broker.ensure("out", {});
    broker.away = [0, 1e9];
    app.handle(source, async (value) => void await topic.send(["k", value]));
    const outside = isSentOutside ? topic.send(["k", "outside"]).catch(() => "late") : undefined;
    const stop = new AbortController();
    const streaming = app.stream({ signal: stop.signal, drainTimeout: 3_000 });
    streaming.catch(() => {});
    await pass(clock, 10);
    stop.abort();
    await clock.tick(3_000);
    await assertRejects(() => streaming, DrainError, "drainTimeout");
    let isClosed = false;
    const closed = topic.close().then(() => isClosed = true);
    await settle();
    assertEquals(isClosed, !isSentOutside);
    await clock.tick(120_000);
    await closed;
    assertEquals([await outside, source.committed, clock.pending], [
      isSentOutside ? "late" : undefined,
      [],
      0,
    ]);
  }
});

Deno.test("close() of a Topic waits no longer once only what an app was sending that was ended at once is left", async () => {
  const { clock, broker, topic, source, app } = copying(120_000, 1e9);
  await broker.ensure("out", {});
  broker.away = [0, 1e9];
  const outside = topic.send(["k", "outside"]).catch(() => "late");
  await pass(clock, 110);
  app.handle(source, async (value) => void await topic.send(["k", value]));
  const stop = new AbortController();
  const streaming = app.stream({ signal: stop.signal, drainTimeout: 1_000 });
  streaming.catch(() => {});
  await settle();
  stop.abort();
  await clock.tick(1_000);
  await assertRejects(() => streaming, DrainError, "drainTimeout");
  const closed = topic.close();
  await pass(clock, 12);
  await closed;
  assertEquals([await outside, clock.pending], ["late", 0]);
});

Deno.test("close() of a Topic waits for what was begun by a handler and sent after its app had ended", async () => {
  const { clock, broker, topic, source, app } = copying(120_000, 1e9);
  await broker.ensure("out", {});
  const go = Promise.withResolvers<void>();
  let sent: Promise<unknown> | undefined;
  app.handle(source, () => {
    sent ??= go.promise.then(() => topic.send(["k", "summary"]));
    void app.close();
  });
  await app.stream();
  broker.away = [0, clock.now() + 5_000];
  go.resolve();
  await settle();
  const closed = topic.close();
  await pass(clock, 20);
  await Promise.all([closed, sent]);
  assertEquals(broker.values, ["summary"]);
});
