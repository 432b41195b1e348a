/** What clients of kafkajs do with a broker that answers nothing. */
import { assertEquals, assertRejects } from "@std/assert";
import kafkajs from "kafkajs";
import Cluster from "kafkajs/src/cluster/index.js";
import ConnectionPool from "kafkajs/src/network/connectionPool.js";
import "../../src/kafka/kafkajs/silent_brokers.ts";

/** The two connections to a broker, of which one answers, or times out, as `answer` says. */
function connections(port: number, answer: () => Promise<unknown>) {
  const log: string[] = [];
  const pool = [0, 1].map((n) => ({
    isConnected: () => true,
    send: answer,
    rejectRequests: ({ name }: Error) => void log.push(`${n} ${name}`),
    disconnect: () => Promise.resolve(void log.push(`${n} ends`)),
  }));
  return Object.assign(Object.create(ConnectionPool.prototype), { host: "h", port, pool, log });
}

/** A cluster with brokers of these numbers, over these connections. */
function cluster(brokers: Record<string, unknown>) {
  const log: string[] = [];
  const known = Object.entries(brokers).map(([id, connectionPool]) => [id, { connectionPool }]);
  return Object.assign(Object.create(Cluster.prototype), {
    log,
    brokerPool: {
      brokers: Object.fromEntries(known),
      findBroker: ({ nodeId }: { nodeId: string }) => Promise.resolve(nodeId),
    },
    removeBroker: ({ port }: { port: number }) => void log.push(`removes ${port}`),
    refreshMetadata: () => Promise.resolve(void log.push("learns")),
  });
}

const timesOut = () => Promise.reject(new kafkajs.KafkaJSRequestTimeoutError("timed out"));
const request = { request: { apiKey: 3 } };

Deno.test("kafkajs: with the first request to a broker that times out all fail that wait for it", async () => {
  const silent = connections(1, timesOut);
  await assertRejects(() => silent.send(request), Error, "timed out");
  const error = "KafkaJSRequestTimeoutError";
  assertEquals(silent.log, [`0 ${error}`, `1 ${error}`, "0 ends", "1 ends"]);
});

Deno.test("kafkajs: each client learns once who leads where another was not answered, until it is", async () => {
  let answers = false;
  const silent = connections(2, () => answers ? Promise.resolve("here") : timesOut());
  const other = connections(3, () => Promise.resolve("here"));
  const clusters = [cluster({ 2: silent, 3: other }), cluster({ 2: silent, 3: other })];
  const find = async () => {
    for (const each of clusters) assertEquals(await each.findBroker({ nodeId: "3" }), "3");
    return clusters.map(({ log }) => log.splice(0));
  };
  const noticed = ["removes 2", "learns"];
  assertEquals(await find(), [[], []]);
  for (let i = 0; i < 3; i++) {
    await assertRejects(() => silent.send(request));
    assertEquals(await find(), i === 0 ? [noticed, noticed] : [[], []]);
  }
  answers = true;
  assertEquals(await silent.send(request), "here");
  answers = false;
  await assertRejects(() => silent.send(request));
  assertEquals(await find(), [noticed, noticed]);
});
