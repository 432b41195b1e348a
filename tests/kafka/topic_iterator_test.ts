import { assertEquals, assertRejects } from "@std/assert";
import { openFeed, openStores } from "../../src/flow/source/feed.ts";
import { gateOf } from "../../src/flow/source/gate.ts";
import { Topic } from "../../src/kafka/mod.ts";
import { MemoryBroker } from "../../src/kafka/memory/mod.ts";
import { iterate } from "../../src/kafka/topic/topic_iterator.ts";
import { ManualClock, settle } from "../../src/testing/mod.ts";
import { alteredBroker } from "../_support/altered_broker.ts";
import { GroupReader } from "../_support/group_reader.ts";

/** Three messages in a topic of one partition. */
async function threeMessages(broker: MemoryBroker): Promise<Topic> {
  const topic = new Topic("in", { broker, groupId: "g", offset: "earliest" });
  for (const value of ["a", "b", "c"]) await topic.send({ value });
  return topic;
}

const committed = async (broker: MemoryBroker) => (await broker.committed("g", "in")).get(0) ?? 0;

Deno.test("iterating a Topic commits only after the open stores are flushed", async () => {
  await using broker = new MemoryBroker();
  await using topic = await threeMessages(broker);
  const before: unknown[] = [];
  const driven: unknown[] = [];
  const stores = [
    { flush: async () => void before.push(await committed(broker)) },
    { driven: true, flush: () => Promise.resolve(void driven.push("flushed")) },
  ];
  for (const store of stores) openStores.add(store);
  try {
    for await (const { value } of topic) if (value === "c") break;
  } finally {
    for (const store of stores) openStores.delete(store);
  }
  assertEquals([before, driven, await committed(broker)], [[0], [], 2]);
});

Deno.test("iterating a Topic commits nothing, and fails, when a store cannot be flushed", async () => {
  await using broker = new MemoryBroker();
  await using topic = await threeMessages(broker);
  const full = { flush: () => Promise.reject(new Error("disk full")) };
  openStores.add(full);
  try {
    await assertRejects(
      async () => {
        for await (const { value } of topic) if (value === "c") break;
      },
      Error,
      "disk full",
    );
  } finally {
    openStores.delete(full);
  }
  assertEquals(await committed(broker), 0);
});

Deno.test("iterating a Topic commits all that is done before its partitions are taken, beside a commit under way", async () => {
  const clock = new ManualClock();
  await using memory = new MemoryBroker({ clock });
  const begun = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const broker = alteredBroker(memory, {
    async commit(_, commit) {
      begun.resolve();
      await go.promise;
      return await commit();
    },
  });
  await using topic = new Topic("in", { broker, groupId: "g", offset: "earliest" });
  for (const value of ["a", "b", "c"]) await topic.send({ value });
  const gate = gateOf(topic);
  const messages = iterate((host) => topic[openFeed](host, gate), gate, clock);
  for (let n = 0; n < 2; n++) await messages.next();
  await clock.tick(1_000);
  await begun.promise; // of the first message alone
  await messages.next();
  const other = await GroupReader.join(memory, { topic: "in", groupId: "g" });
  for (let n = 0; n < 10; n++) await settle();
  go.resolve();
  for (let n = 0; n < 10; n++) await settle();
  assertEquals(await committed(memory), 2);
  await messages.return();
  await other[Symbol.asyncDispose]();
});
