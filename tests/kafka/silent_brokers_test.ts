/** What clients of kafkajs do with a broker that answers nothing. */
import { assertEquals, assertRejects } from "@std/assert";
import kafkajs from "kafkajs";
import Broker from "kafkajs/src/broker/index.js";
import BrokerPool from "kafkajs/src/cluster/brokerPool.js";
import Cluster from "kafkajs/src/cluster/index.js";
import ConnectionPool from "kafkajs/src/network/connectionPool.js";
import "../../src/kafka/kafkajs/silent_brokers.ts";

/** The two connections to a broker, over which `answer` is asked. */
function connections(port: number, answer: (apiKey: number) => Promise<unknown>) {
  const log: string[] = [];
  const pool = [0, 1].map((n) => ({
    isConnected: () => true,
    send: ({ request }: { request: { apiKey: number } }) => answer(request.apiKey),
    rejectRequests: ({ name }: Error) => void log.push(`${n} ${name}`),
    disconnect: () => Promise.resolve(void log.push(`${n} ends`)),
    chunks: ["half of an answer"],
  }));
  return Object.assign(Object.create(ConnectionPool.prototype), { host: "h", port, pool, log });
}

/** A cluster whose metadata always names the brokers with these connections. */
function cluster(...named: { port: number }[]) {
  const log: string[] = [];
  const brokers = () =>
    Object.fromEntries(
      named.map((connectionPool) => [
        connectionPool.port,
        { connectionPool, disconnect: () => Promise.resolve() },
      ]),
    );
  const brokerPool = {
    brokers: brokers(),
    findBroker: ({ nodeId }: { nodeId: string }) => Promise.resolve(nodeId),
  };
  return Object.assign(Object.create(Cluster.prototype), {
    log,
    brokerPool,
    removeBroker: ({ port }: { port: number }) => void log.push(`removes ${port}`),
    refreshMetadata: () => {
      brokerPool.brokers = brokers();
      return Promise.resolve(void log.push("learns"));
    },
  });
}

const [FETCH, METADATA, JOIN_GROUP] = [1, 3, 11];
const request = (apiKey: number) => ({ request: { apiKey } });
const timedOut = () => new kafkajs.KafkaJSRequestTimeoutError("timed out");
const timesOut = () => Promise.reject(timedOut());

Deno.test("kafkajs: with the first request to a broker that times out all fail that wait for it", async () => {
  const silent = connections(1, timesOut);
  await assertRejects(() => silent.send(request(METADATA)), Error, "timed out");
  const error = "KafkaJSRequestTimeoutError";
  assertEquals(silent.log, [`0 ${error}`, "0 ends", `1 ${error}`, "1 ends"]);
  assertEquals(silent.pool.map(({ chunks }: { chunks: unknown }) => chunks), [[], []]);
});

Deno.test("kafkajs: a request that times out fails alone where others were answered meanwhile", async () => {
  const slow = Promise.withResolvers<unknown>();
  const busy = connections(2, (key) => key === METADATA ? slow.promise : Promise.resolve("here"));
  const sending = busy.send(request(METADATA));
  assertEquals(await busy.send(request(FETCH)), "here");
  slow.reject(timedOut());
  await assertRejects(() => sending, Error, "timed out");
  assertEquals(busy.log, []);
});

Deno.test("kafkajs: a broker that has others join first has its time", async () => {
  const join = Promise.withResolvers<unknown>();
  const waiting = connections(3, (key) => key === JOIN_GROUP ? join.promise : timesOut());
  const joining = waiting.send(request(JOIN_GROUP));
  await assertRejects(() => waiting.send(request(METADATA)), Error, "timed out");
  assertEquals(waiting.log, []);
  join.resolve("joined");
  assertEquals(await joining, "joined");
});

Deno.test("kafkajs: each client learns after each time-out who leads now, until the broker answers", async () => {
  let answers = false;
  const silent = connections(4, () => answers ? Promise.resolve("here") : timesOut());
  const other = connections(5, () => Promise.resolve("here"));
  const clusters = [cluster(silent, other), cluster(silent, other), cluster(silent)];
  const find = async () => {
    for (const each of clusters) assertEquals(await each.findBroker({ nodeId: "5" }), "5");
    return clusters.map(({ log }) => log.splice(0));
  };
  const noticed = [["removes 4", "learns"], ["removes 4", "learns"], []]; // the last has no other to ask
  assertEquals(await find(), [[], [], []]);
  for (let i = 0; i < 2; i++) {
    await assertRejects(() => silent.send(request(METADATA)));
    assertEquals(await find(), noticed);
    assertEquals(await find(), [[], [], []]);
  }
  await assertRejects(() => silent.send(request(METADATA)));
  answers = true;
  assertEquals(await silent.send(request(METADATA)), "here");
  assertEquals(await find(), [[], [], []]);
});

