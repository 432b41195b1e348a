/** A program whose handler sends in vain, which nobody handles; it tells what was sent and what was committed. */
import { App, MemoryCache, Proxy } from "../../mod.ts";
import { Topic } from "../../src/kafka/mod.ts";
import { MemoryBroker } from "../../src/kafka/memory/mod.ts";
import { alteredBroker } from "./altered_broker.ts";

const broker = alteredBroker(new MemoryBroker(), {
  commit: (positions, commit) => {
    if (positions.get(0)! > 0) console.log("committed");
    return commit();
  },
});
const topic = new Topic("in", { broker, groupId: "g", offset: "earliest" });
await topic.send({ value: "1" });
const proxy = new Proxy<string>();
proxy.close();
const cache = new MemoryCache<unknown>();
const sends: Record<string, () => Promise<unknown>> = {
  proxy: () => proxy.send("1"),
  topic: () => topic.send({ value: undefined as unknown as string }),
  cache: () => cache.set("key", () => {}),
  transaction: () => cache.update("key", () => Promise.reject(new Error("invalid"))),
};
const app = new App({ commit: { messages: 1 } });
app.handle(topic, () => {
  sends[Deno.args[0]!]!();
  console.log("sent");
});
await app.stream();
