/**
 * Values in Avro: what is sent through the topic is encoded by the schema in `reaction.avsc`.
 *
 * On Kafka with `KAFKA_BROKERS=host:port`, else on an embedded broker.
 *
 * ```sh
 * deno run --allow-env --allow-net --allow-sys --allow-read=examples examples/codec_avro.ts
 * ```
 *
 * ```text
 * 🐟 by an angler
 * 👌 by nobody
 * ```
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { AvroCodec } from "@slipstream/slipstream/avro";
import { Topic } from "@slipstream/slipstream/kafka";
import { chooseBroker } from "./broker.ts";

interface Reaction {
  emoji: string;
  by?: string | null;
  at: Date;
}

await using topic = new Topic("emoji-avro", {
  ...chooseBroker(),
  offset: "earliest",
  groupId: "demo",
  codec: await AvroCodec.fromFile<Reaction>(new URL("reaction.avsc", import.meta.url)),
});

await topic.send({ key: "fish", value: { emoji: "🐟", by: "an angler", at: new Date(0) } });
await topic.send({ key: "hand", value: { emoji: "👌", at: new Date(1_000) } });

for await (const { key, value } of topic) {
  console.log(`${value.emoji} by ${value.by ?? "nobody"}`);
  if (key === "hand") break;
}
