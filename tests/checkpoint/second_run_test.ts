import { assertEquals, assertRejects } from "@std/assert";
import { App, Checkpoint, type CheckpointOptions, Dependency } from "../../mod.ts";
import { ManualClock, settle } from "../../src/testing/mod.ts";
import { Chain } from "../_support/chain_world.ts";
import { asOf, type Question, type Weather } from "../_support/join_world.ts";
import { Log, type LogMessage, LogSource } from "../_support/log_source.ts";

/** Questions about the weather, in an app that may run again. */
class Rerun {
  readonly clock: ManualClock = new ManualClock(1_000_000);
  readonly weather: Log<Weather> = new Log();
  readonly questions: Log<Question> = new Log();
  readonly log: string[] = [];
  readonly #app: App = new App({ clock: this.clock });
  #stop = new AbortController();

  constructor(
    options: Partial<CheckpointOptions<LogMessage<Question>>>,
    downtimeAfter = Infinity,
  ) {
    const weather = new LogSource(this.weather);
    const questions = new LogSource(this.questions);
    const checkpoint = new Checkpoint("questions", {
      dependent: questions,
      dependencies: [new Dependency("weather", weather, { downtimeAfter })],
      ...options,
    });
    const known: Weather[] = [];
    this.#app.handle(weather, async ({ value }) => {
      await checkpoint.heartbeat(value.time);
      known.push(value);
    });
    this.#app.handle(questions, async ({ value: { time } }) => {
      await checkpoint.checkPulse(time);
      this.log.push(asOf(known, time));
    });
  }

  /** Starts a run. */
  stream(): Promise<void> {
    this.#stop = new AbortController();
    return this.#app.stream({ signal: this.#stop.signal });
  }

  /** Ends the run in peace. */
  async stop(streaming: Promise<unknown>): Promise<void> {
    this.#stop.abort();
    await this.rest();
    await this.clock.tick(100);
    await streaming;
  }

  async rest(): Promise<void> {
    for (let turn = 0; turn < 40; turn++) await settle();
  }
}

Deno.test("Checkpoint corrects in a second run what was stale at the end of the first", async () => {
  const app = new Rerun({ correct: true, correctAfter: 5000 });
  const first = app.stream();
  app.weather.append({ time: 0, value: "sun" });
  await app.rest();
  app.questions.append({ time: 5 });
  app.questions.append({ time: 9 });
  await app.rest();
  app.weather.append({ time: 4, value: "rain" }); // stale, but not yet due
  await app.rest();
  await app.stop(first);
  assertEquals(app.log, ["sun", "sun"]);
  const second = app.stream();
  await app.rest();
  await app.clock.tick(5000);
  await app.rest();
  assertEquals(app.log, ["sun", "sun", "rain", "rain"]);
  await app.stop(second);
});

Deno.test("Checkpoint: what a callback throws between messages of a second run ends that run", async () => {
  const downtimeCallback = () => Promise.reject(new Error("from the callback"));
  const app = new Rerun({ downtimeCallback }, 500);
  const first = app.stream();
  app.weather.append({ time: 0, value: "sun" });
  await app.rest();
  app.questions.append({ time: 5 });
  await app.rest();
  await app.stop(first);
  const second = app.stream();
  const ended = assertRejects(() => second, Error, "from the callback");
  await app.rest();
  await app.clock.tick(600);
  await app.rest();
  await app.stop(ended);
});

Deno.test("A second run waits for a dependency of a dependency that had ended in the first", async () => {
  const chain = new Chain({ waits: true });
  await chain.run(async () => {
    chain.weather.append({ time: 0, value: "sun" });
    chain.weather.end();
    await chain.rest();
  });
  chain.weather.ended = false;
  await chain.run(async () => {
    chain.trips.append({ time: 10 });
    chain.trips.append({ time: 30 });
    await chain.rest();
    chain.bills.append({ time: 20 });
    await chain.rest();
    assertEquals(chain.log, []);
    chain.weather.append({ time: 5, value: "rain" });
    chain.weather.append({ time: 50, value: "fog" });
    await chain.rest();
    assertEquals(chain.log, ["rain"]);
  });
});

Deno.test("Checkpoint refuses two streams at once", async () => {
  const weather = [{ time: 0 }];
  const dependent = new LogSource(new Log<Question>());
  const dependency = new Dependency("weather", weather);
  const checkpoint = new Checkpoint("questions", { dependent, dependencies: [dependency] });
  const [first, second] = [new App(), new App()];
  first.handle(dependent, ({ value }) => void checkpoint.checkPulse(value.time));
  second.handle(weather, ({ time }) => checkpoint.heartbeat(time));
  const stop = new AbortController();
  const streaming = first.stream({ signal: stop.signal });
  for (let turn = 0; turn < 20; turn++) await settle();
  for (let time = 0; time < 2; time++) { // a refused run ends nothing of the first one
    await assertRejects(
      () => second.stream(),
      TypeError,
      'Cannot use checkpoint "questions" in two streams at once',
    );
  }
  stop.abort();
  await streaming;
  await second.stream(); // it is free again
});
