import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { App, Checkpoint, Dependency, Proxy } from "../../mod.ts";
import { ManualClock, settle } from "../../src/testing/mod.ts";
import { asOf, type Weather } from "../_support/join_world.ts";
import { Log, type LogMessage, LogSource } from "../_support/log_source.ts";

async function rest(): Promise<void> {
  for (let turn = 0; turn < 30; turn++) await settle();
}

/** A join that is corrected; its flows are made by the test. */
function join(weatherParts = 1) {
  const weather = new Log<Weather>(weatherParts);
  const questions = new Log<number>();
  const weathers = new LogSource(weather);
  const asked = new LogSource(questions);
  const dependency = new Dependency("weather", weathers);
  const checkpoint = new Checkpoint("questions", {
    dependent: asked,
    dependencies: [dependency],
    correct: true,
  });
  const app = new App({ clock: new ManualClock(1_000_000) });
  const store: Weather[] = [];
  const answers: string[] = [];
  const answer = async ({ value }: LogMessage<number>) => {
    await checkpoint.checkPulse(value);
    answers.push(asOf(store, value));
  };
  const save = async ({ value }: LogMessage<Weather>) => {
    await checkpoint.heartbeat(value.time);
    store.push(value);
  };
  const say = async (...messages: Weather[]) => {
    for (const message of messages) weather.append(message);
    await rest();
  };
  const ask = async (time: number) => {
    questions.append(time);
    await rest();
  };
  return { weathers, asked, dependency, checkpoint, app, store, answers, answer, save, say, ask };
}

/** Streams while `during` goes on; returns the error that the stream failed with. */
async function streaming(app: App, during: () => Promise<void>): Promise<unknown> {
  const abort = new AbortController();
  const streamed = app.stream({ signal: abort.signal, drainTimeout: 0 });
  const error = streamed.then(() => undefined, (error) => error);
  await rest();
  await during();
  abort.abort("over");
  return await error;
}

Deno.test("Checkpoint corrects what was made behind a Proxy", async () => {
  const { app, weathers, asked, save, answer, answers, say, ask } = join();
  const questions = new Proxy<LogMessage<number>>();
  app.handle(weathers, save);
  app.handle(asked, (message) => message, { sink: questions });
  app.handle(questions, answer);
  await streaming(app, async () => {
    await say({ time: 0, value: "sun" });
    await ask(5);
    await say({ time: 4, value: "rain" }, { time: 10, value: "snow" });
  });
  assertEquals(answers, ["sun", "rain"]);
});

Deno.test("Checkpoint takes a message whose heartbeat comes from behind a Proxy for stored once it is done", async () => {
  const { app, weathers, asked, checkpoint, dependency, store, answer, answers, say, ask } = join();
  const slow = Promise.withResolvers<void>();
  const received = new Proxy<Weather>();
  app.handle(weathers, ({ value }) => value, { sink: received });
  app.handle(received, async (weather) => {
    await checkpoint.heartbeat(weather.time);
    if (weather.time === 20) await slow.promise;
    store.push(weather);
  });
  app.handle(asked, answer);
  await streaming(app, async () => {
    await say({ time: 0, value: "sun" });
    await say({ time: 20, value: "rain" });
    assertEquals(dependency.frontier, 0);
    await ask(20);
    slow.resolve();
    await say({ time: 40, value: "snow" });
  });
  assertEquals(answers, ["sun", "rain"]);
});

Deno.test("Checkpoint that corrects refuses a pulse outside of handlers while the dependent is read", async () => {
  const { app, weathers, asked, checkpoint, save, say } = join();
  app.handle(weathers, save);
  app.handle(asked, () => {});
  await checkpoint.checkPulse(1); // nothing is read yet
  await streaming(app, async () => {
    await say({ time: 0, value: "sun" });
    await assertRejects(() => checkpoint.checkPulse(5), TypeError, "outside of the flows");
  });
});

Deno.test("Checkpoint that corrects refuses a pulse in a flow of another source", async () => {
  const { app, asked, answer, ask } = join();
  app.handle(asked, () => {});
  app.handle(new LogSource(seven()), answer);
  const error = await streaming(app, () => ask(5));
  assertStringIncludes((error as Error).message, "outside of the flows of its dependent");
});

Deno.test("Checkpoint that corrects refuses a heartbeat for a message of the dependent", async () => {
  const { app, weathers, asked, checkpoint, save, ask } = join();
  app.handle(weathers, save);
  app.handle(asked, async ({ value }) => void await checkpoint.heartbeat(value));
  const error = await streaming(app, () => ask(5));
  assertStringIncludes((error as Error).message, "a message of another source");
});

Deno.test("Checkpoint.keepAlive() for a message of the dependent is for all parts of the dependency", async () => {
  const { app, weathers, asked, checkpoint, dependency, save, ask, say } = join(2);
  app.handle(weathers, save);
  app.handle(asked, async ({ value }) => void await checkpoint.keepAlive(value));
  await streaming(app, async () => {
    await ask(5);
    assertEquals(dependency.frontier, 5);
    await say({ time: 10, value: "sun" });
    assertEquals(dependency.frontier, 5);
  });
});

Deno.test("Checkpoint goes on after a keep-alive that came before the partitions were known", async () => {
  const { app, weathers, asked, checkpoint, dependency, save, answer, say } = join();
  app.handle(weathers, save);
  app.handle(asked, answer);
  await checkpoint.keepAlive(0);
  await streaming(app, async () => {
    await say({ time: 10, value: "sun" });
    assertEquals(dependency.frontier, 10);
  });
});

function seven(): Log<number> {
  const log = new Log<number>();
  log.append(7);
  return log;
}
