/**
 * The program that `crash_test.ts` kills: counts the messages of a topic by key, in a cache on disk with exact
 * state, and passes them on. Arguments: brokers, topic, output topic, path of the cache, and how long a
 * session lasts without a heartbeat, by default 1500 ms.
 */
import { App, Cache } from "../../mod.ts";
import { type BrokerStatus, Topic } from "../../src/kafka/mod.ts";

const [brokers, input, output, path, session = "1500"] = Deno.args as [
  string,
  string,
  string,
  string,
];
const options = {
  brokers: brokers.split(","),
  groupId: input,
  offset: "earliest",
  sessionTimeout: Number(session),
  heartbeatInterval: 200,
  rebalanceTimeout: 3_000,
  onStatus: (status: BrokerStatus) => {
    if (status.type === "joining" && / to leave;/.test(status.waitsFor)) console.log("waiting");
  },
} as const;
await using source = new Topic(input, options);
await using sink = new Topic(output, options);
await using counts = await Cache.open<number>(path, { maxBytes: Infinity });
const total = counts.space<number>("total", { maxBytes: Infinity });

const app = new App({
  commit: { interval: 50 },
  onStatus: ({ type }) => {
    if (type === "started") console.log("started");
  },
});
app.handle(source, async ({ key, value }) => {
  await counts.update(key!, (count = 0) => count + 1);
  await total.update("all", (count = 0) => count + 1);
  return [key, value] as const;
}, { name: "count", state: counts, sink });
await app.stream();
