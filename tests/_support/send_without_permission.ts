/** Sends one message to the embedded broker, and prints its offset; run without any permission. */
import { MemoryBroker } from "../../src/kafka/memory/mod.ts";
import { Topic } from "../../src/kafka/mod.ts";

await using topic = new Topic("emoji", { broker: new MemoryBroker() });
const { offset } = await topic.send(["fish", "🐟"]);
Deno.stdout.writeSync(new TextEncoder().encode(String(offset)));
