/** The part of the topic contract that is about where reading starts, and where it is moved to. */
import { assertEquals, assertRejects } from "@std/assert";
import { gateOf } from "../../src/flow/source/gate.ts";
import { FeedDriver } from "./feed_driver.ts";
import { texts, write } from "./records.ts";
import { testOn, type TopicFixture } from "./topic_fixture.ts";

/** Registers the tests of positions. */
export function testPositionContract(fixture: TopicFixture): void {
  const test = testOn(fixture);

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
    assertEquals(driver.offsets, [0, 1, 2, 3, 7, 8, 9]);
  });

  test("seek() is committed by the next commit, so that a crash does not forget it", async ({ broker, name, make }) => {
    await broker.ensure(name, { partitions: 1 });
    await write(broker, name, texts("v", 10));
    const topic = make();
    const first = new FeedDriver(topic);
    await first.until((messages) => messages.length === 10);
    await first.commit();
    gateOf(topic).pause("test");
    await topic.seek({ 0: 4 });
    await first.commit();
    assertEquals([...await broker.committed(name, name)], [[0, 4]]);
    await first.crash();
    await using second = new FeedDriver(make());
    await second.until((messages) => messages.length === 6);
    assertEquals(second.offsets[0], 4);
  });

  test("seek() ignores acknowledgements of what came before it", async ({ broker, name, make }) => {
    await broker.ensure(name, { partitions: 1 });
    await write(broker, name, texts("v", 10));
    const topic = make();
    await using driver = new FeedDriver(topic, { handle: () => false });
    await driver.until((messages) => messages.length === 10);
    await topic.seek({ 0: 2 });
    for (const receipt of driver.kept) receipt.release();
    await driver.commit();
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
    assertEquals(driver.offsets.slice(0, 4), [8, 9, 0, 1]);
  });

  test("explicit offsets count the first time that a topic is read, and not again", async ({ broker, name, make }) => {
    await broker.ensure(name, { partitions: 1 });
    await write(broker, name, texts("v", 5));
    const topic = make({ offset: { 0: 2 } });
    const seen: number[] = [];
    for (let round = 0; round < 2; round++) {
      for await (const { offset } of topic) {
        seen.push(offset);
        if (seen.length === (round + 1) * 2) break;
      }
    }
    assertEquals(seen, [2, 3, 3, 4]); // the last message before a break is not acknowledged
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
    assertEquals(driver.offsets, [0, 1, 2, 3]);
  });

  test("seek() to a time", async ({ make }) => {
    const topic = make();
    for (const timestamp of [1_000, 2_000, 3_000]) await topic.send({ value: "v", timestamp });
    await topic.seek({ timestamp: 1_500 });
    await using driver = new FeedDriver(topic);
    await driver.until((messages) => messages.length === 2);
    assertEquals(driver.offsets, [1, 2]);
  });

  test("starts at the commit before the option, and at explicit offsets before the commit", async ({ broker, name, make }) => {
    await broker.ensure(name, { partitions: 2 });
    for (const partition of [0, 1]) await write(broker, name, texts("v", 6), partition);
    const first = new FeedDriver(make({ offset: { 0: 4 } }));
    await first.until((messages) => messages.length === 2 + 6);
    await first.commit();
    await first.crash();
    for (const partition of [0, 1]) await write(broker, name, ["w"], partition);
    const second = new FeedDriver(make({ offset: "earliest" }));
    await second.until((messages) => messages.length === 2);
    assertEquals(second.offsets, [6, 6]);
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
    // The start itself: nobody had committed, and a crash would begin at another end.
    assertEquals([...await broker.committed(name, name)], [[0, 1]]);
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
    assertEquals(driver.offsets, [1, 2]);
  });
}
