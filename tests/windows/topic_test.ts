import { assert, assertEquals } from "@std/assert";
import { App, map, MemoryCache, merge, Proxy, type Source, type StatusEvent } from "../../mod.ts";
import type { Message } from "../../src/kafka/mod.ts";
import type { ExactPipe } from "../../src/flow/stage/exact_pipes.ts";
import { systemClock } from "../../src/clock.ts";
import { Random } from "../../src/testing/mod.ts";
import { collect, count, tumbling, type WindowResult } from "../../src/windows/mod.ts";
import { until } from "../_support/processes.ts";
import { kafka, memory, testOn } from "../_support/topic_fixture.ts";

const SIZE = 300;

type Window = ExactPipe<Message<string, string>, WindowResult<string, string[]>>;

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

  test("closes windows over two topics, and behind a Proxy, though nothing comes any more", async ({ make, broker, name }) => {
    const other = `${name}-other`;
    await broker.ensure(name, { partitions: 2 });
    await broker.ensure(other, { partitions: 1 });
    const [topic, second] = [make(), make({ groupId: other }, other)];
    const now = Math.floor(Date.now() / SIZE) * SIZE;
    for (const partition of [0, 1]) {
      await topic.send({ key: "a", value: "1", partition, timestamp: now });
    }
    await second.send({ key: "a", value: "2", timestamp: now + 1 });
    await using state = new MemoryCache({ maxBytes: Infinity });
    const app = new App({ commit: { interval: 50 } });
    const seen: unknown[][] = [];
    const into = collect({
      max: 9,
      of: ({ topic, partition }: Message<string, string>) => `${topic}:${partition}`,
    });
    const each = tumbling({ size: SIZE, into }) as Window;
    const all = tumbling({ size: SIZE, into, by: () => "all" }) as Window;
    const bind = (flow: string, source: Source<Message<string, string>>, window: Window) =>
      app.handle(source, window, ({ id, value }) => void seen.push([flow, id, value]), {
        name: flow,
        state,
      });
    const proxy = new Proxy<Message<string, string>>();
    bind("all", merge(topic, second), all);
    bind("each", merge(second, topic), each);
    bind("behind", proxy, each);
    app.handle(topic, (message) => message, { name: "before", state, sink: proxy });
    const streaming = app.stream();
    await until(() => seen.length === 6);
    await app.close();
    await streaming;
    assertEquals(seen.toSorted(), [
      ["all", `*/all/${now}`, [`${name}:0`, `${other}:0`, `${name}:1`]],
      ["behind", `0/a/${now}`, [`${name}:0`]],
      ["behind", `1/a/${now}`, [`${name}:1`]],
      ["each", `${other}:0/a/${now}`, [`${other}:0`]],
      ["each", `${name}:0/a/${now}`, [`${name}:0`]],
      ["each", `${name}:1/a/${now}`, [`${name}:1`]],
    ]);
  });

  test("has each partition in its order though pipes and results take their time concurrently", async ({ make, broker, name }) => {
    await broker.ensure(name, { partitions: 4 });
    const topic = make();
    const random = new Random(3);
    const base = Math.floor(Date.now() / SIZE) * SIZE - 1_000 * SIZE;
    const greatest = [-Infinity, -Infinity, -Infinity, -Infinity];
    const want = new Map<string, number>();
    const send = async (partition: number, key: string, timestamp: number) => {
      await topic.send({ key, value: "", partition, timestamp });
      // In time by the messages before it in its partition, whichever is ready first.
      const start = timestamp - timestamp % SIZE;
      if (greatest[partition]! < start + SIZE) {
        const id = `${partition}/${key}/${start}`;
        want.set(id, (want.get(id) ?? 0) + 1);
      }
      greatest[partition] = Math.max(greatest[partition]!, timestamp);
    };
    for (let n = 0; n < 600; n++) {
      await send(n % 4, random.pick(["a", "b", "c"]), base + n * 4 - random.integer(2 * SIZE));
    }
    for (let partition = 0; partition < 4; partition++) {
      await send(partition, "end", base + 99 * SIZE);
    }
    await using state = new MemoryCache<number>({ maxBytes: Infinity });
    const app = new App({ commit: { interval: 50 } });
    const pause = () => new Promise((resolve) => setTimeout(resolve, random.integer(6)));
    const found = new Map<string, number>();
    let open = 0, most = 0;
    app.handle(
      topic,
      map(async (message) => {
        most = Math.max(most, ++open);
        await pause();
        open--;
        return message;
      }),
      tumbling({ size: SIZE, idle: "hold", into: count() }),
      async ({ id, value }) => {
        await pause();
        await state.update(["given", id], (times = 0) => times + 1);
        found.set(id, value);
      },
      { name: "count", state, concurrency: { max: 16, by: "none" } },
    );
    const streaming = app.stream();
    const wanted = new Map([...want].filter(([id]) => !id.includes("/end/")));
    await until(() => found.size === wanted.size);
    await app.close();
    await streaming;
    assertEquals(new Map([...found].toSorted()), new Map([...wanted].toSorted()));
    assertEquals(await Array.fromAsync(state.values()), Array(wanted.size).fill(1));
    assert(most > 8, `only ${most} at a time`);
  });
}

testOn(kafka)(
  "compares maxAhead with the time at which the broker has stored a message",
  async ({ make, broker, name }) => {
    await broker.ensure(name, { config: { "message.timestamp.type": "LogAppendTime" } });
    const topic = make();
    const stored = Date.now();
    const hour = 3_600_000;
    for (const time of [stored, stored + 3 * hour, stored + hour]) {
      await topic.send({
        key: "a",
        value: `${time}`,
      });
    }
    await using state = new MemoryCache({ maxBytes: Infinity });
    const late: number[] = [];
    // By this clock everything would be too far ahead.
    const app = new App({ clock: { ...systemClock, now: () => 0 }, commit: { interval: 20 } });
    const window = tumbling({
      size: { minutes: 1 },
      time: ({ value }: { value: string }) => Number(value),
      maxAhead: { hours: 2 },
      into: count(),
      late: ({ time }) => late.push(time),
    });
    const seen: number[] = [];
    app.handle(topic, window, ({ start }) => void seen.push(start), { name: "count", state });
    const streaming = app.stream();
    await until(() => seen.length === 1);
    await app.close();
    await streaming;
    // The second did not move the watermark, so the third is not late; the first is closed by the third.
    assertEquals(seen, [stored - stored % 60_000]);
    assertEquals(late, []);
  },
);
