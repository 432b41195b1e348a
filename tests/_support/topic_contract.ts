/** What a Topic does, on every broker. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { App } from "../../mod.ts";
import { KafkaError } from "../../src/kafka/client/errors.ts";
import { FeedDriver } from "./feed_driver.ts";
import { testMessageContract } from "./message_contract.ts";
import { testPauseContract } from "./pause_contract.ts";
import { until } from "./processes.ts";
import { testPositionContract } from "./position_contract.ts";
import { texts, write } from "./records.ts";
import { testStartContract } from "./start_contract.ts";
import { testOn, type TopicFixture } from "./topic_fixture.ts";

/** Registers the tests of Topic on one kind of broker. */
export function testTopicContract(fixture: TopicFixture): void {
  const test = testOn(fixture);

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
    await assertRejects(() => topic[Symbol.asyncIterator]().next(), TypeError, "twice at once");
    await driver.feed.ready!();
  });

  test("commits the messages that are done in the order of handing out", async ({ broker, name, make }) => {
    await broker.ensure(name, { partitions: 1 });
    await write(broker, name, texts("v", 5));
    await using driver = new FeedDriver(make(), {
      handle: ({ offset }) => offset === 1 || offset === 3 ? false : true,
    });
    await driver.until((messages) => messages.length === 5);
    await driver.commit();
    assertEquals([...await broker.committed(name, name)], [[0, 1]]);
    driver.kept[0]!.release();
    await driver.commit();
    assertEquals([...await broker.committed(name, name)], [[0, 3]]);
    driver.kept[1]!.release();
    await driver.commit();
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
    await first.commit();
    const committed = (await broker.committed(name, name)).get(0)!;
    await first.crash();
    await using second = new FeedDriver(make());
    await second.until((messages) => messages.length === 4 - committed);
    assertEquals(second.offsets[0], committed);
  });

  test("passes over offsets without visible records: nothing is left to be read", async ({ broker, name, make, skip }) => {
    await broker.ensure(name, { partitions: 1 });
    await write(broker, name, ["a"]);
    await skip();
    const topic = make();
    await using driver = new FeedDriver(topic, { handle: ({ offset }) => offset > 0 });
    const caughtUp = () => [...driver.feed.parts!()].every((part) => part.caughtUp);
    await until(() => driver.messages.length === 1 && caughtUp());
    assertEquals(driver.feed.lag!(), 4);
    await driver.commit(); // what comes before them is not done
    assertEquals((await broker.committed(name, name)).get(0) ?? 0, 0);
    driver.kept[0]!.release();
    assertEquals(driver.feed.lag!(), 0);
    await driver.commit();
    assertEquals([...await topic.lag()], [[0, 0]]);
    const { moves } = driver;
    await skip(); // live, and nothing is open
    await until(() => driver.moves > moves && caughtUp() && driver.feed.lag!() === 0);
    await driver.commit();
    assertEquals([...await broker.committed(name, name)], [[0, 7]]);
    await write(broker, name, ["b"]);
    await driver.until((messages) => messages.length === 2);
    assertEquals(driver.offsets, [0, 7]);
  });

  test("commits past offsets without visible records in a stream without a message", async ({ broker, name, make, skip }) => {
    await broker.ensure(name, { partitions: 1 });
    await skip();
    const topic = make();
    const stop = new AbortController();
    const lags: number[] = [];
    const app = new App({
      commit: { interval: 20 },
      onStatus: (status) => void (status.type === "progress" && lags.push(status.lag ?? -1)),
    });
    app.handle(topic, () => {});
    const streaming = app.stream({ signal: stop.signal });
    await until(async () => (await broker.committed(name, name)).get(0) === 3);
    stop.abort();
    await streaming;
    assertEquals([lags.at(-1), [...await topic.lag()]], [0, [[0, 0]]]);
  });

  test("runs a commit when partitions are taken, so that little is redone", async ({ broker, name, make }) => {
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
    assert(first.commits >= 1);
    const committed = await broker.committed(name, name);
    assertEquals([...committed.values()].reduce((a, b) => a + b, 0), 24_999);
  });

  testPositionContract(fixture);
  testStartContract(fixture);
  testPauseContract(fixture);
  testMessageContract(fixture);
}
