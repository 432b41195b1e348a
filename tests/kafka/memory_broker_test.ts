import { MemoryBroker } from "../../src/kafka/memory/broker.ts";
import { testBrokerContract } from "../_support/broker_contract.ts";
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
