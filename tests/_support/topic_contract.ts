/** What a Topic does, on every broker. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { delay, systemClock } from "../../src/clock.ts";
import { gateOf } from "../../src/flow/gate.ts";
import type { Broker } from "../../src/kafka/broker.ts";
import { KafkaError } from "../../src/kafka/errors.ts";
import type { TopicOptions } from "../../src/kafka/options.ts";
import type { BrokerStatus } from "../../src/kafka/status.ts";
import { Topic } from "../../src/kafka/topic.ts";
import { FeedDriver } from "./feed_driver.ts";
import { testMessageContract } from "./message_contract.ts";
import { unique } from "./kafka.ts";
import { texts, write } from "./records.ts";

/** A kind of broker under test. */
export interface TopicFixture {
  readonly name: string;
  readonly test: (name: string, body: () => Promise<void>) => void;
  readonly open: () => Broker;
}

/** What a test gets. */
export interface Context {
  readonly broker: Broker;
  readonly name: string;
  /** Makes a topic that is closed at the end of the test. */
  make<K = string, V = string>(options?: TopicOptions<K, V>): Topic<K, V>;
}

/** Quick heartbeats and fetches, for quick tests. */
export const QUICK = {
  offset: "earliest",
  sessionTimeout: 6_000,
  rebalanceTimeout: 6_000,
  heartbeatInterval: 100,
  maxWaitTimeInMs: 50,
} as const;

