/** The status `joining`: a member tells what it waits for, as long as it has no partitions. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { MemoryBroker } from "../../src/kafka/memory/mod.ts";
import { type BrokerStatus, Topic } from "../../src/kafka/mod.ts";
import { ManualClock, settle } from "../../src/testing/mod.ts";
import { alteredBroker } from "../_support/altered_broker.ts";
import { GroupReader } from "../_support/group_reader.ts";
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
  const given = Promise.withResolvers<void>();
  const found = Promise.withResolvers<void>();
  const broker = alteredBroker(memory, {
    join: (join) => connected.promise.then(join),
    committed: (look) => found.promise.then(look),
  });
  const statuses: BrokerStatus[] = [];
  const onStatus = (status: BrokerStatus) => void statuses.push(status);
  await using topic = new Topic("in", { broker, groupId: "g", offset: "earliest", onStatus });
  const other = { topic: "in", groupId: "g", revoking: () => given.promise };
  await using slow = await GroupReader.join(memory, other);
  await slow.until(({ assignment }) => assignment !== undefined);
  const clock = new ManualClock();
  await using driver = new FeedDriver(topic, { clock });
  const told = () =>
    statuses.splice(0).map((status) =>
      status.type === "joining" ? [status.waitedMs, status.waitsFor.slice(0, 17)] : status.type
    );
  await rest();
  assertEquals(told(), [[0, "a connection to t"]]);
  await clock.tick(7_000);
  assertEquals(told(), [[3_000, "a connection to t"], [6_000, "a connection to t"]]);
  connected.resolve();
  await rest();
  await clock.tick(6_000);
  assertEquals(told(), [[12_000, "the other members"]]);
  given.resolve();
  await rest();
  await clock.tick(11_000);
  assertEquals(told(), [[24_000, "the start positio"]]);
  found.resolve();
  await driver.feed.ready!();
  await rest();
  assertEquals(told(), ["assigned"]);
  await clock.tick(100_000);
  assertEquals(told(), []);
  await driver.crash();
  assertEquals(clock.pending, 0);
});

Deno.test("A Topic whose state is exact tells for whom it waits, and since when, until it has joined", async () => {
  const clock = new ManualClock();
  await using memory = new MemoryBroker({ clock });
  await memory.ensure("in", {});
  const reader = await GroupReader.join(memory, { topic: "in", groupId: "g" });
  const connected = Promise.withResolvers<void>();
  const broker = alteredBroker(memory, { join: (join) => connected.promise.then(join) });
  const told: [number, string][] = [];
  const onStatus = (status: BrokerStatus) => {
    if (status.type === "joining") told.push([status.waitedMs, status.waitsFor]);
  };
  await using topic = new Topic("in", {
    broker,
    groupId: "g",
    offset: "earliest",
    sessionTimeout: 20_000,
    onStatus,
  });
  await using driver = new FeedDriver(topic, { clock });
  driver.feed.resumeBy!({ start: (_, own) => own, began: () => {}, unknownTo: () => undefined });
  await rest();
  await clock.tick(2_000);
  connected.resolve();
  await rest();
  await clock.tick(5_000);
  const others = 'another member of group "g" (one of this process) to leave; a member that was ' +
    "killed counts until its session times out, 20 s (sessionTimeout)";
  assertEquals(told, [
    [0, "a connection to the brokers"],
    [2_000, others],
    [3_000, others],
    [6_000, others],
  ]);
  await reader[Symbol.asyncDispose]();
  await clock.tick(200);
  await driver.feed.ready!();
  await clock.tick(100_000);
  assertEquals(told.length, 4);
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
