import { assertEquals } from "@std/assert";
import { App, Checkpoint, type CheckpointEvent, Dependency, MemoryCache } from "../../mod.ts";
import { MemoryBroker } from "../../src/kafka/memory/mod.ts";
import type { Topic } from "../../src/kafka/mod.ts";
import { gateOf } from "../../src/flow/source/gate.ts";
import { type Event, eventTopic, until } from "../_support/events.ts";

Deno.test("Checkpoint takes the partitions of a Topic as parts, moves a Topic back, and marks what it sends again", async () => {
  await using broker = new MemoryBroker();
  await broker.ensure("weather", { partitions: 2 });
  for (const name of ["question", "answer"]) await broker.ensure(name, {});
  await using weather = eventTopic(broker, "weather");
  await using question = eventTopic(broker, "question");
  await using answer = eventTopic(broker, "answer");
  await using cache = new MemoryCache();
  const dependency = new Dependency("weather", weather, { downtimeThreshold: 1000 });
  const checkpoint = new Checkpoint("question", {
    dependent: question,
    dependencies: [dependency],
    correct: true,
    cache,
  });
  const app = new App({ commit: { interval: 20 } });
  const stored: Event[] = [];
  let handled = 0;
  app.handle(weather, async ({ value }) => {
    await checkpoint.heartbeat(value.time);
    stored.push(value);
  });
  app.handle(question, async ({ key, value: { time } }) => {
    await checkpoint.checkPulse(time);
    handled++;
    const known = stored.filter((each) => each.time <= time).map(({ value }) => value);
    return [key, { time, value: known.toSorted().join("") }] as const;
  }, { sink: answer });
  const answers: string[] = [];
  app.handle(answer, ({ value, headers }) => {
    const correction = headers.get("slipstream-correction");
    answers.push(`${value.value}${correction ? ` ${new TextDecoder().decode(correction)}` : ""}`);
  });
  const stop = new AbortController();
  const streaming = app.stream({ signal: stop.signal });

  await weather.send({ key: "a", value: { time: 1, value: "a" }, partition: 0 });
  await until(() => stored.length === 1);
  assertEquals(dependency.frontier, undefined); // nothing is known of the other partition
  await question.send({ key: "q", value: { time: 5 } });
  await until(() => handled === 1);
  await weather.send({ key: "b", value: { time: 4, value: "b" }, partition: 1 });
  await weather.send({ key: "a", value: { time: 9, value: "c" }, partition: 0 });
  await weather.send({ key: "b", value: { time: 9, value: "d" }, partition: 1 });
  await until(() => handled === 2);
  assertEquals(dependency.frontier, 9);
  await until(() => answers.length === 2);
  assertEquals(answers, ["a", "ab 1"]);
  stop.abort();
  await streaming;
});

Deno.test("Checkpoint has a Topic begin at its cursor, before what the group has committed", async () => {
  await using broker = new MemoryBroker();
  await broker.ensure("question", {});
  await using cache = new MemoryCache();
  const seen: number[] = [];
  async function run(until_: number) {
    await using question = eventTopic(broker, "question");
    const dependent = question;
    const silent = new Dependency(
      "silent",
      (async function* () {
        await new Promise(() => {});
        yield 0;
      })(),
    );
    const checkpoint = new Checkpoint("question", { dependent, dependencies: [silent], cache });
    const app = new App();
    app.handle(question, async ({ offset, value }, { correction }) => {
      await checkpoint.checkPulse(value.time);
      seen.push(correction === undefined ? offset : -offset);
    });
    const stop = new AbortController();
    const streaming = app.stream({ signal: stop.signal });
    if (until_ > 0) {
      for (let time = 0; time < until_; time++) await question.send({ value: { time } });
      await until(() => seen.length === until_);
    } else await until(() => seen.length === 6);
    assertEquals(gateOf(question).parts !== undefined, true);
    stop.abort();
    await streaming;
  }
  await run(4);
  // As after a crash in the middle of a correction, between the record and the positions.
  const key = "__question_";
  const record = structuredClone(await cache.get(key)) as { partitions: { cursor: number }[] };
  record.partitions[0]!.cursor = 2;
  await cache.set(key, record);
  await run(0);
  assertEquals(seen, [0, 1, 2, 3, -2, -3]);
});

