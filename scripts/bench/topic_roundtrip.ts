/**
 * How long a message is on its way through a topic, for one a millisecond, beside kafkajs alone. In turns,
 * since both have the broker's own pauses in their longest: a collection of its heap, a busy machine.
 */
import { delay } from "@std/async/delay";
import { App } from "@slipstream/slipstream";
import type { Observation } from "./benchmark.ts";
import { median, quantile } from "./rounds.ts";
import { bareConsumer, bareProducer, emptyTopic, open, parse, value } from "./topic.ts";

const COUNT = 2_000;
const ROUNDS = 5;

/** A topic that is written and read; what it was opened with is called with the number of each message. */
interface Way extends AsyncDisposable {
  /** Sends the message of a number; resolves when it is confirmed. */
  send(i: number): Promise<unknown>;
}

type OpenWay = (arrived: (i: number) => void) => Promise<Way>;

const ours: OpenWay = async (arrived) => {
  const topic = open(await emptyTopic());
  const app = new App();
  const over = new AbortController();
  app.handle(topic, ({ value }) => arrived(value.i));
  const streaming = app.stream({ signal: over.signal });
  return {
    send: (i) => topic.send({ key: "k", value: value(i) }),
    async [Symbol.asyncDispose]() {
      over.abort();
      await streaming;
      await topic.close();
    },
  };
};

/** One send in flight; what comes meanwhile is sent together, as Topic does. */
const floor: OpenWay = async (arrived) => {
  const topic = await emptyTopic();
  const producer = bareProducer();
  const consumer = bareConsumer();
  await Promise.all([producer.connect(), consumer.connect()]);
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatch({ batch }) {
      for (const message of batch.messages) arrived(parse(message.value!).i);
      return Promise.resolve();
    },
  });
  let waiting: number[] = [];
  let sending: Promise<void> | undefined;
  const sendAll = async () => {
    while (waiting.length > 0) {
      const messages = waiting.map((i) => ({ key: "k", value: JSON.stringify(value(i)) }));
      waiting = [];
      await producer.send({ topic, acks: -1, messages });
    }
    sending = undefined;
  };
  return {
    send(i) {
      waiting.push(i);
      return sending ??= sendAll();
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([producer.disconnect(), consumer.disconnect()]);
    },
  };
};

/** Sends one message a millisecond, those that are overdue at once, and returns how long each took. */
async function round(openWay: OpenWay): Promise<number[]> {
  const sent: number[] = [];
  const took: number[] = [];
  const [joined, all] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  await using way = await openWay((i) => {
    if (i < 0) joined.resolve();
    else if (took.push(performance.now() - sent[i]!) === COUNT) all.resolve();
  });
  await way.send(-1);
  await joined.promise;
  const sending: Promise<unknown>[] = [];
  for (const started = performance.now(); sent.length < COUNT; await delay(1)) {
    const due = Math.min(COUNT, performance.now() - started);
    while (sent.length < due) sending.push(way.send(sent.push(performance.now()) - 1));
  }
  await Promise.all([...sending, all.promise]);
  return took;
}

/** Milliseconds from a send to its handling, and the same of bare kafkajs: medians of the rounds. */
export const roundtrip: Observation = {
  name: "topic/roundtrip",
  unit: "ms",
  async observe() {
    const rounds: Record<string, number>[] = [];
    for (let i = 0; i <= ROUNDS; i++) {
      const [mine, bare] = [await round(ours), await round(floor)];
      if (i === 0) continue; // warm-up, of the broker too
      rounds.push({
        "p50": quantile(mine, 0.5),
        "p99": quantile(mine, 0.99),
        "floor p50": quantile(bare, 0.5),
        "floor p99": quantile(bare, 0.99),
      });
    }
    const names = Object.keys(rounds[0]!);
    return Object.fromEntries(
      names.map((name) => [name, median(rounds.map((figures) => figures[name]!))]),
    );
  },
};
