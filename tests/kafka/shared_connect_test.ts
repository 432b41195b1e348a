/** How callers wait for a connection to brokers that do not answer. */
import { assertEquals, assertRejects } from "@std/assert";
import { deadline } from "@std/async/deadline";
import { freePorts } from "../../scripts/kafka/ports.ts";
import { KafkaError } from "../../src/kafka/client/errors.ts";
import { KafkaBroker, type KafkaBrokerOptions } from "../../src/kafka/kafkajs/broker.ts";
import { type Attempt, SharedConnect } from "../../src/kafka/kafkajs/shared_connect.ts";
import type { BrokerStatus } from "../../src/kafka/client/status.ts";
import { Topic } from "../../src/kafka/topic/topic.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { GroupReader } from "../_support/group_reader.ts";
import { brokers, kafkaTest, unique } from "../_support/kafka.ts";
import { openProducer } from "../_support/records.ts";

/** Longer than any test: who waits it out fails. */
const startTimeoutMs = 600_000;

function opening() {
  const clock = new ManualClock();
  const { promise, resolve } = Promise.withResolvers<string>();
  let attempt!: Attempt;
  const shared = new SharedConnect<string>(clock, (given) => {
    attempt = given;
    return promise;
  });
  const late = (error: unknown) => new KafkaError(`late: ${(error as Error)?.message}`);
  return {
    clock,
    attempt,
    shared,
    resolve,
    wait: (ms: number, signal = new AbortController().signal, status?: (s: BrokerStatus) => void) =>
      shared.wait({ startTimeoutMs: ms, signal, status }, late),
  };
}

Deno.test("SharedConnect.wait() ends for one caller, by its signal or its timeout, and for no other", async () => {
  const { clock, attempt, shared, resolve, wait } = opening();
  const aborting = new AbortController();
  const [aborted, late, patient] = [wait(1_000, aborting.signal), wait(500), wait(9_000)];
  aborting.abort(new TypeError("enough"));
  await assertRejects(() => aborted, TypeError, "enough");
  attempt.status({ type: "away", error: new Error("nobody there") });
  const failing = assertRejects(() => late, KafkaError, "late: nobody there");
  await clock.tick(500);
  await failing;
  assertEquals([attempt.signal.aborted, shared.abandoned], [false, false]);
  resolve("open");
  assertEquals(await patient, "open");
  assertEquals(await wait(1), "open");
  assertEquals(clock.pending, 0);
});

Deno.test("SharedConnect ends when nobody waits any more", async () => {
  const { clock, attempt, shared, wait } = opening();
  const told: BrokerStatus[] = [];
  const waiting = wait(500, undefined, (status) => void told.push(status));
  const failing = assertRejects(() => waiting, KafkaError, "late: undefined");
  await clock.tick(500);
  await failing;
  assertEquals([attempt.signal.aborted, shared.abandoned], [true, true]);
  // No attempt has failed yet; that nobody answered is told all the same.
  assertEquals(told.map(({ type }) => type), ["away"]);
});

Deno.test("SharedConnect tells each who waits, once, and later ones at once; a throw ends that one", async () => {
  const { attempt, resolve, wait } = opening();
  const told: string[] = [];
  const status = (who: string) => ({ type }: BrokerStatus) => void told.push(`${who} ${type}`);
  const signal = new AbortController().signal;
  const first = wait(1, signal, status("first"));
  const thrower = wait(1, signal, () => {
    throw new TypeError("of the user's");
  });
  attempt.status({ type: "away" });
  attempt.status({ type: "away" });
  await assertRejects(() => thrower, TypeError, "of the user's");
  const second = wait(1, signal, status("second"));
  attempt.status({ type: "back" });
  resolve("open");
  assertEquals(await Promise.all([first, second]), ["open", "open"]);
  assertEquals(told, ["first away", "second away", "first back", "second back"]);
});

/** Makes a broker that nobody listens for. */
function nobody(options: Partial<KafkaBrokerOptions> = {}): KafkaBroker {
  return new KafkaBroker({
    brokers: [`127.0.0.1:${freePorts(1)[0]}`],
    startTimeout: startTimeoutMs,
    ...options,
  });
}

Deno.test("KafkaBroker ends one caller by its signal and goes on for the others, until it is closed", async () => {
  await using broker = nobody();
  const ending = new AbortController();
  const options = { topic: "t", groupId: "g", startTimeoutMs };
  const joining = GroupReader.join(broker, { ...options, signal: ending.signal });
  const others = [
    GroupReader.join(broker, options),
    openProducer(broker, "t", { startTimeoutMs }),
    broker.partitions("t"),
  ];
  const settled = others.map((other) => other.then(() => "open", (error) => error));
  ending.abort(new TypeError("enough"));
  await assertRejects(() => deadline(joining, 10_000), TypeError, "enough");
  assertEquals(await Promise.race([...settled, Promise.resolve("waiting")]), "waiting");
  await deadline(broker.close(), 10_000);
  for (const error of await Promise.all(settled)) {
    assertEquals(String(error), "KafkaError: Cannot use the Kafka brokers as they are closed");
  }
});

Deno.test("KafkaBroker begins to connect anew after everybody gave up", async () => {
  await using broker = nobody();
  const enough = new AbortController();
  const options = { topic: "t", startTimeoutMs };
  const first = openProducer(broker, "t", { ...options, signal: enough.signal });
  enough.abort(new TypeError("enough"));
  await assertRejects(() => first, TypeError, "enough");
  const { promise, resolve } = Promise.withResolvers<BrokerStatus>();
  const second = openProducer(broker, "t", { ...options, status: resolve });
  assertEquals((await deadline(promise, 10_000)).type, "away");
  await broker.close();
  await assertRejects(() => second, KafkaError, "closed");
});

kafkaTest("KafkaBroker tries each address before it says that the brokers are away", async () => {
  const told: BrokerStatus[] = [];
  const dead = freePorts(4).map((port) => `127.0.0.1:${port}`);
  await using broker = new KafkaBroker({
    brokers: [...dead, ...brokers],
    onStatus: (status) => void told.push(status),
  });
  const topic = unique("addresses");
  await broker.ensure(topic, { partitions: 2 });
  assertEquals([await broker.partitions(topic), told], [2, []]);
});

Deno.test("KafkaBroker gives what a status callback throws to the caller that it belongs to", async () => {
  await using broker = nobody({
    onStatus() {
      throw new TypeError("of the user's");
    },
  });
  await assertRejects(() => deadline(broker.partitions("t"), 10_000), KafkaError, "of the user's");
});

Deno.test("Topic.close() ends a reading that has not reached the brokers", async () => {
  const brokers = [`127.0.0.1:${freePorts(1)[0]}`];
  const away = Promise.withResolvers<void>();
  const onStatus = () => away.resolve();
  const topic = new Topic("t", { brokers, groupId: "g", startTimeout: startTimeoutMs, onStatus });
  const reading = topic[Symbol.asyncIterator]().next();
  await away.promise;
  await deadline(topic.close(), 10_000);
  assertEquals(await reading, { done: true, value: undefined });
});

Deno.test({
  name: "KafkaBroker.close() does not wait for brokers that accept connections and say nothing",
  // kafkajs keeps its socket until the request times out.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    using listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
    const broker = new KafkaBroker({
      brokers: [`127.0.0.1:${listener.addr.port}`],
      startTimeout: startTimeoutMs,
    });
    const asking = broker.partitions("t").catch((error) => error);
    using _connection = await listener.accept();
    await deadline(broker.close(), 15_000);
    assertEquals((await asking).name, "KafkaError");
  },
});
