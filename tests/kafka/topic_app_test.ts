/** Topic as the source and the sink of flows, in the engine, on every broker. */
import { assertEquals, assertRejects } from "@std/assert";
import { App, Proxy, SinkError } from "../../mod.ts";
import { tombstone } from "../../src/tombstone.ts";
import type { Topic } from "../../src/kafka/topic/topic.ts";
import { unique } from "../_support/kafka.ts";
import { texts, write } from "../_support/records.ts";
import { committedOf, RARELY, untilStopped } from "../_support/topic_app.ts";
import { kafka, memory, testOn, type TopicFixture } from "../_support/topic_fixture.ts";

/** Asks what the group has committed of partition 0 until it is `least` or more. */
async function committedAtLeast(topic: Pick<Topic, "offsets">, least: number): Promise<number> {
  for (;;) {
    const [committed = 0] = await committedOf(topic);
    if (committed >= least) return committed;
  }
}

function testApp(fixture: TopicFixture): void {
  const test = testOn(fixture);

  test("in a flow: every message in order, committed when the app stops", async ({ broker, name, make }) => {
    await broker.ensure(name, { partitions: 1 });
    await write(broker, name, texts("v", 500));
    const topic = make();
    const { signal, stop } = untilStopped();
    const seen: string[] = [];
    const app = new App({ commit: RARELY });
    app.handle(topic, ({ value }) => value, {
      sink: (value) => {
        if (seen.push(value) === 500) stop();
      },
    });
    await app.stream({ signal });
    assertEquals(seen, texts("v", 500));
    assertEquals(await committedOf(topic), [500]);
  });

  test("goes on where it was committed when the app streams again", async ({ broker, name, make }) => {
    await broker.ensure(name, { partitions: 1 });
    await write(broker, name, texts("v", 10));
    const topic = make();
    const seen: number[] = [];
    let ended = untilStopped();
    const app = new App({ commit: RARELY });
    app.handle(topic, ({ offset }) => {
      if (seen.push(offset) % 4 === 0) ended.stop();
    });
    await app.stream({ signal: ended.signal });
    ended = untilStopped();
    await app.stream({ signal: ended.signal });
    assertEquals(seen, [0, 1, 2, 3, 4, 5, 6, 7]);
    assertEquals(await committedOf(topic), [8]);
  });

  test("commits by the app's commit, while it streams", async ({ broker, name, make }) => {
    await broker.ensure(name, { partitions: 1 });
    await write(broker, name, texts("v", 30));
    const topic = make();
    const { signal, stop } = untilStopped();
    const committed = Promise.withResolvers<void>();
    const app = new App({ commit: { ...RARELY, messages: 10 } });
    app.handle(topic, async ({ offset }) => {
      if (offset < 29) return;
      await committedAtLeast(topic, 20);
      committed.resolve();
    });
    const streaming = app.stream({ signal });
    await committed.promise;
    stop();
    await streaming;
    assertEquals(await committedOf(topic), [30]);
  });

  test("is delivered again what was in flight when the app was ended at once", async ({ broker, name, make }) => {
    await broker.ensure(name, { partitions: 1 });
    await write(broker, name, texts("v", 5));
    const topic = make();
    const { signal, stop } = untilStopped();
    const app = new App({ commit: { ...RARELY, messages: 2 } });
    const never = new Promise<void>(() => {});
    let committed = NaN;
    app.handle(topic, async ({ offset }) => {
      if (offset < 3) return;
      committed = await committedAtLeast(topic, 2);
      stop();
      await never;
    });
    await assertRejects(() => app.stream({ signal, drainTimeout: 1 }), Error, "drainTimeout");
    await topic.close();
    const again = make();
    for await (const { offset } of again) {
      assertEquals(offset, committed);
      break;
    }
  });

  test("into a topic: what flows out is confirmed before what flowed in is committed", async ({ broker, name, make }) => {
    await broker.ensure(name, { partitions: 1 });
    await write(broker, name, texts("v", 300));
    const topic = make();
    const out = make({}, unique("out"));
    const { signal, stop } = untilStopped();
    const app = new App({ commit: RARELY });
    app.handle(topic, function* ({ offset, value }) {
      yield [value, value.toUpperCase()] as const;
      yield { key: value, value: tombstone };
      if (offset === 299) stop();
    }, { sink: out });
    await app.stream({ signal });
    assertEquals(await committedOf(topic), [300]);
    assertEquals((await out.offsets()).get(0)?.high, 600);
  });

  test("into a topic that refuses one value: the error names it, and its source is not committed", async ({ broker, name, make }) => {
    await broker.ensure(name, { partitions: 1 });
    await write(broker, name, ["a", "x".repeat(900_000), "c"]);
    const topic = make();
    const out = make({}, unique("out"));
    const app = new App({ commit: RARELY });
    app.handle(topic, ({ value }) => ["key", value + value] as const, { sink: out, name: "twice" });
    const error = await assertRejects(() => app.stream(), SinkError, '"key"');
    assertEquals([error.flow, error.topic, error.offset], ["twice", name, 1]);
    assertEquals(await committedOf(topic), [1]);
    assertEquals((await out.offsets()).get(0)?.high, 1);
  });

  test("in two flows: a message is committed when both are done with it", async ({ broker, name, make }) => {
    await broker.ensure(name, { partitions: 1 });
    await write(broker, name, texts("v", 6));
    const topic = make();
    const calls: string[] = [];
    const app = new App({ commit: RARELY });
    app.handle(topic, ({ offset }) => void calls.push(`a${offset}`));
    app.handle(topic, async ({ offset }) => {
      await Promise.resolve();
      calls.push(`b${offset}`);
      if (offset === 3) throw new Error("broken");
    });
    await assertRejects(() => app.stream(), Error, "broken");
    assertEquals(calls, ["a0", "b0", "a1", "b1", "a2", "b2", "a3", "b3"]);
    assertEquals(await committedOf(topic), [3]);
  });

  test("through a Proxy: a message is committed when the flow behind it is done", async ({ broker, name, make }) => {
    await broker.ensure(name, { partitions: 1 });
    await write(broker, name, texts("v", 8));
    const topic = make();
    const between = new Proxy<string>();
    const app = new App({ commit: RARELY });
    const done: string[] = [];
    app.handle(topic, ({ value }) => value, { sink: between });
    app.handle(between, (value) => {
      if (value === "v5") throw new Error("broken");
      done.push(value);
    });
    await assertRejects(() => app.stream(), Error, "broken");
    assertEquals(done, texts("v", 5));
    assertEquals(await committedOf(topic), [5]);
  });

  test("is paused and resumed by the app", async ({ broker, name, make }) => {
    await broker.ensure(name, { partitions: 1 });
    await write(broker, name, texts("v", 4));
    const topic = make();
    const { signal, stop } = untilStopped();
    const paused = Promise.withResolvers<void>();
    const seen: number[] = [];
    const app = new App({
      commit: RARELY,
      onStatus: (event) => {
        if (event.type === "gate" && event.reasons.length > 0) paused.resolve();
      },
    });
    app.handle(topic, ({ offset }) => {
      seen.push(offset);
      if (offset === 1) app.pause(topic);
      if (offset === 4) stop();
    });
    const streaming = app.stream({ signal });
    await paused.promise;
    await topic.send({ value: "later" });
    assertEquals(seen, [0, 1]);
    app.resume(topic);
    await streaming;
    assertEquals(seen, [0, 1, 2, 3, 4]);
  });

  test("seeks from inside a handler", async ({ broker, name, make }) => {
    await broker.ensure(name, { partitions: 1 });
    await write(broker, name, texts("v", 10));
    const topic = make();
    const { signal, stop } = untilStopped();
    const seen: number[] = [];
    const app = new App({ commit: RARELY });
    app.handle(topic, async ({ offset }) => {
      seen.push(offset);
      if (offset === 3 && seen.length === 4) await topic.seek({ 0: 1 });
      if (offset === 9) stop();
    });
    await app.stream({ signal });
    assertEquals(seen, [0, 1, 2, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assertEquals(await committedOf(topic), [10]);
  });

  test("hands its partitions over after a commit: nothing is handled twice", async ({ broker, name, make }) => {
    await broker.ensure(name, { partitions: 2 });
    for (const partition of [0, 1]) {
      await write(broker, name, texts(`${partition}-`, 50), partition);
    }
    const seen: string[] = [];
    const told = new Map<number, () => void>();
    const until = (count: number) =>
      new Promise<void>((resolve) => seen.length >= count ? resolve() : told.set(count, resolve));
    const run = () => {
      const { signal, stop } = untilStopped();
      const app = new App({ commit: RARELY });
      app.handle(make(), ({ value }) => {
        seen.push(value);
        told.get(seen.length)?.();
      });
      return { stop, streaming: app.stream({ signal }) };
    };
    const first = run();
    await until(100);
    const second = run();
    for (const partition of [0, 1]) {
      await write(broker, name, texts(`more${partition}-`, 50), partition);
    }
    await until(200);
    first.stop();
    await first.streaming;
    for (const partition of [0, 1]) {
      await write(broker, name, texts(`last${partition}-`, 50), partition);
    }
    await until(300);
    second.stop();
    await second.streaming;
    assertEquals([seen.length, new Set(seen).size], [300, 300]);
  });
}

testApp(memory);
testApp(kafka);
