import { assertEquals } from "@std/assert";
import { App, MemoryCache, type StatusEvent } from "../../mod.ts";
import { Topic } from "../../src/kafka/mod.ts";
import { MemoryBroker } from "../../src/kafka/memory/mod.ts";

Deno.test("onStatus is told after each commit how far every source is, and what caches dropped", async () => {
  await using broker = new MemoryBroker();
  await using topic = new Topic("in", { broker, groupId: "g", offset: "earliest" });
  for (let n = 0; n < 5; n++) await topic.send({ value: `${n}` });
  await using cache = new MemoryCache<string>({ maxBytes: 300 });
  await cache.set("old", "x".repeat(250));
  const events: StatusEvent[] = [];
  const app = new App({ onStatus: (event) => events.push(event) });
  app.handle(topic, async ({ value }) => {
    await cache.set(value, "x".repeat(250));
    if (value === "2") app.pause(topic);
    if (value === "2") queueMicrotask(() => app.close());
  }, { name: "count" });
  await app.stream();
  assertEquals(events.filter(({ type }) => type === "progress" || type === "evicted"), [
    { type: "progress", source: "in", messages: 3, lag: 2, inFlight: 0, waiting: 0 },
    { type: "evicted", entries: 3 },
  ]);
  assertEquals(
    events.map(({ type }) => type).filter((type) => type !== "progress" && type !== "evicted"),
    ["started", "gate", "stopping", "source_ended", "flow_ended", "commit", "ended"],
  );
});
