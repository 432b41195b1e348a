/**
 * Uses a topic in one way, prints "ready", and closes it when it is told to by a line on its standard input:
 * then this process has to end by itself. `closing_program.ts <broker> <topic> <way>`; the topic has records.
 */
import { KafkaBroker } from "../../src/kafka/kafkajs/broker.ts";
import { Topic } from "../../src/kafka/topic/topic.ts";
import { GroupReader } from "./group_reader.ts";

const [address, name, way] = Deno.args as [string, string, string];
const brokers = [address];

/** Does what fails when the brokers are away. */
const fail = (error: Error) => console.error(`${way}: ${error.message}`);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function read(): Promise<[KafkaBroker, GroupReader]> {
  const broker = new KafkaBroker({ brokers });
  const reader = await GroupReader.join(broker, { topic: name, groupId: `${name}-${way}` });
  await reader.until(({ seen }) => seen.length > 0);
  return [broker, reader];
}

/** Each begins, and returns what ends it. */
const ways: Record<string, () => Promise<() => Promise<unknown>>> = {
  async iterate() {
    const topic = new Topic(name, { brokers, groupId: `${name}-${way}`, offset: "earliest" });
    const messages = topic[Symbol.asyncIterator]();
    await messages.next();
    return () => messages.return!().then(() => topic.close());
  },
  async member() {
    const [broker] = await read();
    return () => broker.close();
  },
  async commit() {
    const [broker, reader] = await read();
    return () => {
      const committing = reader.commit().catch(fail);
      return Promise.all([committing, broker.close()]);
    };
  },
  async send() {
    const topic = new Topic(name, { brokers, deliveryTimeout: 1_000 });
    await topic.send(["k", "v"]);
    return async () => {
      const sending = topic.send(["k", "w"]).catch(fail);
      await pause(0); // it is in a batch
      await Promise.all([sending, topic.close()]);
    };
  },
  async ask() {
    const topic = new Topic(name, { brokers, groupId: `${name}-${way}` });
    await topic.offsets();
    return () => {
      const asking = topic.offsets().catch(fail);
      return Promise.all([asking, topic.close()]);
    };
  },
  connect() {
    const topic = new Topic(name, { brokers });
    return Promise.resolve(async () => {
      const sending = topic.send(["k", "w"]).catch(fail);
      await pause(100); // it is connecting
      await Promise.all([sending, topic.close()]);
    });
  },
};

const close = await ways[way]!();
Deno.stdout.writeSync(new TextEncoder().encode("ready\n"));
await Deno.stdin.read(new Uint8Array(8));
await close();
