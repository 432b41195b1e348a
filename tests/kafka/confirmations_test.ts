import { assertEquals, assertRejects } from "@std/assert";
import Broker from "kafkajs/src/broker/index.js";
import { CONFIRM } from "../../src/kafka/kafkajs/confirmations.ts";
import { settle } from "../../src/testing/mod.ts";

/** A broker of kafkajs whose answer is given by hand. */
function brokerOf(answer: Promise<unknown>): { produce(request: unknown): Promise<unknown> } {
  const broker = Object.create(Broker.prototype);
  broker.lookupRequest = () => () => ({});
  for (const name of Object.getOwnPropertySymbols(Broker.prototype)) broker[name] = () => answer;
  return broker;
}

const answerOf = (partition: number, errorCode = 0, baseOffset = "7") => ({
  topics: [{ topicName: "t", partitions: [{ partition, errorCode, baseOffset }] }],
});

Deno.test("a request that failed is not tried again before the other brokers of its batch have answered", async () => {
  const confirmed: number[][] = [];
  const confirm = (...place: number[]) => void confirmed.push(place);
  const requestOf = (partition: number) => ({
    topicData: [{ topic: "t", partitions: [{ partition, messages: [{ [CONFIRM]: confirm }] }] }],
  });
  const slow = Promise.withResolvers<unknown>();
  const asked = brokerOf(slow.promise).produce(requestOf(0));
  let failed = false;
  const failing = assertRejects(
    () => brokerOf(Promise.reject(new Error("not the leader"))).produce(requestOf(1)),
    Error,
    "not the leader",
  ).then(() => void (failed = true));
  await settle();
  assertEquals(failed, false);
  slow.resolve(answerOf(0));
  await asked;
  await failing;
  assertEquals(confirmed, [[0, 7]]);
});

Deno.test("requests of others fail as they did, at once", async () => {
  const request = { topicData: [{ topic: "t", partitions: [{ partition: 0, messages: [{}] }] }] };
  void brokerOf(new Promise(() => {})).produce(request);
  const failing = brokerOf(Promise.reject(new Error("not the leader"))).produce(request);
  await assertRejects(() => failing, Error, "not the leader");
  assertEquals(await brokerOf(Promise.resolve(answerOf(0))).produce(request), answerOf(0));
});
