/**
 * A topic is something to send to and something to read from.
 *
 * On Kafka with `KAFKA_BROKERS=host:port`, else on an embedded broker.
 *
 * ```sh
 * deno run --allow-env --allow-net --allow-sys examples/topic.ts
 * ```
 *
 * ```text
 * trophy 🏆
 * fish 🐟
 * ```
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { Topic } from "@slipstream/slipstream/kafka";
import { chooseBroker } from "./broker.ts";

await using topic = new Topic("emoji", {
  ...chooseBroker(),
  offset: "earliest",
  groupId: "demo",
});

await topic.send({ key: "trophy", value: "🏆" });
await topic.send({ key: "fish", value: "🐟" });

for await (const message of topic) {
  console.log(message.key, message.value);
  if (message.key === "fish") break;
}
