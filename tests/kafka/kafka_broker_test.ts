import kafkajs from "kafkajs";
import { KafkaBroker } from "../../src/kafka/kafkajs/broker.ts";
import { testBrokerContract } from "../_support/broker_contract.ts";
import { abort, brokers, kafkaTest } from "../_support/kafka.ts";

const { Kafka, logLevel } = kafkajs;

function client() {
  return new Kafka({ brokers, logLevel: logLevel.NOTHING });
}

testBrokerContract({
  name: "KafkaBroker",
  test: kafkaTest,
  open: () => new KafkaBroker({ brokers, metadataMaxAge: 500 }),
  async grow(_, topic, count) {
    const admin = client().admin();
    await admin.connect();
    await admin.createPartitions({ topicPartitions: [{ topic, count }] });
    await admin.disconnect();
  },
  async createWithHoles(broker, topic) {
    await broker.ensure(topic, { partitions: 1 });
    const producer = client().producer({ transactionalId: topic, maxInFlightRequests: 1 });
    await producer.connect();
    // The mark of each transaction takes an offset.
    for (const value of ["a", "b"]) {
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: [{ value }] });
      await transaction.commit();
    }
    await producer.disconnect();
  },
  skip: (_, topic) => abort(topic),
});
