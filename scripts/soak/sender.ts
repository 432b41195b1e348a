import "../../src/kafka/kafkajs/repairs.ts";
import kafkajs from "kafkajs";
import { messageOf } from "./messages.ts";

const BATCH = 2_000;

/** Sends the messages in order with another client than ours, and knows how many the broker has. */
export class Sender implements AsyncDisposable {
  readonly #topic: string;
  readonly #keys: number | undefined;
  readonly #producer: kafkajs.Producer;
  #sent = 0;

  private constructor(topic: string, producer: kafkajs.Producer, keys: number | undefined) {
    this.#topic = topic;
    this.#keys = keys;
    this.#producer = producer;
  }

  /** Connects; the messages have so many `keys`. */
  static async open(brokers: string[], topic: string, keys?: number): Promise<Sender> {
    const client = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING });
    const createPartitioner = kafkajs.Partitioners.DefaultPartitioner;
    const producer = client.producer({ idempotent: true, createPartitioner });
    await producer.connect();
    return new Sender(topic, producer, keys);
  }

  /** How many messages were sent and confirmed. */
  get sent(): number {
    return this.#sent;
  }

  /** Sends the next batch. */
  async send(count = BATCH): Promise<void> {
    const messages = Array.from({ length: count }, (_, i) => messageOf(this.#sent + i, this.#keys));
    await this.#producer.send({ topic: this.#topic, acks: -1, messages });
    this.#sent += count;
  }

  /** Disconnects. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#producer.disconnect();
  }
}
