/**
 * A program that leaves its topics open and comes to its end: `idle_program.ts <brokers> <topic> <way>`. It
 * prints "end" as its last step.
 */
import { App } from "../../mod.ts";
import { Topic } from "../../src/kafka/mod.ts";

const [brokers, name, way] = Deno.args as [string, string, string];
const options = {
  brokers: brokers.split(","),
  groupId: `${name}-${way}`,
  offset: "earliest",
} as const;
const topic = new Topic(name, options);
const app = new App();

/** Each resolves when there is nothing left to do. */
const ways: Record<string, () => Promise<unknown>> = {
  source() {
    app.handle(topic, () => void app.close());
    return app.stream();
  },
  sink() {
    app.handle([1, 2, 3], (n) => ["k", String(n)] as const, { sink: topic });
    return app.stream();
  },
  async iterate() {
    for await (const _ of topic) break;
  },
  send: () => topic.send({ value: "x" }),
  lag: () => topic.lag(),
  ensure: () => topic.ensure(),
  async all() {
    await ways.send!();
    await ways.iterate!();
    await ways.lag!();
    await ways.source!();
  },
};

await ways[way]!();
console.log("end");
