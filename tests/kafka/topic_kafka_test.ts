import { KafkaBroker } from "../../src/kafka/kafkajs/broker.ts";
import { brokers, kafkaTest } from "../_support/kafka.ts";
import { testTopicContract } from "../_support/topic_contract.ts";

testTopicContract({
  name: "KafkaBroker",
  test: kafkaTest,
  open: () => new KafkaBroker({ brokers }),
});
