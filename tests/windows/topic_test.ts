import { assert, assertEquals } from "@std/assert";
import { App, MemoryCache, type StatusEvent } from "../../mod.ts";
import { count, tumbling } from "../../src/windows/mod.ts";
import { until } from "../_support/processes.ts";
import { kafka, memory, testOn } from "../_support/topic_fixture.ts";

const SIZE = 300;

for (const fixture of [memory, kafka]) {
  const test = testOn(fixture);

  test("closes the last windows of all partitions though nothing comes any more", async ({ make, broker, name }) => {
    await broker.ensure(name, { partitions: 2 });
    const topic = make();
    const now = Math.floor(Date.now() / SIZE) * SIZE;
    for (const partition of [0, 1]) {
      await topic.send({ key: "a", value: "1", partition, timestamp: now });
      await topic.send({ key: "a", value: "2", partition, timestamp: now + SIZE - 1 });
    }
    await using state = new MemoryCache({ maxBytes: Infinity });
    const app = new App({ commit: { interval: 50 }, onStatus: (event) => events.push(event) });
    const events: StatusEvent[] = [];
    const seen: [string, number][] = [];
    app.handle(topic, tumbling({ size: SIZE, into: count() }), ({ id, value, final }) => {
      if (final) seen.push([id, value]);
    }, { name: "count", state });
    const streaming = app.stream();
    await until(() => seen.length === 2);
    await app.close();
    await streaming;
    assertEquals(seen.sort(), [[`0/a/${now}`, 2], [`1/a/${now}`, 2]]);
    const advances = events.filter(({ type }) => type === "idle_advance");
    assert(advances.length >= 2, "the watermarks have gone on");
  });

  test("keeps windows open with idle hold until a message moves the watermark", async ({ make, broker, name }) => {
    await broker.ensure(name, { partitions: 1 });
    const topic = make();
    const now = Math.floor(Date.now() / SIZE) * SIZE;
    await topic.send({ key: "a", value: "1", timestamp: now });
    await using state = new MemoryCache({ maxBytes: Infinity });
    const app = new App({ commit: { interval: 50 } });
    const seen: string[] = [];
    app.handle(
      topic,
      tumbling({ size: SIZE, idle: "hold", into: count() }),
      ({ id }) => void seen.push(id),
      { name: "count", state },
    );
    const streaming = app.stream();
    await until(async () => (await topic.lag()).values().every((lag) => lag === 0));
    await new Promise((resolve) => setTimeout(resolve, 3 * SIZE)); // what holds must hold for a while
    assertEquals(seen, []);
    await topic.send({ key: "a", value: "2", timestamp: now + SIZE });
    await until(() => seen.length === 1);
    await app.close();
    await streaming;
  });
}