/** Brokers that a client knows, by the ports of their connections, and which of them it is connected to. */
function known(connected: number[], ...named: { port: number }[]) {
  const brokers = named.map((connectionPool) => {
    const { port } = connectionPool;
    return [port, { port, connectionPool, isConnected: () => connected.includes(port) }];
  });
  return Object.assign(Object.create(BrokerPool.prototype), {
    brokers: Object.fromEntries(brokers),
    connectBroker: ({ port }: { port: number }) =>
      port === 9 ? Promise.reject(new Error("refused")) : Promise.resolve(),
  });
}

Deno.test("kafkajs: what any broker knows is asked of those that answer, and last of the others", async () => {
  const silent = connections(6, timesOut);
  const [a, b] = [{ host: "h", port: 7 }, { host: "h", port: 8 }];
  const refuses = { host: "h", port: 9 };
  await assertRejects(() => silent.send(request(METADATA)));
  const found = async (...[connected, ...named]: Parameters<typeof known>) =>
    (await known(connected, ...named).findConnectedBroker()).port;
  assertEquals(await found([6, 8], silent, a, b), 8);
  assertEquals(await found([6], silent, refuses, b), 8); // rather a connection more
  assertEquals(await found([6], silent, refuses), 6);
  const asked: number[] = [];
  const ask = ({ broker: { port } }: { broker: { port: number } }) => {
    asked.push(port);
    return port === 8 ? Promise.resolve("here") : Promise.reject(new Error("does not know"));
  };
  assertEquals(await known([6], silent, a, refuses, b).withBroker(ask), "here");
  assertEquals(await known([6], silent, a).withBroker(ask), null);
  await assertRejects(() => known([6], silent, refuses).withBroker(ask), Error, "refused");
  assertEquals(asked, [7, 8, 7, 6, 6]);
});

Deno.test("kafkajs: a broker that does not answer while connecting counts as unreachable", async () => {
  const { connect } = Broker.prototype;
  const of = (failure: Error) =>
    Object.assign(Object.create(Broker.prototype), {
      lock: { acquire: () => Promise.resolve(), release: () => {} },
      connectionPool: {
        host: "h",
        port: 10,
        pool: [],
        getConnection: () => Promise.reject(failure),
      },
      isConnected: () => false,
    });
  const silent = await assertRejects(() => connect.call(of(timedOut())), Error, "timed out");
  const login = Object.assign(new Error("SASL failed: it timed out"), { name: "SASL" });
  const unanswered = await assertRejects(() => connect.call(of(login)), Error, "timed out");
  const other = await assertRejects(() => connect.call(of(new TypeError("mine"))), TypeError);
  const name = "KafkaJSConnectionError";
  assertEquals([silent.name, unanswered.name, other.message], [name, name, "mine"]);
});

Deno.test("kafkajs: a client begins with an address that answers, and then tries each", async () => {
  const pool = (addresses: number[]) => {
    let index = 0;
    return Object.assign(Object.create(BrokerPool.prototype), {
      connectionPoolBuilder: {
        build: () => Promise.resolve({ host: "h", port: addresses[index++ % addresses.length] }),
      },
      createBroker: (broker: object) => ({ ...broker, disconnect: () => Promise.resolve() }),
    });
  };
  const take = async (addresses: number[], count: number) => {
    const begun = pool(addresses);
    const ports: number[] = [];
    while (ports.length < count) {
      await begun.createSeedBroker();
      ports.push(begun.seedBroker.connectionPool.port);
    }
    return ports;
  };
  assertEquals(await take([11, 12, 13], 4), [11, 12, 13, 11]);
  for (const port of [11, 14]) {
    await assertRejects(() => connections(port, timesOut).send(request(METADATA)));
  }
  assertEquals(await take([11, 12, 13], 4), [12, 13, 11, 12]);
  assertEquals(await take([11, 14], 3), [11, 14, 11]); // none is known to answer
});
