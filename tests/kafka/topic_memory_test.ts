import { MemoryBroker } from "../../src/kafka/memory/broker.ts";
import { testTopicContract } from "../_support/topic_contract.ts";

testTopicContract({
  name: "MemoryBroker",
  test: (name, body) => Deno.test(name, body),
  open: () => new MemoryBroker(),
});