Deno.test("Checkpoint marks a message that was in flight when its partition was taken away, and comes again", async () => {
  await using broker = new MemoryBroker();
  await broker.ensure("question", {});
  await using question = eventTopic(broker, "question");
  const [dependent, dependency] = [question, new Dependency("none", [0])];
  const checkpoint = new Checkpoint("question", { dependent, dependencies: [dependency] });
  const app = new App();
  const seen: string[] = [];
  const slow = Promise.withResolvers<void>();
  app.handle(question, async ({ offset, value }, { correction }) => {
    await checkpoint.checkPulse(value.time);
    if (seen.push(`${offset}${correction === undefined ? "" : " again"}`) === 1) await slow.promise;
  });
  const stop = new AbortController();
  const streaming = app.stream({ signal: stop.signal });
  await question.send({ value: { time: 1 } });
  await until(() => seen.length === 1);
  await broker.grow("question", 2); // the group moves
  await until(() => [...gateOf(question).parts!].length === 2);
  slow.resolve();
  await until(() => seen.length === 2);
  assertEquals(seen, ["0", "0 again"]);
  stop.abort();
  await streaming;
});

Deno.test("Checkpoint has a Topic begin where it was told to by seek(), in the middle of a correction too", async () => {
  await using broker = new MemoryBroker();
  await broker.ensure("question", {});
  await using cache = new MemoryCache();
  const seen: number[] = [];
  async function run(count: number, prepare: (question: Topic<string, Event>) => Promise<void>) {
    await using question = eventTopic(broker, "question");
    const silent = new Dependency("silent", new ReadableStream());
    const checkpoint = new Checkpoint("question", {
      dependent: question,
      dependencies: [silent],
      cache,
    });
    const app = new App();
    app.handle(question, async ({ offset, value }) => {
      await checkpoint.checkPulse(value.time);
      seen.push(offset);
    });
    await prepare(question);
    const stop = new AbortController();
    const streaming = app.stream({ signal: stop.signal });
    await until(() => seen.length === count);
    stop.abort();
    await streaming;
  }
  await run(4, async (question) => {
    for (let time = 0; time < 4; time++) await question.send({ value: { time } });
  });
  const key = "__question_";
  const record = structuredClone(await cache.get(key)) as { partitions: { cursor: number }[] };
  record.partitions[0]!.cursor = 1;
  await cache.set(key, record);
  await run(5, (question) => question.seek({ 0: 3 }));
  await run(6, async (question) => void await question.send({ value: { time: 4 } }));
  assertEquals(seen, [0, 1, 2, 3, 3, 4]);
});

Deno.test("Checkpoint makes again what is left of a Topic whose log has lost the first wrong result, and tells it", async () => {
  for (const lost of [2, 5]) { // in what was handled, and beyond
    await using broker = new MemoryBroker({ maxRecords: 5 });
    for (const name of ["weather", "question"]) await broker.ensure(name, {});
    await using weather = eventTopic(broker, "weather");
    await using question = eventTopic(broker, "question");
    const events: CheckpointEvent[] = [];
    const dependency = new Dependency("weather", weather, { downtimeThreshold: 10 });
    const checkpoint = new Checkpoint("question", {
      dependent: question,
      dependencies: [dependency],
      correct: true,
      onStatus: (event) => void events.push(event),
    });
    const app = new App();
    const again: number[] = [];
    let handled = 0;
    let stored = 0;
    app.handle(weather, async ({ value }) => {
      await checkpoint.heartbeat(value.time);
      stored++;
    });
    app.handle(question, async ({ offset, value }, { correction }) => {
      await checkpoint.checkPulse(value.time);
      handled++;
      if (correction !== undefined) again.push(offset);
    });
    const stop = new AbortController();
    const streaming = app.stream({ signal: stop.signal });
    await weather.send({ value: { time: 0 } });
    await until(() => stored === 1);
    for (const time of [5, 6, 7, 20]) await question.send({ value: { time } });
    await until(() => dependency.isDown && handled === 4);
    while ((await broker.offsets("question", "earliest")).get(0) !== lost) {
      await question.send({ value: { time: 21 } });
    }
    await weather.send({ value: { time: 4 } });
    await weather.send({ value: { time: 22 } });
    await until(() => handled === 4 + 5); // the log has five
    assertEquals(events.filter(({ type }) => type === "lost"), [
      { type: "lost", from: { 0: 0 }, to: { 0: lost } },
    ]);
    assertEquals(again, lost === 2 ? [2, 3] : []);
    assertEquals(checkpoint.staleState, {});
    stop.abort();
    await streaming;
  }
});
