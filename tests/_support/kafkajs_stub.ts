import type { Consumer, Kafka, Producer, ProducerRecord as Sent } from "kafkajs";
import type { Client } from "../../src/kafka/kafkajs/client.ts";
import { Lifeline } from "../../src/kafka/kafkajs/client_lifetime.ts";

/** What a stub of kafkajs does instead of asking brokers. */
export interface StubOptions {
  /** Connects a client. */
  readonly connect?: () => Promise<void>;
  /** Sends a batch; by default it is stored. */
  readonly send?: (sent: Sent) => Promise<void>;
}

/** A kafkajs whose clients reach nobody, and note what they are told to do. */
export class KafkajsStub {
  readonly calls: string[] = [];
  readonly batches: Sent[] = [];
  readonly client: Client;
  /** Resolves when a client was disconnected. */
  readonly disconnected: Promise<void>;
  #next = 0;

  constructor({ connect = () => Promise.resolve(), send = () => Promise.resolve() }: StubOptions) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.disconnected = promise;
    const note = (call: string) => {
      this.calls.push(call);
      return Promise.resolve();
    };
    const both = {
      async connect() {
        await note("connect");
        await connect();
      },
      disconnect: () => note("disconnect").then(resolve),
    };
    const consumer = {
      ...both,
      events: {},
      on: () => () => {},
      subscribe: () => note("subscribe"),
      run: () => note("run"),
      stop: () => note("stop"),
    };
    const producer = {
      ...both,
      send: async (sent: Sent) => {
        await note("send");
        await send(sent);
        this.batches.push(sent);
        const baseOffset = String(this.#next);
        this.#next += sent.messages.length;
        const partitions = new Set(sent.messages.map(({ partition = 0 }) => partition));
        return [...partitions].map((partition) => ({
          topicName: sent.topic,
          partition,
          baseOffset,
          errorCode: 0,
        }));
      },
    };
    const kafka = {
      consumer: () => consumer as unknown as Consumer,
      producer: () => producer as unknown as Producer,
    } as unknown as Kafka;
    this.client = { kafka, lifeline: new Lifeline() };
  }
}
