/**
 * How long a message is on its way at 1,000 a second from one topic to another, by Topic with a count in a Cache with
 * exact state, by kafkajs with nothing between, and by kafkajs with the count in `node:sqlite`. The same driver, on
 * kafkajs, sends and receives for all three, in turns.
 */
import { App, Cache } from "@slipstream/slipstream";
import { delay } from "@std/async/delay";
import { DatabaseSync } from "node:sqlite";
import type { Observation } from "./benchmark.ts";
import { median, quantile } from "./rounds.ts";
import { bareConsumer, bareProducer, emptyTopic, open, parse, value } from "./topic.ts";

const PER_SECOND = 1_000;
const SECONDS = 20;
const ROUNDS = 3;

/** Passes what comes in one topic on to another, until it is disposed of. */
type Way = (source: string, sink: string) => Promise<AsyncDisposable>;

const ours: Way = async (from, to) => {
  const folder = await Deno.makeTempDir();
  const counts = await Cache.open<number>(`${folder}/counts`, { maxBytes: Infinity });
  const [source, sink] = [open(from), open(to)];
  const app = new App();
  app.handle(source, async ({ key, value }) => {
    await counts.set(key!, await counts.get(key!, 0) + 1);
    return [key, value] as const;
  }, { name: "count", sink, state: counts });
  const over = new AbortController();
  const streaming = app.stream({ signal: over.signal });
  return {
    async [Symbol.asyncDispose]() {
      over.abort();
      await streaming;
      for (const opened of [source, sink, counts]) await opened.close();
      await Deno.remove(folder, { recursive: true });
    },
  };
};

/** kafkajs alone: a batch is sent, and `count` called with its keys, before the next one. */
function bare(
  open: () => Promise<{ count: (key: string) => void; commit: () => void } & AsyncDisposable>,
): Way {
  return async (from, to) => {
    const state = await open();
    const producer = bareProducer();
    const consumer = bareConsumer();
    await Promise.all([producer.connect(), consumer.connect()]);
    await consumer.subscribe({ topic: from, fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      async eachBatch({ batch: { messages } }) {
        for (const { key } of messages) state.count(key!.toString());
        state.commit();
        await producer.send({
          topic: to,
          acks: -1,
          messages: messages.map(({ key, value }) => ({ key, value })),
        });
      },
    });
    return {
      async [Symbol.asyncDispose]() {
        await Promise.all([producer.disconnect(), consumer.disconnect()]);
        await state[Symbol.asyncDispose]();
      },
    };
  };
}

const floor = bare(() =>
  Promise.resolve({ count() {}, commit() {}, [Symbol.asyncDispose]: () => Promise.resolve() })
);

const sqlite = bare(async () => {
  const folder = await Deno.makeTempDir();
  const db = new DatabaseSync(`${folder}/counts.db`);
  db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
  db.exec("CREATE TABLE counts (key TEXT PRIMARY KEY, n INTEGER) WITHOUT ROWID");
  const add = db.prepare(
    "INSERT INTO counts VALUES (?, 1) ON CONFLICT (key) DO UPDATE SET n = n + 1",
  );
  let began = false;
  return {
    count(key) {
      if (!began) db.exec("BEGIN");
      began = true;
      add.run(key);
    },
    commit() {
      if (began) db.exec("COMMIT");
      began = false;
    },
    async [Symbol.asyncDispose]() {
      db.close();
      await Deno.remove(folder, { recursive: true });
    },
  };
});

/** Sends at a steady rate through one way, and returns how many milliseconds each message took. */
async function round(openWay: Way): Promise<number[]> {
  const [from, to] = [await emptyTopic(), await emptyTopic()];
  const producer = bareProducer();
  const consumer = bareConsumer();
  await Promise.all([producer.connect(), consumer.connect()]);
  await using _way = await openWay(from, to);
  const sent: number[] = [];
  const took: number[] = [];
  const [joined, all] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  await consumer.subscribe({ topic: to, fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatch({ batch }) {
      for (const message of batch.messages) {
        const { i } = parse(message.value!);
        if (i < 0) joined.resolve();
        else if (took.push(performance.now() - sent[i]!) === SECONDS * PER_SECOND) all.resolve();
      }
      return Promise.resolve();
    },
  });
  const send = (numbers: readonly number[]) =>
    producer.send({
      topic: from,
      acks: -1,
      messages: numbers.map((i) => ({ key: String(i), value: JSON.stringify(value(i)) })),
    });
  await send([-1]);
  await joined.promise;
  for (const started = performance.now(); sent.length < SECONDS * PER_SECOND; await delay(1)) {
    const due = (performance.now() - started) * PER_SECOND / 1_000;
    const numbers: number[] = [];
    while (sent.length < Math.min(due, SECONDS * PER_SECOND)) {
      numbers.push(sent.push(performance.now()) - 1);
    }
    if (numbers.length > 0) await send(numbers);
  }
  await all.promise;
  await Promise.all([producer.disconnect(), consumer.disconnect()]);
  return took;
}

/** Milliseconds from a send to its arrival: medians of the rounds. */
export const latency: Observation = {
  name: "topic/latency",
  unit: "ms",
  async observe() {
    const ways = { "": ours, "floor ": floor, "sqlite ": sqlite };
    const rounds: Record<string, number>[] = [];
    for (let i = 0; i < ROUNDS; i++) {
      const figures: Record<string, number> = {};
      for (const [name, way] of Object.entries(ways)) {
        const took = await round(way);
        figures[`${name}p50`] = quantile(took, 0.5);
        figures[`${name}p99`] = quantile(took, 0.99);
        figures[`${name}longest`] = Math.max(...took);
      }
      rounds.push(figures);
    }
    return Object.fromEntries(
      Object.keys(rounds[0]!).map((name) => [name, median(rounds.map((of) => of[name]!))]),
    );
  },
};