/** Registers the tests of Topic on one kind of broker. */
export function testTopicContract(fixture: TopicFixture): void {
  const test = (title: string, body: (context: Context) => Promise<void>) =>
    fixture.test(`Topic on ${fixture.name} ${title}`, async () => {
      await using broker = fixture.open();
      await using stack = new AsyncDisposableStack();
      const name = unique("topic");
      await body({
        broker,
        name,
        make: (options) =>
          stack.use(new Topic(name, { broker, groupId: name, ...QUICK, ...options })),
      });
    });

  const offsetsOf = (driver: FeedDriver<{ offset: number }>) =>
    driver.messages.map((m) => m.offset);

  test("is created when it is missing", async ({ broker, name, make }) => {
    assertEquals(await make().send({ key: "fish", value: "🐟" }), { partition: 0, offset: 0 });
    assertEquals(await broker.partitions(name), 1);
  });

  test("is not created with allowAutoTopicCreation off", async ({ name, make }) => {
    const topic = make({ allowAutoTopicCreation: false });
    await assertRejects(() => topic.send({ value: "x" }), KafkaError, name);
  });

  test("iterates what was sent; break leaves the last message unacknowledged", async ({ broker, name, make }) => {
    const topic = make();
    for (const value of ["a", "b", "c"]) await topic.send({ key: "k", value });
    const seen: string[] = [];
    for await (const message of topic) {
      seen.push(`${message.key}=${message.value}@${message.partition}:${message.offset}`);
      if (seen.length === 3) break;
    }
    assertEquals(seen, ["k=a@0:0", "k=b@0:1", "k=c@0:2"]);
    assertEquals([...await broker.committed(name, name)], [[0, 2]]);
    for await (const message of topic) {
      assertEquals(message.value, "c");
      break;
    }
  });

  test("cannot be read twice at a time", async ({ make }) => {
    const topic = make();
    await using driver = new FeedDriver(topic);
    await assertRejects(() => topic[Symbol.asyncIterator]().next(), TypeError, "twice at a time");
    await driver.feed.ready!();
  });

  test("commits the messages that are done in the order of handing out", async ({ broker, name, make }) => {
    await broker.ensure(name, { partitions: 1 });
    await write(broker, name, texts("v", 5));
    await using driver = new FeedDriver(make(), {
      handle: ({ offset }) => offset === 1 || offset === 3 ? false : true,
    });
    await driver.until((messages) => messages.length === 5);
    await driver.barrier();
    assertEquals([...await broker.committed(name, name)], [[0, 1]]);
    driver.kept[0]!.release();
    await driver.barrier();
    assertEquals([...await broker.committed(name, name)], [[0, 3]]);
    driver.kept[1]!.release();
    await driver.barrier();
    assertEquals([...await broker.committed(name, name)], [[0, 5]]);
    assertEquals(driver.feed.snapshot!(), undefined);
  });

  test("commits what the snapshot saw, not what came after it", async ({ broker, name, make }) => {
    await broker.ensure(name, { partitions: 1 });
    await write(broker, name, texts("v", 4));
    await using driver = new FeedDriver(make(), { handle: ({ offset }) => offset < 2 });
    await driver.until((messages) => messages.length === 4);
    const commit = driver.feed.snapshot!()!;
    for (const receipt of driver.kept) receipt.release();
    await commit();
    assertEquals([...await broker.committed(name, name)], [[0, 2]]);
  });

  test("redelivers after a crash what was not committed", async ({ broker, name, make }) => {
    await broker.ensure(name, { partitions: 1 });
    await write(broker, name, texts("v", 4));
    const first = new FeedDriver(make());
    await first.until((messages) => messages.length === 2);
    await first.barrier();
    const committed = (await broker.committed(name, name)).get(0)!;
    await first.crash();
    await using second = new FeedDriver(make());
    await second.until((messages) => messages.length === 4 - committed);
    assertEquals(offsetsOf(second)[0], committed);
  });

  test("seek() moves at once, also from inside a handler", async ({ broker, name, make }) => {
    await broker.ensure(name, { partitions: 1 });
    await write(broker, name, texts("v", 10));
    const topic = make();
    let sought: Promise<void> | undefined;
    await using driver = new FeedDriver(topic, {
      handle: ({ offset }) => {
        if (offset === 3) sought ??= topic.seek({ 0: 7 });
      },
    });
    await driver.until((messages) => messages.at(-1)?.offset === 9);
    await sought;
    assertEquals(offsetsOf(driver), [0, 1, 2, 3, 7, 8, 9]);
  });

  test("seek() is committed by the next barrier, so that a crash does not forget it", async ({ broker, name, make }) => {
    await broker.ensure(name, { partitions: 1 });
    await write(broker, name, texts("v", 10));
    const topic = make();
    const first = new FeedDriver(topic);
    await first.until((messages) => messages.length === 10);
    await first.barrier();
    gateOf(topic).pause("test");
    await topic.seek({ 0: 4 });
    await first.barrier();
    assertEquals([...await broker.committed(name, name)], [[0, 4]]);
    await first.crash();
    await using second = new FeedDriver(make());
    await second.until((messages) => messages.length === 6);
    assertEquals(offsetsOf(second)[0], 4);
  });

  test("seek() ignores acknowledgements of what came before it", async ({ broker, name, make }) => {
    await broker.ensure(name, { partitions: 1 });
    await write(broker, name, texts("v", 10));
    const topic = make();
    await using driver = new FeedDriver(topic, { handle: () => false });
    await driver.until((messages) => messages.length === 10);
    await topic.seek({ 0: 2 });
    for (const receipt of driver.kept) receipt.release();
    await driver.barrier();
    assertEquals([...await broker.committed(name, name)], [[0, 2]]);
  });

  test("seek() works before the reading and while paused", async ({ broker, name, make }) => {
    await broker.ensure(name, { partitions: 1 });
    await write(broker, name, texts("v", 10));
    const topic = make();
    await topic.seek({ 0: 8 });
    await using driver = new FeedDriver(topic);
    await driver.until((messages) => messages.length === 2);
    gateOf(topic).pause("test");
    await topic.seek("earliest");
    gateOf(topic).resume("test");
    await driver.until((messages) => messages.length === 12);
    assertEquals(offsetsOf(driver).slice(0, 4), [8, 9, 0, 1]);
  });

  test("seek() out of range rejects and goes on where it was", async ({ broker, name, make }) => {
    await broker.ensure(name, { partitions: 1 });
    await write(broker, name, texts("v", 3));
    const topic = make();
    await using driver = new FeedDriver(topic);
    await driver.until((messages) => messages.length === 3);
    await assertRejects(
      () => topic.seek({ 0: 99 }),
      RangeError,
      "its offsets are from 0 to 3: current value is 99",
    );
    await assertRejects(() => topic.seek({ 5: 0 }), RangeError, "reads partitions 0");
    await assertRejects(
      () => topic.seek({ 0: -3 }),
      RangeError,
      "partition 0 as offset must be >= 0: current value is -3",
    );
    await topic.send({ value: "v3" });
    await driver.until((messages) => messages.length === 4);
    assertEquals(offsetsOf(driver), [0, 1, 2, 3]);
  });

  test("seek() to a time", async ({ make }) => {
    const topic = make();
    for (const timestamp of [1_000, 2_000, 3_000]) await topic.send({ value: "v", timestamp });
    await topic.seek({ timestamp: 1_500 });
    await using driver = new FeedDriver(topic);
    await driver.until((messages) => messages.length === 2);
    assertEquals(offsetsOf(driver), [1, 2]);
  });

  test("starts at the commit before the option, and at explicit offsets before the commit", async ({ broker, name, make }) => {
    await broker.ensure(name, { partitions: 2 });
    for (const partition of [0, 1]) await write(broker, name, texts("v", 6), partition);
    const first = new FeedDriver(make({ offset: { 0: 4 } }));
    await first.until((messages) => messages.length === 2 + 6);
    await first.barrier();
    await first.crash();
    for (const partition of [0, 1]) await write(broker, name, ["w"], partition);
    const second = new FeedDriver(make({ offset: "earliest" }));
    await second.until((messages) => messages.length === 2);
    assertEquals(offsetsOf(second), [6, 6]);
    await second.crash();
    await using third = new FeedDriver(make({ offset: { 1: 5 } }));
    await third.until((messages) => messages.length === 1 + 2);
    const starts = [0, 1].map((p) =>
      third.messages.find(({ partition }) => partition === p)!.offset
    );
    assertEquals(starts, [6, 5]);
  });

  test('starts at "latest" once: what came while it was away is read', async ({ broker, name, make }) => {
    await broker.ensure(name, { partitions: 1 });
    await write(broker, name, ["old"]);
    const first = new FeedDriver(make({ offset: "latest" }));
    await first.feed.ready!();
    await first.barrier();
    // No barrier found anything to commit but the start itself.
    const committed = async () => (await broker.committed(name, name)).get(0);
    while (await committed() === undefined) await new Promise((resolve) => setTimeout(resolve, 20));
    await first.crash();
    await write(broker, name, ["new"]);
    await using second = new FeedDriver(make({ offset: "latest" }));
    await second.until((messages) => messages.length === 1);
    assertEquals(second.messages[0]!.value, "new");
  });

  test("starts at a time", async ({ make }) => {
    const topic = make({ offset: { timestamp: 1_500 } });
    for (const timestamp of [1_000, 2_000, 3_000]) await topic.send({ value: "v", timestamp });
    await using driver = new FeedDriver(topic);
    await driver.until((messages) => messages.length === 2);
    assertEquals(offsetsOf(driver), [1, 2]);
  });

  test("pauses by the gate, keeps its membership, and resumes", async ({ broker, name, make }) => {
    await broker.ensure(name, { partitions: 1 });
    const statuses: BrokerStatus[] = [];
    const sessionTimeout = 1_000;
    const topic = make({ sessionTimeout, onStatus: (status) => void statuses.push(status) });
    await using driver = new FeedDriver(topic);
    await driver.feed.ready!();
    gateOf(topic).pause("test");
    await write(broker, name, ["a"]);
    // Longer than the session: only heartbeats keep the membership.
    await delay(systemClock, sessionTimeout * 1.5);
    assertEquals(driver.messages.length, 0);
    gateOf(topic).resume("test");
    await driver.until((messages) => messages.length === 1);
    assertEquals(statuses.map(({ type }) => type), ["assigned"]);
  });

  test("holds single partitions and goes on with the others", async ({ broker, name, make }) => {
    await broker.ensure(name, { partitions: 2 });
    for (const partition of [0, 1]) await write(broker, name, texts("v", 5), partition);
    const topic = make();
    gateOf(topic).pause("test", 0);
    await using driver = new FeedDriver(topic);
    await driver.until((messages) => messages.length === 5);
    assert(driver.messages.every(({ partition }) => partition === 1));
    gateOf(topic).resume("test", 0);
    await driver.until((messages) => messages.length === 10);
    assertEquals(driver.messages.slice(5).map(({ offset }) => offset), [0, 1, 2, 3, 4]);
  });

  test("guards hold a message back until it is admitted", async ({ broker, name, make }) => {
    await broker.ensure(name, { partitions: 2 });
    for (const partition of [0, 1]) await write(broker, name, texts("v", 3), partition);
    const topic = make();
    let most = 0;
    gateOf(topic).guard((message) => {
      const { partition, offset } = message as { partition: number; offset: number };
      return partition === 1 || offset < most;
    });
    await using driver = new FeedDriver(topic);
    await driver.until((messages) => messages.length === 3);
    most = 2;
    gateOf(topic).recheck();
    await driver.until((messages) => messages.length === 5);
    most = 3;
    gateOf(topic).recheck();
    await driver.until((messages) => messages.length === 6);
  });

  test("runs a barrier when partitions are taken, so that little is redone", async ({ broker, name, make }) => {
    await broker.ensure(name, { partitions: 2 });
    for (const partition of [0, 1]) await write(broker, name, texts("v", 30_000), partition);
    const held = Promise.withResolvers<void>();
    let handled = 0;
    await using first = new FeedDriver(make(), {
      handle: () => ++handled === 25_000 ? held.promise : undefined,
    });
    await first.until((messages) => messages.length === 25_000);
    await using second = new FeedDriver(make());
    await second.until((messages) => messages.length > 0);
    held.resolve();
    assert(first.barriers >= 1);
    const committed = await broker.committed(name, name);
    assertEquals([...committed.values()].reduce((a, b) => a + b, 0), 24_999);
  });

  testMessageContract(fixture);
}
