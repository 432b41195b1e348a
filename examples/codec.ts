/**
 * A codec turns values into bytes and back.
 *
 * On Kafka with `KAFKA_BROKERS=host:port`, else on an embedded broker.
 *
 * ```sh
 * deno run --allow-env --allow-net --allow-sys examples/codec.ts
 * ```
 *
 * ```text
 * { msg: "🐟" }
 * ```
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { JsonCodec } from "@slipstream/slipstream";
import { Topic } from "@slipstream/slipstream/kafka";
import { chooseBroker } from "./broker.ts";

await using topic = new Topic("emoji-json", {
  ...chooseBroker(),
  offset: "earliest",
  groupId: "demo",
  codec: new JsonCodec<{ msg: string }>(),
});

await topic.send({ key: "fish", value: { msg: "🐟" } });

for await (const message of topic) {
  console.log(message.value);
  break;
}
