/** kafkajs's own durations, when the clock of the machine is set, and at the end of a connection. */
import { assertEquals } from "@std/assert";
import ConsumerGroup from "kafkajs/src/consumer/consumerGroup.js";
import RequestQueue from "kafkajs/src/network/requestQueue/index.js";
import "../../src/kafka/kafkajs/repairs.ts";
import { settle } from "../../src/testing/mod.ts";
import { logger } from "../_support/kafkajs_stub.ts";

const HOUR = 3_600_000;

/** Sets the time of day, in this process, until it is disposed of. */
function steppable() {
  const { now } = Date;
  let offset = 0;
  Date.now = () => now() + offset;
  return {
    step: (ms: number) => void (offset += ms),
    [Symbol.dispose]: () => void (Date.now = now),
  };
}

/** A queue with one request in flight. */
function requests(requestTimeout: number) {
  const queue = new RequestQueue({
    maxInFlightRequests: null,
    requestTimeout,
    enforceRequestTimeout: true,
    clientId: "c",
    broker: "b:9092",
    logger,
  });
  const { promise, resolve } = Promise.withResolvers<string>();
  const send = (correlationId: number) =>
    queue.push({
      entry: {
        correlationId,
        apiName: "Fetch",
        apiKey: 1,
        apiVersion: 1,
        resolve: () => resolve("answered"),
        reject: ({ name }: Error) => resolve(name),
      },
      expectResponse: true,
      sendRequest: () => {},
    });
  queue.scheduleRequestTimeoutCheck();
  return { queue, send, outcome: promise, [Symbol.dispose]: () => queue.destroy() };
}

Deno.test("kafkajs: a request is not timed out by a clock that is set on", async () => {
  using clock = steppable();
  using given = requests(10_000);
  given.send(1);
  clock.step(HOUR);
  await new Promise<void>((resolve) => setTimeout(resolve, 250)); // it looks each 100 ms
  given.queue.fulfillRequest({ correlationId: 1, payload: {}, size: 0 });
  assertEquals(await given.outcome, "answered");
});

Deno.test("kafkajs: a request times out, though the clock is set back", async () => {
  using clock = steppable();
  using given = requests(50);
  given.send(1);
  clock.step(-HOUR);
  let outcome: string | undefined;
  void given.outcome.then((told) => outcome = told);
  while (outcome === undefined) await settle(); // a look at requests keeps no test running
  assertEquals(outcome, "KafkaJSRequestTimeoutError");
});

Deno.test("kafkajs: throttling ends, though the clock is set back", async () => {
  using clock = steppable();
  using given = requests(10_000);
  given.queue.maybeThrottle(20);
  given.send(1);
  assertEquals(given.queue.inflight.size, 0);
  clock.step(-HOUR);
  while (given.queue.inflight.size === 0) await settle();
});

Deno.test("kafkajs: heartbeats are sent, though the clock is set back", async () => {
  using clock = steppable();
  let beats = 0;
  const group = new ConsumerGroup({
    retry: {},
    cluster: {},
    groupId: "g",
    topics: [],
    topicConfigurations: {},
    logger,
    instrumentationEmitter: { emit() {} },
    assigners: [],
  });
  group.memberId = "m";
  group.coordinator = { heartbeat: () => Promise.resolve(++beats) };
  await group.heartbeat({ interval: 0 });
  clock.step(-HOUR);
  await group.heartbeat({ interval: 0 });
  assertEquals(beats, 2);
});

Deno.test("kafkajs: what is sent while a connection ends fails, as nobody looks at its time any more", async () => {
  using given = requests(10_000);
  given.send(1);
  given.queue.destroy();
  assertEquals(await given.outcome, "KafkaJSConnectionClosedError");
  assertEquals(given.queue.inflight.size, 0);
});
