/** The part of the topic contract that is about the first start of a group, and about giving partitions up. */
import { assertEquals, assertRejects } from "@std/assert";
import { App } from "../../mod.ts";
import { delay, systemClock } from "../../src/clock.ts";
import { alteredBroker } from "./altered_broker.ts";
import type { Membership, Positions } from "../../src/kafka/client/broker.ts";
import { FeedDriver } from "./feed_driver.ts";
import { texts, write } from "./records.ts";
import { RARELY, untilStopped } from "./topic_app.ts";
import { testOn, type TopicFixture } from "./topic_fixture.ts";

/** Registers the tests of starts and hand-overs. */
export function testStartContract(fixture: TopicFixture): void {
  const test = testOn(fixture);

  test('starts at "latest" as one group: members that join together reread nothing', async ({ broker, name, make }) => {
    await broker.ensure(name, { partitions: 4 });
    for (const partition of [0, 1, 2, 3]) await write(broker, name, ["old"], partition);
    let asked = 0;
    const second = alteredBroker(broker, { committed: (look) => (asked++, look()) });
    const first = alteredBroker(broker, {
      // It is told what is committed only after the other has begun, or has begun to wait.
      async committed(look) {
        while (asked < 2 && (await look()).size === 0) await delay(systemClock, 10);
        return await look();
      },
    });
    await using a = new FeedDriver(make({ offset: "latest", broker: first }));
    await using b = new FeedDriver(make({ offset: "latest", broker: second }));
    await Promise.all([a.feed.ready!(), b.feed.ready!()]);
    assertEquals([...await broker.committed(name, name)], [[0, 1], [1, 1], [2, 1], [3, 1]]);
    for (const partition of [0, 1, 2, 3]) await write(broker, name, ["new"], partition);
    await Promise.all([a, b].map((driver) => driver.until((messages) => messages.length === 2)));
    for (const { messages } of [a, b]) {
      assertEquals(messages.map(({ value, offset }) => [value, offset]), [["new", 1], ["new", 1]]);
    }
  });

  test('hands nothing out before "latest" is committed; another member decides when that fails', async ({ broker, name, make }) => {
    await broker.ensure(name, { partitions: 2 });
    for (const partition of [0, 1]) await write(broker, name, ["old"], partition);
    const asked = Promise.withResolvers<void>();
    const held = alteredBroker(broker, {
      commit: () => {
        asked.resolve();
        return new Promise(() => {}); // the process is gone before the answer
      },
    });
    const first = new FeedDriver(make({ offset: "latest", broker: held }));
    await asked.promise;
    for (const partition of [0, 1]) await write(broker, name, ["meanwhile"], partition);
    await using second = new FeedDriver(make({ offset: "latest" }));
    await first.crash();
    await second.feed.ready!();
    assertEquals([...await broker.committed(name, name)], [[0, 2], [1, 2]]);
    for (const partition of [0, 1]) await write(broker, name, ["new"], partition);
    await second.until((messages) => messages.length === 2);
    assertEquals([...first.messages, ...second.messages].map(({ value }) => value), ["new", "new"]);
  });

  test('starts partitions that came after "latest" at their beginning', async ({ broker, name, make, grow }) => {
    await broker.ensure(name, { partitions: 2 });
    for (const partition of [0, 1]) await write(broker, name, ["old"], partition);
    const first = new FeedDriver(make({ offset: "latest" }));
    await first.feed.ready!();
    await first.crash();
    await grow(name, 3);
    await write(broker, name, ["early"], 2);
    await using second = new FeedDriver(make({ offset: "latest" }));
    await second.until((messages) => messages.length === 1);
    assertEquals([second.messages[0]!.partition, second.messages[0]!.value], [2, "early"]);
  });

  test("refuses explicit offsets of partitions that the topic does not have", async ({ broker, name, make }) => {
    await broker.ensure(name, { partitions: 3 });
    const reading = make({ offset: { 7: 12 } })[Symbol.asyncIterator]();
    await assertRejects(() => reading.next(), Error, "at partition 7 as it has 3 partitions");
    const sought = make();
    await sought.seek({ 3: 0 });
    await assertRejects(
      () => sought[Symbol.asyncIterator]().next(),
      Error,
      "at partition 3 as it has 3 partitions",
    );
  });

  for (const flushes of [false, true]) {
    const what = flushes ? "nothing" : "what is acknowledged";
    const sink = flushes ? "keeps values until its flush" : "has nothing to flush";
    test(`commits ${what} when its partitions are taken at once and a sink ${sink}`, async ({ broker, name, make }) => {
      await broker.ensure(name, { partitions: 1 });
      await write(broker, name, texts("v", 4));
      let member: Membership | undefined;
      const answers: string[] = [];
      const watched = alteredBroker(broker, {
        joined: (joined) => member = joined,
        async commit(_, commit) {
          const answer = await commit();
          answers.push(answer);
          return answer;
        },
      });
      const { signal, stop } = untilStopped();
      const taken = Promise.withResolvers<void>();
      const app = new App({ commit: RARELY });
      const note = ({ offset }: { offset: number }) => {
        if (offset === 3) setTimeout(taken.resolve); // when it is acknowledged
      };
      app.handle(make({ broker: watched }), (message) => message, {
        sink: flushes ? { write: note, flush: () => {} } : note,
      });
      const streaming = app.stream({ signal });
      await taken.promise;
      await member!.leave();
      stop();
      await streaming;
      assertEquals(answers, flushes ? [] : ["committed"]);
      assertEquals((await broker.committed(name, name)).get(0), flushes ? undefined : 4);
    });
  }

  test("commits what was flushed, and no more, when its partitions are taken at once", async ({ broker, name, make }) => {
    await broker.ensure(name, { partitions: 1 });
    await write(broker, name, texts("v", 4));
    let member: Membership | undefined;
    const refused = Promise.withResolvers<"fenced">();
    const commits: Positions[] = [];
    const answered = Promise.withResolvers<string>();
    const flaky = alteredBroker(broker, {
      joined: (joined) => member = joined,
      commit(positions, commit) {
        // The first one waits to be tried again, as while the coordinator moves.
        if (commits.push(positions) === 1) return refused.promise;
        const answer = commit();
        answer.then(answered.resolve);
        return answer;
      },
    });
    await using driver = new FeedDriver(make({ broker: flaky }));
    await driver.until((messages) => messages.length === 4);
    await driver.until(() => driver.feed.lag!() === 0);
    driver.commit();
    await write(broker, name, ["later"]);
    await driver.until((messages) => messages.length === 5);
    void member!.leave();
    assertEquals(commits.map((positions) => [...positions]), [[[0, 4]], [[0, 4]]]);
    assertEquals(await answered.promise, "committed");
    assertEquals([...await broker.committed(name, name)], [[0, 4]]);
    refused.resolve("fenced");
  });
}
