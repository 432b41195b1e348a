import { assert } from "@std/assert";
import { MemoryBroker } from "../../src/kafka/memory/broker.ts";
import { testBrokerContract } from "../_support/broker_contract.ts";
import { GroupReader } from "../_support/group_reader.ts";
import { openProducer, record } from "../_support/records.ts";

testBrokerContract({
  name: "MemoryBroker",
  test: (name, body) => Deno.test(name, body),
  open: () => new MemoryBroker(),
  grow: (broker, topic, partitions) => (broker as MemoryBroker).grow(topic, partitions),
  async createWithHoles(broker, topic) {
    await broker.ensure(topic, { partitions: 1 });
    const producer = await openProducer(broker, topic);
    for (const [key, value] of ["xa", "yb", "yb"] as Iterable<string>) {
      await producer.send(record(key!, value!));
    }
    (broker as MemoryBroker).compact(topic);
  },
  skip: (broker, topic) => Promise.resolve((broker as MemoryBroker).skip(topic, 3)),
});

Deno.test("MemoryBroker gives partitions to its members while others join in every moment", async () => {
  await using broker = new MemoryBroker();
  await broker.ensure("in", { partitions: 200 });
  const options = { topic: "in", groupId: "g" };
  const first = await GroupReader.join(broker, options);
  for (let n = 0; n < 100; n++) {
    void GroupReader.join(broker, options);
    await Promise.resolve();
  }
  assert(first.assignments.length > 2);
  await first.until(({ assignment }) => assignment?.partitions.length === 2);
});
