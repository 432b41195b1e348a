/** Uses a topic, `send`, `lag`, `read`, `source` or `sink`, and prints the message of the error; for tests of permissions. */
import { App } from "../../mod.ts";
import { Topic } from "../../src/kafka/mod.ts";

const [mode, ...brokers] = Deno.args;
await using topic = new Topic("permissions", { brokers, groupId: "permissions" });
const app = new App();
const uses: Record<string, () => Promise<unknown>> = {
  send: () => topic.send(["fish", "🐟"]),
  lag: () => topic.lag(),
  read: () => topic[Symbol.asyncIterator]().next(),
  source: () => (app.handle(topic, () => app.close()), app.stream()),
  sink:
    () => (app.handle([["fish", "🐟"] as const], (pair) => pair, { sink: topic }), app.stream()),
};
try {
  await uses[mode!]!();
  console.log("done");
} catch (error) {
  console.log((error as Error).message);
}
