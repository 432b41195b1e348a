/** The part of the topic contract that is about the gate of a source. */
import { assert, assertEquals } from "@std/assert";
import { delay, systemClock } from "../../src/clock.ts";
import { gateOf } from "../../src/flow/source/gate.ts";
import type { BrokerStatus } from "../../src/kafka/client/status.ts";
import { FeedDriver } from "./feed_driver.ts";
import { texts, write } from "./records.ts";
import { testOn, type TopicFixture } from "./topic_fixture.ts";

/** Registers the tests of pauses and holds. */
export function testPauseContract(fixture: TopicFixture): void {
  const test = testOn(fixture);

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
    assertEquals(statuses.map(({ type }) => type), ["joining", "assigned"]);
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
}
