/** The status `joining`: a member says what it waits for, as long as it has no partitions. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { MemoryBroker } from "../../src/kafka/memory/mod.ts";
import { type BrokerStatus, Topic } from "../../src/kafka/mod.ts";
import { ManualClock, settle } from "../../src/testing/mod.ts";
import { alteredBroker } from "../_support/altered_broker.ts";
import { FeedDriver } from "../_support/feed_driver.ts";
import { brokers, foreignClient, forget, kafkaTest, unique } from "../_support/kafka.ts";
import { QUICK } from "../_support/topic_fixture.ts";

async function rest(): Promise<void> {
  for (let turn = 0; turn < 30; turn++) await settle();
}

Deno.test("A Topic tells that it joins its group, and what it waits for when that takes long", async () => {
  await using memory = new MemoryBroker();
  await memory.ensure("in", {});
  const connected = Promise.withResolvers<void>();
  const found = Promise.withResolvers<void>();
  const broker = alteredBroker(memory, {
    join: (join) => connected.promise.then(join),
    committed: (look) => found.promise.then(look),
  });
  const statuses: BrokerStatus[] = [];
  const onStatus = (status: BrokerStatus) => void statuses.push(status);
  await using topic = new Topic("in", { broker, groupId: "g", offset: "earliest", onStatus });
  const clock = new ManualClock();
  await using driver = new FeedDriver(topic, { clock });
  const told = () =>
    statuses.splice(0).map((status) =>
      status.type === "joining" ? [status.waitedMs, status.waitsFor.slice(0, 17)] : status.type
    );
  await rest();
  assertEquals(told(), [[0, "a connection to t"]]);
  await clock.tick(13_000);
  assertEquals(told(), [[3_000, "the other members"], [6_000, "the other members"], [
    12_000,
    "the other members",
  ]]);
  connected.resolve();
  await rest();
  await clock.tick(11_000);
  assertEquals(told(), [[24_000, "where its partiti"]]);
  found.resolve();
  await driver.feed.ready!();
  await rest();
  assertEquals(told(), ["assigned"]);
  await clock.tick(100_000);
  assertEquals(told(), []);
  await driver.crash();
  assertEquals(clock.pending, 0);
});

Deno.test("A Topic that cannot join, and one that ends while it joins, keep no timer", async () => {
  const over = Promise.withResolvers<never>();
  over.promise.catch(() => {});
  const hanging = () => over.promise;
  for (const join of [() => Promise.reject(new Error("no")), hanging]) {
    await using memory = new MemoryBroker();
    await memory.ensure("in", {});
    const broker = alteredBroker(memory, { join });
    const clock = new ManualClock();
    await using topic = new Topic("in", { broker, groupId: "g", offset: "earliest" });
    const driver = new FeedDriver(topic, { clock });
    await rest();
    const crashed = driver.crash();
    await rest();
    assertEquals(clock.pending, 0);
    if (join === hanging) over.reject(new Error("aborted"));
    await crashed;
  }
});

kafkaTest(
  "A Topic whose group has a member that hangs tells how long it may wait for it",
  async () => {
    const [name, groupId] = [unique("joining"), unique("group")];
    const statuses: BrokerStatus[] = [];
    const onStatus = (status: BrokerStatus) => void statuses.push(status);
    const options = { ...QUICK, brokers, groupId };
    await using topic = new Topic(name, { ...options, onStatus });
    await topic.ensure();
    await topic.send({ value: "a" });
    const hanging = foreignClient().consumer({ groupId, sessionTimeout: 6_000 });
    await hanging.connect();
    await hanging.subscribe({ topic: name, fromBeginning: true });
    const hangs = Promise.withResolvers<void>();
    const over = Promise.withResolvers<void>();
    await hanging.run({
      eachMessage: async () => {
        hangs.resolve(); // it sends no heartbeat any more
        await over.promise;
      },
    });
    await hangs.promise;
    {
      await using driver = new FeedDriver(topic);
      await driver.until((messages) => messages.length === 1);
    }
    over.resolve();
    await hanging.disconnect();
    await topic.close();
    await forget([name], [groupId]);
    const types = statuses.map(({ type }) => type);
    assertEquals([types[0], ...types.slice(-2)], ["joining", "assigned", "revoked"]);
    const long = statuses.find((each) => each.type === "joining" && each.waitedMs > 0);
    assert(long?.type === "joining");
    assertStringIncludes(
      long.waitsFor,
      "a member that was killed counts until its session times out, 6 s (sessionTimeout)",
    );
  },
);
