/**
 * Values in Avro: what is sent through the topic is encoded by the schema in `reaction.avsc`.
 *
 *     deno run --allow-read --allow-env examples/codec_avro.ts
 *
 * It runs on the embedded broker, or on Kafka when `KAFKA_BROKERS` names one (then add --allow-net). Prints:
 *
 *     🐟 by an angler
 *     👌 by nobody
 */
import { AvroCodec } from "@slipstream/slipstream/avro";
import { Topic } from "@slipstream/slipstream/kafka";
import { MemoryBroker } from "@slipstream/slipstream/memory";
import { TextCodec } from "@slipstream/slipstream";

interface Reaction {
  emoji: string;
  by?: string | null;
  at: Date;
}

const brokers = Deno.env.get("KAFKA_BROKERS")?.split(",");
await using memory = new MemoryBroker();
await using topic = new Topic("reaction", {
  ...(brokers === undefined ? { broker: memory } : { brokers }),
  groupId: "codec_avro",
  offset: "earliest",
  keyCodec: new TextCodec(),
  codec: await AvroCodec.fromFile<Reaction>(new URL("reaction.avsc", import.meta.url)),
});

await topic.send({ key: "fish", value: { emoji: "🐟", by: "an angler", at: new Date(0) } });
await topic.send({ key: "hand", value: { emoji: "👌", at: new Date(1_000) } });

let count = 0;
for await (const { value } of topic) {
  console.log(`${value.emoji} by ${value.by ?? "nobody"}`);
  if (++count === 2) break;
}
