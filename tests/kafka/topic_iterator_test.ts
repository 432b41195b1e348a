import { assertEquals, assertRejects } from "@std/assert";
import { openStores } from "../../src/flow/feed.ts";
import { Topic } from "../../src/kafka/mod.ts";
import { MemoryBroker } from "../../src/kafka/memory/mod.ts";

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
