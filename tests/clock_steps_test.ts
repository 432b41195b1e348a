/** A clock that is set, by NTP or by hand, changes no duration: each is run with a step in its middle. */
import { assertEquals } from "@std/assert";
import { App, type CommitOptions, MemoryCache, type StatusEvent } from "../mod.ts";
import { Journal } from "../src/cache/resident/journal.ts";
import { emptyState } from "../src/cache/resident/load.ts";
import { EventLoop } from "../src/flow/run/event_loop.ts";
import { Gate } from "../src/flow/source/gate.ts";
import { IdleTimeout } from "../src/checkpoint/outages.ts";
import { MemoryBroker } from "../src/kafka/memory/mod.ts";
import { BatchQueue, type Entry } from "../src/kafka/kafkajs/batch_queue.ts";
import { KafkaProducer } from "../src/kafka/kafkajs/producer.ts";
import { AWAY_AFTER_MS, BrokerHealth } from "../src/kafka/kafkajs/broker_health.ts";
import { Topic } from "../src/kafka/mod.ts";
import { PartitionReaders } from "../src/kafka/topic/partition_reader.ts";
import { StuckWatch } from "../src/kafka/topic/stuck_watch.ts";
import { ManualClock, settle } from "../src/testing/mod.ts";
import { FeedDriver } from "./_support/feed_driver.ts";
import { GroupReader } from "./_support/group_reader.ts";
import { KafkajsStub } from "./_support/kafkajs_stub.ts";
import { Recorder } from "./_support/recorder.ts";
import { record } from "./_support/records.ts";

const HOUR = 3_600_000;
const START = Date.parse("2026-01-01");

/** Moves `clock` on by `ms`, setting it by `step` on the way. */
async function tick(clock: ManualClock, step: number, ms: number): Promise<void> {
  await clock.tick(ms / 2);
  clock.step(step);
  await clock.tick(ms / 2);
}

/** Tests that what is measured is the same whether the clock is set meanwhile, forward or back, or not. */
function steady(
  name: string,
  measure: (clock: ManualClock, step: number) => Promise<unknown>,
  expected: unknown,
): void {
  for (const [way, step] of [["is not", 0], ["is set an hour on", HOUR], ["is set back", -HOUR]]) {
    Deno.test(`${name}: the clock ${way}`, async () => {
      assertEquals(await measure(new ManualClock(START), step as number), expected);
    });
  }
}

/** What `promise` ended with, and when. */
async function ended(promise: Promise<unknown>, clock: ManualClock): Promise<[number, string]> {
  const begun = clock.monotonic();
  const outcome = await promise.then(() => "resolved", ({ name }) => name as string);
  return [clock.monotonic() - begun, outcome];
}

for (const [callMs, outcome] of [[600, "resolved"], [1_400, "HandlerError"]] as const) {
  steady(`handlerTimeout of 1 s counts a call of ${callMs} ms`, async (clock, step) => {
    const app = new App({ clock });
    const call = Promise.withResolvers<void>();
    app.handle([1], () => call.promise, { handlerTimeout: 1_000 });
    const end = ended(app.stream(), clock);
    await tick(clock, step, callMs);
    call.resolve();
    return (await end)[1];
  }, outcome);
}

/** Streams one message into a sink with a `flush()`, and moves on by 100 ms, 20 times. */
async function flushing(
  clock: ManualClock,
  step: number,
  flush: () => Promise<void>,
  commit: CommitOptions = { flushTimeout: 1_000 },
) {
  const events: StatusEvent[] = [];
  const app = new App({ clock, commit, onStatus: (event) => events.push(event) });
  app.handle(new Recorder([1]), (n) => n, { sink: { write: () => {}, flush } });
  const end = ended(app.stream(), clock);
  for (let turn = 0; turn < 20; turn++) {
    if (turn === 3) clock.step(step);
    await clock.tick(100);
  }
  return { events, end: await end };
}

steady("flushTimeout ends a flush that never settles", async (clock, step) => {
  return (await flushing(clock, step, () => new Promise(() => {}))).end;
}, [1_000, "CommitError"]);

steady("flushTimeout ends the repetition of a commit that fails", async (clock, step) => {
  return (await flushing(clock, step, () => Promise.reject(new Error("disk full")))).end;
}, [1_000, "CommitError"]);

steady("The status event of a commit tells how long it took", async (clock, step) => {
  const flush = () => new Promise<void>((resolve) => clock.timer(resolve, 500));
  const { events } = await flushing(clock, step, flush);
  return events.flatMap((event) => event.type === "commit" ? [event.durationMs] : []);
}, [500]);

steady("drainTimeout ends a run whose handler never returns", async (clock, step) => {
  const app = new App({ clock });
  const stop = new AbortController();
  app.handle(new Recorder([1]), () => new Promise(() => {}));
  const streaming = app.stream({ signal: stop.signal, drainTimeout: 1_000 });
  await settle();
  stop.abort();
  const end = ended(streaming, clock);
  await tick(clock, step, 2_000);
  return await end;
}, [1_000, "DrainError"]);

steady(
  "A Topic's message is stuck after its timeout, counted by idle parts",
  async (clock, step) => {
    let at: number | undefined;
    const readers = new PartitionReaders();
    readers.begin(new Map([[0, 0]]), new Map(), new Map());
    readers.get(0)!.acks.open(1);
    const watch = new StuckWatch({
      clock,
      timeoutMs: 1_000,
      open: () => readers.open,
      isHeld: () => false,
      stuck: () => {
        at = clock.monotonic();
        return () => {};
      },
    });
    await tick(clock, step, 3_000);
    watch.stop();
    return at;
  },
  1_000,
);

