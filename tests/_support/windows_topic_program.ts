/**
 * The program that `integration/windows_kill_test.ts` kills: counts the messages of a topic by key in tumbling windows,
 * with exact state on disk, and sends each result to another topic. Arguments: brokers, topic, output topic, path of
 * the cache, and what it does in silence.
 */
import { App, Cache, JsonCodec } from "../../mod.ts";
import { Topic } from "../../src/kafka/mod.ts";
import { collect, tumbling } from "../../src/windows/mod.ts";

const [brokers, input, output, path, idle] = Deno.args as [
  string,
  string,
  string,
  string,
  "advance" | "hold",
];
const options = {
  brokers: brokers.split(","),
  groupId: input,
  offset: "earliest",
  sessionTimeout: 1_500,
  heartbeatInterval: 200,
  rebalanceTimeout: 3_000,
} as const;
await using source = new Topic(input, options);
await using sink = new Topic(output, { ...options, codec: new JsonCodec<unknown>() });
await using state = await Cache.open(path, { maxBytes: Infinity });

const app = new App({
  commit: { interval: 50 },
  onStatus: ({ type }) => {
    if (type === "started") console.log("started");
  },
});
app.handle(
  source,
  tumbling({
    size: 200,
    outOfOrderness: 100,
    idle,
    into: collect({ max: 10_000, of: ({ value }) => Number(value) }),
  }),
  ({ id, revision, final, value }) => [id, { revision, final, value }] as const,
  { name: "windows", state, sink },
);
await app.stream();
