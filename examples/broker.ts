/** The broker of the examples: the one that `KAFKA_BROKERS` names, else an embedded one. */
import type { TopicDefaults } from "@slipstream/slipstream/kafka";
import { MemoryBroker } from "@slipstream/slipstream/memory";

/** Options for a Topic that choose the broker. */
export function chooseBroker(): TopicDefaults {
  const brokers = Deno.env.get("KAFKA_BROKERS");
  return brokers ? { brokers: brokers.split(",") } : { broker: new MemoryBroker() };
}