for (const [heardAt, expected] of [[undefined, 1_000], [400, 1_400]] as const) {
  steady(
    `downtimeAfter tells that a source is idle, heard at ${heardAt}`,
    async (clock, step) => {
      let at: number | undefined;
      const timeout = new IdleTimeout(clock, 1_000, new Gate(), () => at = clock.monotonic());
      if (heardAt !== undefined) clock.timer(() => timeout.restart(), heardAt);
      await tick(clock, step, 1_000);
      await clock.tick(2_000);
      timeout.stop();
      return at;
    },
    expected,
  );
}

steady("The brokers are away 10 s after their last answer", async (clock, step) => {
  const told: [string, number][] = [];
  const health = new BrokerHealth(clock, ({ type }) => told.push([type, clock.monotonic()]));
  health.start();
  await tick(clock, step, AWAY_AFTER_MS);
  await clock.tick(AWAY_AFTER_MS);
  health.stop();
  return told;
}, [["away", AWAY_AFTER_MS]]);

/** Opens a writer whose brokers answer as `send` does. */
async function producing(clock: ManualClock, send: () => Promise<void>) {
  const stub = new KafkajsStub({ send });
  const limits = () => Promise.resolve({ topic: "t", partitions: 1, maxBytes: 1_000_000 });
  const producer = await KafkaProducer.open(
    () => stub.client,
    {
      topic: "t",
      lingerMs: 1,
      batchSize: 1_000,
      bufferMemory: 2 ** 20,
      compression: "none",
      deliveryTimeoutMs: 20_000,
      startTimeoutMs: 10_000,
      signal: new AbortController().signal,
    },
    limits,
    clock,
  );
  return producer;
}

const lost = () => Promise.reject(Object.assign(new Error("reset"), { code: "ECONNRESET" }));
for (
  const [what, send, expected] of [
    ["that are away", lost, 19_100], // the next repetition, 2 s later, would be too late
    ["that do not answer", () => new Promise<void>(() => {}), 20_000],
  ] as const
) {
  steady(`deliveryTimeoutMs refuses a record to brokers ${what}`, async (clock, step) => {
    const producer = await producing(clock, send);
    const end = ended(producer.send(record("a", "1")), clock);
    await clock.tick(1);
    await tick(clock, step, 20_000);
    await clock.tick(20_000);
    await producer.close();
    return await end;
  }, [expected, "KafkaError"]);
}

steady("lingerMs sends a batch that is not full", async (clock, step) => {
  let at: number | undefined;
  const queue = new BatchQueue({
    clock,
    maxInFlight: 1,
    lingerMs: 100,
    batchSize: 10,
    bufferMemory: 1_000,
    maxBytes: () => 1_000,
    deliver: () => {
      at = clock.monotonic();
      return Promise.resolve();
    },
  });
  queue.add({ record: record("a", "1"), partition: 0, bytes: 1 } as Entry);
  await tick(clock, step, 300);
  return at;
}, 100);

steady("A source must yield 8 ms after the last time", async (clock, step) => {
  const eventLoop = new EventLoop(clock);
  clock.step(step);
  const before = eventLoop.mustYield;
  await clock.tick(9);
  return [before, eventLoop.mustYield];
}, [false, true]);

steady("A journal waits for a locked file no longer than it may", async (clock, step) => {
  const locked = () => {
    throw new Error("database is locked");
  };
  const kv = { atomic: locked, get: locked };
  const journal = new Journal(kv as unknown as Deno.Kv, clock, {
    path: "db",
    versionstamp: "0",
    sequence: 0,
    retryMs: 1_000,
  });
  const batch = { rows: [], removed: [], state: { ...emptyState(), sequence: 1 }, garbage: [] };
  const end = ended(journal.send(batch, new AbortController().signal), clock);
  await tick(clock, step, 600);
  await clock.tick(2_000);
  return await end;
}, [1_000, "CacheStorageError"]);

steady(
  "A member waits for who decides the beginning no longer than a session",
  async (clock, step) => {
    await using broker = new MemoryBroker();
    await broker.ensure("in", { partitions: 2 });
    await using _other = await GroupReader.join(broker, { topic: "in", groupId: "g" });
    const patience = { sessionTimeout: 1_000, heartbeatInterval: 100 };
    await using topic = new Topic("in", { broker, groupId: "g", ...patience });
    await using driver = new FeedDriver(topic, { clock });
    let at: number | undefined;
    const begun = driver.feed.ready!().then(() => at = clock.monotonic());
    for (let time = 0; time < 2_000; time += 100) {
      await settle();
      if (time === 500) clock.step(step);
      await clock.tick(100);
    }
    await begun;
    return at;
  },
  1_100,
);

Deno.test("A TTL counts by the time of day, and its sweep by what passes", async () => {
  const clock = new ManualClock(START);
  await using cache = new MemoryCache<number>({ clock, ttl: HOUR });
  await cache.set("a", 1);
  clock.step(-HOUR);
  await clock.tick(HOUR);
  assertEquals([await cache.get("a"), cache.size], [1, 1]);
  clock.step(HOUR);
  assertEquals([await cache.get("a"), cache.size], [undefined, 1]);
  await clock.tick(1_000);
  assertEquals(cache.size, 0);
});

Deno.test("ManualClock.step() sets the time of day, and lets no time pass", async () => {
  const clock = new ManualClock(START);
  const fired: number[] = [];
  clock.timer(() => fired.push(clock.monotonic()), 10);
  clock.step(HOUR);
  assertEquals([clock.now(), clock.monotonic(), clock.next], [START + HOUR, 0, 10]);
  clock.step(-2 * HOUR);
  await clock.tick(10);
  assertEquals([clock.now(), clock.monotonic(), fired], [START - HOUR + 10, 10, [10]]);
});
