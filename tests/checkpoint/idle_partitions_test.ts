import { assertEquals } from "@std/assert";
import { App, Checkpoint, Dependency, Proxy } from "../../mod.ts";
import { MemoryBroker } from "../../src/kafka/memory/mod.ts";
import { ManualClock, settle } from "../../src/testing/mod.ts";
import { eventTopic, until } from "../_support/events.ts";
import { Log, type LogMessage, LogSource } from "../_support/log_source.ts";

async function rest(): Promise<void> {
  for (let turn = 0; turn < 30; turn++) await settle();
}

/** Weather on two partitions, and questions that wait until the weather of their time is known. */
function waiting(parts = 2) {
  const weather = new Log<number | null>(parts);
  const questions = new Log<number>();
  const weathers = new LogSource(weather);
  const asked = new LogSource(questions);
  const dependency = new Dependency("weather", weathers, { idleParts: "pass" });
  const checkpoint = new Checkpoint<LogMessage<number>>("questions", {
    dependent: asked,
    dependencies: [dependency],
    mode: "wait",
    time: ({ value }) => value,
  });
  const app = new App({ clock: new ManualClock(1_000_000) });
  const answered: number[] = [];
  app.handle(asked, async ({ value }) => {
    await checkpoint.checkPulse(value);
    answered.push(value);
  });
  return { weather, questions, weathers, dependency, checkpoint, app, answered };
}

/** Streams while `during` goes on. */
async function streaming(app: App, during: () => Promise<void>): Promise<void> {
  const abort = new AbortController();
  const streamed = app.stream({ signal: abort.signal, drainTimeout: 0 });
  await rest();
  await during();
  abort.abort("over");
  await streamed.catch(() => {});
}

Deno.test("Checkpoint passes over a part whose last message makes no heartbeat", async () => {
  const { weather, questions, weathers, checkpoint, app, answered } = waiting();
  app.handle(weathers, async ({ value }) => {
    if (value !== null) await checkpoint.heartbeat(value);
  });
  weather.append(100, 0);
  weather.append(null, 1);
  await streaming(app, async () => {
    questions.append(50);
    await rest();
    assertEquals(answered, [50]);
  });
});

Deno.test("Checkpoint does not pass over a part whose last message is in flight", async () => {
  const { weather, questions, weathers, checkpoint, app, answered } = waiting();
  const later = new Proxy<number | null>();
  const slow = Promise.withResolvers<void>();
  app.handle(weathers, async ({ value, partition }) => {
    if (partition === 0) await checkpoint.heartbeat(value!);
    return partition === 1 ? value : undefined;
  }, { sink: later });
  app.handle(later, async () => await slow.promise);
  weather.append(3, 1);
  await streaming(app, async () => {
    weather.append(100, 0);
    questions.append(50);
    await rest();
    assertEquals(answered, []);
    slow.resolve();
    await rest();
    assertEquals(answered, [50]);
  });
});

Deno.test("Checkpoint takes a source that has ended for complete only when all its messages are done", async () => {
  const { weather, questions, weathers, checkpoint, app, answered } = waiting(1);
  const later = new Proxy<number | null>();
  const slow = Promise.withResolvers<void>();
  app.handle(weathers, ({ value }) => value, { sink: later });
  app.handle(later, async (time) => {
    await slow.promise;
    await checkpoint.heartbeat(time!, { part: 0 });
  });
  weather.append(10);
  weather.end();
  questions.append(5);
  await streaming(app, async () => {
    assertEquals(answered, []);
    slow.resolve();
    await rest();
    assertEquals(answered, [5]);
  });
});

Deno.test("Checkpoint passes over a partition of a Topic that has offsets and nothing visible", async () => {
  await using broker = new MemoryBroker();
  await broker.ensure("weather", { partitions: 2 });
  await broker.ensure("question", {});
  broker.skip("weather", 3, 1);
  await using weather = eventTopic(broker, "weather");
  await using question = eventTopic(broker, "question");
  const checkpoint = new Checkpoint("questions", {
    dependent: question,
    dependencies: [new Dependency("weather", weather, { idleParts: "pass" })],
    mode: "wait",
    time: ({ value }) => value.time,
  });
  const app = new App({ commit: { interval: 10 } });
  const answered: number[] = [];
  app.handle(weather, ({ value }) => checkpoint.heartbeat(value.time));
  app.handle(question, async ({ value: { time } }) => {
    await checkpoint.checkPulse(time);
    answered.push(time);
  });
  const stop = new AbortController();
  const streaming = app.stream({ signal: stop.signal });
  await weather.send({ key: "a", value: { time: 100, value: "a" }, partition: 0 });
  await question.send({ key: "q", value: { time: 50 } });
  await until(() => answered.length === 1);
  broker.skip("weather", 3, 1); // while it is read
  await weather.send({ key: "a", value: { time: 200, value: "b" }, partition: 0 });
  await question.send({ key: "q", value: { time: 150 } });
  await until(() => answered.length === 2);
  stop.abort();
  await streaming;
});
