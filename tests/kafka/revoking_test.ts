import { assertEquals } from "@std/assert";
import { App } from "../../mod.ts";
import { openSink } from "../../src/flow/feed.ts";
import { MemoryBroker } from "../../src/kafka/memory/mod.ts";
import { Topic } from "../../src/kafka/topic.ts";

Deno.test("Topic hands out nothing that arrives during the last barrier before its partitions are taken", async () => {
  await using broker = new MemoryBroker();
  await broker.ensure("emoji", { partitions: 2 });
  const flushing = Promise.withResolvers<void>();
  const flushed = Promise.withResolvers<void>();
  const seen: string[] = [];
  const told = Promise.withResolvers<void>();
  const stop = new AbortController();
  const start = (id: string, flush: () => Promise<void>) => {
    const topic = new Topic("emoji", { broker, groupId: "demo", offset: "earliest" });
    const first = Promise.withResolvers<void>();
    const app = new App({ barrier: { intervalMs: 3_600_000 } });
    const write = (value: string) => {
      first.resolve();
      seen.push(`${id} ${value}`);
      if (id === "other" && value === "🐛") told.resolve();
    };
    app.handle(topic, ({ value }) => value, { sink: { [openSink]: () => ({ write, flush }) } });
    const streaming = app.stream({ signal: stop.signal }).finally(() => topic.close());
    return { first: first.promise, streaming };
  };
  const one = start("one", () => {
    flushing.resolve();
    return flushed.promise;
  });
  await using sender = new Topic("emoji", { broker });
  await sender.send({ value: "🐟", partition: 0 });
  await one.first;
  const other = start("other", () => Promise.resolve());
  await flushing.promise; // the partitions of the one are being taken
  for (const value of ["🐌", "🦋", "🐛"]) await sender.send({ value, partition: 1 });
  await new Promise<void>((resolve) => setImmediate(resolve)); // what arrives has arrived
  flushed.resolve();
  await Promise.race([told.promise, one.streaming, other.streaming]);
  stop.abort();
  await Promise.all([one.streaming, other.streaming]);
  assertEquals(seen, ["one 🐟", "other 🐌", "other 🦋", "other 🐛"]);
});
