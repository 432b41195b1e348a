import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { App, Checkpoint, Dependency, HandlerError } from "../../mod.ts";
import { gateOf } from "../../src/flow/gate.ts";
import { settle } from "../../src/testing/mod.ts";
import { Log, LogSource } from "../_support/log_source.ts";
import { type Process, World } from "../_support/join_world.ts";

/** Appends questions for `times` to one partition. */
function ask(world: World, times: readonly number[], partition = 0): void {
  for (const time of times) world.questions.append({ time }, partition);
}

function say(world: World, time: number, value: string, part = 0, dependency = 0): void {
  world.weathers[dependency]!.append({ time, value }, part);
}

function isPaused({ questions }: Process): boolean {
  return gateOf(questions).closed;
}

Deno.test("Checkpoint: a heartbeat clears nothing old", async () => {
  const world = new World();
  const process = world.start();
  say(world, 0, "sun");
  await process.rest();
  ask(world, [5, 6]);
  await process.rest();
  world.weather.append({ time: 4 }); // a sign of life before them
  await process.rest();
  say(world, 5, "rain"); // and what belongs into them
  say(world, 10, "snow");
  await process.rest();
  assertEquals(process.log, ["0:0 sun", "0:1 sun", "0:0 rain again", "0:1 rain again"]);
  await process.close();
  assertEquals(world.answers, world.truth);
});

Deno.test("Checkpoint redoes results after a late dependency message without an outage", async () => {
  const world = new World();
  const process = world.start();
  say(world, 0, "sun");
  await process.rest();
  ask(world, [5, 6, 7]);
  await process.rest();
  say(world, 6, "rain");
  say(world, 8, "snow");
  await process.rest();
  assertEquals(process.events, [{ type: "correcting", from: { 0: 1 }, dependencies: ["weather"] }]);
  assertEquals(process.log.slice(3), ["0:1 rain again", "0:2 rain again"]);
  await process.close();
});

Deno.test("Checkpoint redoes dirty results after correctAfterMs when the frontier does not pass them", async () => {
  const world = new World();
  const process = world.start({ checkpoint: { correctAfterMs: 5000 } });
  say(world, 0, "sun");
  await process.rest();
  ask(world, [5, 9]);
  await process.rest();
  say(world, 4, "rain");
  await process.rest();
  await world.clock.tick(4999);
  assertEquals(process.log.length, 2);
  await world.clock.tick(1);
  await process.rest();
  assertEquals(process.log.slice(2), ["0:0 rain again", "0:1 rain again"]);
  await process.close();
});

Deno.test("Checkpoint redoes what was read between a heartbeat and its store write", async () => {
  const world = new World();
  const stored = Promise.withResolvers<void>();
  const process = world.start({ beforeStore: ({ time }) => time === 10 && stored.promise });
  say(world, 0, "sun");
  await process.rest();
  say(world, 10, "rain");
  await process.rest();
  ask(world, [10, 12]);
  await process.rest();
  assertEquals(process.log, ["0:0 sun", "0:1 sun"]);
  stored.resolve();
  say(world, 20, "snow");
  await process.rest();
  assertEquals(process.log.slice(2), ["0:0 rain again", "0:1 rain again"]);
  await process.close();
});

Deno.test("Checkpoint takes equal times on two partitions for not known yet", async () => {
  const world = new World({ weatherParts: 2 });
  const process = world.start();
  say(world, 10, "a", 0);
  say(world, 10, "b", 1);
  await process.rest();
  ask(world, [10]);
  await process.rest();
  assertEquals(process.log, ["0:0 b"]);
  say(world, 10, "c", 0); // the same time again
  say(world, 11, "d", 0);
  say(world, 11, "e", 1);
  await process.rest();
  assertEquals(process.log.slice(1), ["0:0 c again"]);
  await process.close();
});

Deno.test("Checkpoint is as far as a dependency's lagging part", async () => {
  const world = new World({ weatherParts: 2 });
  const process = world.start({ dependency: { downtimeThreshold: 1000 } });
  say(world, 0, "sun", 1);
  say(world, 50, "rain", 0);
  await process.rest();
  assertEquals(process.dependency.frontier, 0);
  ask(world, [60]);
  await process.rest();
  say(world, 55, "fog", 1);
  say(world, 70, "sun", 0);
  await process.rest();
  assertEquals(process.log, ["0:0 rain"]);
  say(world, 70, "sun", 1);
  await process.rest();
  assertEquals(process.log.slice(1), ["0:0 fog again"]);
  await process.close();
});

Deno.test("Checkpoint goes on without parts that are read to their end, when told so", async () => {
  const world = new World({ weatherParts: 2 });
  const process = world.start({ dependency: { idleParts: "pass" } });
  say(world, 50, "rain", 0);
  await process.rest();
  assertEquals(process.dependency.frontier, 50);
  await process.close();
});

Deno.test("Checkpoint covers a dependency out of order within latenessMs, and reports what comes later", async () => {
  const world = new World();
  const process = world.start({ dependency: { latenessMs: 10 } });
  say(world, 20, "rain");
  ask(world, [12]);
  await process.rest();
  say(world, 11, "fog"); // within
  say(world, 40, "snow");
  await process.rest();
  assertEquals(process.log, ["0:0 ?", "0:0 fog again"]);
  say(world, 12, "too late");
  await process.rest();
  assertEquals(process.events.at(-1), { type: "late", dependency: "weather", marker: 12 });
  await process.close();
});

Deno.test("Checkpoint recovers by the slowest partition, not by the last pulse", async () => {
  const world = new World({ questionParts: 2 });
  const process = world.start();
  say(world, 0, "sun");
  await process.rest();
  ask(world, [10], 0);
  await process.rest();
  ask(world, [14], 1); // the largest time
  await process.rest();
  ask(world, [2, 3], 0); // the last pulses
  await process.rest();
  world.questions.append({ time: 16 }, 1);
  await process.rest();
  ask(world, [4], 0);
  await process.rest();
  assert(isPaused(process));
  say(world, 5, "rain"); // past the last pulse
  await process.rest();
  assert(isPaused(process));
  say(world, 17, "snow"); // past all
  await process.rest();
  assert(!isPaused(process));
  await process.close();
  assertEquals(world.answers, world.truth);
});

Deno.test("Checkpoint goes on when the second of two dependencies has recovered", async () => {
  const world = new World({ dependencies: 2 });
  const recovered: string[] = [];
  const process = world.start({
    checkpoint: { recoveryCallback: (_, { name }) => void recovered.push(name) },
  });
  say(world, 0, "a", 0, 0);
  say(world, 0, "x", 0, 1);
  await process.rest();
  ask(world, [20, 21]);
  await process.rest();
  assertEquals(process.checkpoint.dependencies.size, 2);
  assertEquals(process.dependencies.map(({ isDown }) => isDown), [true, true]);
  say(world, 19, "b", 0, 1);
  say(world, 30, "c", 0, 1);
  await process.rest();
  assertEquals(process.dependencies.map(({ isDown }) => isDown), [true, false]);
  assert(isPaused(process));
  say(world, 18, "y", 0, 0);
  say(world, 30, "z", 0, 0);
  await process.rest();
  assert(!isPaused(process));
  assertEquals(recovered, ["weather"]);
  assertEquals(process.log, ["0:0 a,x", "0:0 y,b again", "0:1 y,b"]);
  await process.close();
});

Deno.test("Checkpoint survives a second outage during the correction", async () => {
  const world = new World();
  const process = world.start({ dependency: { downtimeAfterMs: 100 } });
  say(world, 0, "sun");
  await process.rest();
  ask(world, [5, 6, 30]);
  await process.rest();
  assert(isPaused(process));
  say(world, 5, "rain");
  say(world, 31, "fog");
  await process.rest();
  assertEquals(process.log.slice(3), ["0:0 rain again", "0:1 rain again", "0:2 rain again"]);
  ask(world, [50, 51]); // down again, found by a new message
  await process.rest();
  assert(isPaused(process));
  say(world, 40, "hail");
  say(world, 52, "sun");
  await process.rest();
  assertEquals(process.log.slice(6), ["0:3 fog", "0:3 hail again", "0:4 hail"]);
  assertEquals(process.events.filter(({ type }) => type === "down").length, 2);
  await process.close();
  assertEquals(world.answers, world.truth);
});

Deno.test("Checkpoint pauses in the middle of a correction when the dependency falls silent", async () => {
  const world = new World();
  const slow = Promise.withResolvers<void>();
  let again = false;
  const process = world.start({
    dependency: { downtimeAfterMs: 100 },
    beforeAnswer: ({ offset }) => again && offset === 1 ? slow.promise : undefined,
  });
  say(world, 0, "sun");
  await process.rest();
  ask(world, [5, 6, 7]);
  await process.rest();
  again = true;
  say(world, 4, "rain");
  say(world, 8, "fog");
  await process.rest();
  await world.clock.tick(100);
  slow.resolve();
  await process.rest();
  assert(isPaused(process));
  assertEquals(process.log.slice(3), ["0:0 rain again", "0:1 rain again"]);
  say(world, 9, "snow");
  await process.rest();
  assertEquals(process.log.slice(5), ["0:2 rain again"]);
  await process.close();
});

Deno.test("Checkpoint starts paused after a crash while paused, and recovers", async () => {
  const world = new World();
  const first = world.start();
  say(world, 0, "sun");
  await first.rest();
  ask(world, [5, 20, 21]);
  await first.rest();
  assert(isPaused(first));
  await first.close();
  const second = world.start();
  await second.rest();
  assert(isPaused(second));
  assertEquals(second.log, []);
  say(world, 4, "rain");
  say(world, 30, "snow");
  await second.rest();
  assertEquals(second.log, ["0:0 rain again", "0:1 rain again", "0:2 rain"]);
  await second.close();
  assertEquals(world.answers, world.truth);
});

Deno.test("Checkpoint makes every result right after a crash between any two steps of the barrier", async () => {
  for (const step of ["sinks", "stores", "record", "positions"]) {
    for (const when of ["before the correction", "in the correction", "after it"]) {
      const world = new World();
      const options = {
        checkpoint: { correctAfterMs: Infinity },
        onBarrier: (at: string) => armed && at === step ? new Promise(() => {}) : undefined,
        beforeAnswer: ({ offset }: { offset: number }) =>
          when === "in the correction" && armed && offset === 2 ? new Promise(() => {}) : undefined,
      };
      let armed = false;
      const first = world.start(options);
      say(world, 0, "sun");
      await first.rest();
      ask(world, [5, 6, 7, 8]);
      await first.rest();
      await world.clock.tick(1000);
      armed = true;
      say(world, 6, "rain");
      await first.rest();
      if (when !== "before the correction") {
        say(world, 20, "snow");
        await first.rest();
      }
      await world.clock.tick(1000); // a barrier that stops before the step
      await first.crash();

      const second = world.start();
      await second.rest();
      say(world, 30, "fog");
      await second.rest();
      await second.close();
      assertEquals(world.answers, world.truth, `${step}, ${when}`);
      for (const { place, corrects } of second.emitted) {
        assert(corrects, `${place} was handled before (${step}, ${when})`);
      }
    }
  }
});

Deno.test("Checkpoint begins at its cursor when it crashed between the record and the positions", async () => {
  const world = new World();
  let stop = false;
  const first = world.start({
    onBarrier: (step) => stop && step === "positions" ? new Promise(() => {}) : undefined,
    beforeAnswer: ({ offset }) => stop && offset === 2 ? new Promise(() => {}) : undefined,
  });
  say(world, 0, "sun");
  await first.rest();
  ask(world, [5, 6, 7, 8]);
  await first.rest();
  await world.clock.tick(1000);
  assertEquals(world.questions.committed, [4]);
  stop = true;
  say(world, 6, "rain");
  say(world, 20, "snow");
  await first.rest();
  await world.clock.tick(1000);
  assertEquals(world.questions.committed, [4]); // the record knows better
  await first.crash();
  const second = world.start();
  await second.rest();
  assertEquals(second.questions.began, [2]);
  await second.close();
  assertEquals(world.answers, world.truth);
});

Deno.test("Checkpoint waits for the dependency when both streams replay a backlog at start", async () => {
  const world = new World({ questionParts: 2 });
  ask(world, [1, 20, 40, 60], 0);
  ask(world, [3, 30, 50], 1);
  for (let time = 0; time <= 70; time += 10) say(world, time, `t${time}`);
  const process = world.start({ beforeStore: () => settle() });
  await process.rest();
  await process.rest();
  await process.close();
  assertEquals(world.answers, world.truth);
  assert(process.events.some(({ type }) => type === "down"));
});

Deno.test("Checkpoint takes a sparse dependency for down, unless it sends keep-alives", async () => {
  for (const alive of [false, true]) {
    const world = new World();
    const process = world.start();
    say(world, 0, "sun");
    for (let time = 10; time <= 40; time += 10) {
      if (alive) world.weather.append({ time });
      await process.rest();
      ask(world, [time]);
      await process.rest();
    }
    assertEquals(isPaused(process), !alive);
    assertEquals(process.emitted.some(({ corrects }) => corrects), false);
    await process.close();
  }
});

Deno.test('Checkpoint takes a dependency that ends for complete, or with onEnd: "down" for down', async () => {
  for (const onEnd of ["final", "down"] as const) {
    const world = new World();
    const process = world.start({ dependency: { onEnd } });
    say(world, 0, "sun");
    await process.rest();
    ask(world, [5]);
    await process.rest();
    say(world, 4, "rain");
    world.weather.end();
    await process.rest();
    assertEquals(isPaused(process), onEnd === "down");
    ask(world, [1000]);
    await process.rest();
    assertEquals(
      process.log,
      onEnd === "final" ? ["0:0 sun", "0:0 rain again", "0:1 rain"] : ["0:0 sun"],
    );
    await process.close();
  }
});

Deno.test("Checkpoint lets the dependent of a dead dependency go on after maxPauseMs, and corrects later", async () => {
  const world = new World();
  const process = world.start({ checkpoint: { maxPauseMs: 60_000 } });
  say(world, 0, "sun");
  await process.rest();
  ask(world, [20, 21, 22]);
  await process.rest();
  await world.clock.tick(59_999);
  await process.rest();
  assertEquals(process.log, ["0:0 sun"]);
  await world.clock.tick(1);
  await process.rest();
  assertEquals(process.log, ["0:0 sun", "0:1 sun", "0:2 sun"]);
  assertEquals(process.events.at(-1), { type: "pause_expired", dependencies: ["weather"] });
  say(world, 19, "rain");
  say(world, 30, "snow");
  await process.rest();
  assertEquals(process.log.slice(3), ["0:0 rain again", "0:1 rain again", "0:2 rain again"]);
  await process.close();
});

Deno.test("Checkpoint corrects three partitions of different speed, each from its first stale result", async () => {
  const world = new World({ questionParts: 3 });
  const process = world.start();
  say(world, 0, "sun");
  await process.rest();
  ask(world, [10, 11, 12], 0);
  ask(world, [2, 10, 14], 1);
  ask(world, [1, 2, 3], 2);
  await process.rest();
  say(world, 10, "rain");
  say(world, 20, "snow");
  await process.rest();
  assertEquals(process.questions.sought, [{ 0: 0, 1: 1 }]);
  await process.close();
  assertEquals(world.answers, world.truth);
});

Deno.test("Checkpoint hands an error of a callback to the flow's policy, after its state has changed", async () => {
  const world = new World();
  const process = world.start({
    checkpoint: {
      downtimeCallback: () => {
        throw new Error("no more");
      },
    },
  });
  say(world, 0, "sun");
  await process.rest();
  ask(world, [20]);
  await process.rest();
  await process.streaming.catch(() => {});
  assert(process.error instanceof HandlerError);
  assertEquals(process.error.message.split(": ").at(-1), "no more");
  assert(process.dependency.isDown && isPaused(process));

  const other = new World();
  const recovering = other.start({
    checkpoint: {
      recoveryCallback: () => Promise.reject(new Error("not again")),
    },
  });
  say(other, 0, "sun");
  await recovering.rest();
  ask(other, [20]);
  await recovering.rest();
  say(other, 30, "rain");
  await recovering.rest();
  await recovering.streaming.catch(() => {});
  assert(recovering.error instanceof HandlerError);
  assertEquals(recovering.error.flow, "weather");
  assert(!recovering.dependency.isDown && !isPaused(recovering));
  await process.crash();
  await recovering.crash();
});

Deno.test("Checkpoint.staleState has the least dirty position of each partition, for callbacks that seek", async () => {
  const world = new World({ questionParts: 2 });
  let stale: unknown;
  const process = world.start({
    checkpoint: {
      correct: false,
      recoveryCallback: (checkpoint, { checkpointState }) => {
        stale = [checkpoint.staleState, checkpointState];
        gateOf(checkpoint.dependent).seek(checkpoint.staleState);
      },
    },
  });
  say(world, 0, "sun");
  await process.rest();
  ask(world, [1, 5, 6], 0);
  ask(world, [2, 7, 16], 1);
  await process.rest();
  say(world, 5, "rain");
  say(world, 30, "snow");
  await process.rest();
  assertEquals(stale, [{ 0: 1, 1: 1 }, { 0: 2, 1: 2 }]);
  await process.close();
  assertEquals(world.answers, world.truth);
});

Deno.test('Checkpoint in mode "wait" holds each partition until the frontier has passed its next message', async () => {
  const world = new World({ questionParts: 2 });
  const process = world.start({ checkpoint: { mode: "wait", time: ({ value }) => value.time } });
  say(world, 10, "sun");
  ask(world, [5, 30], 0);
  ask(world, [40], 1);
  await process.rest();
  assertEquals(process.log, ["0:0 ?"]);
  say(world, 35, "rain");
  await process.rest();
  assertEquals(process.log, ["0:0 ?", "0:1 sun"]);
  say(world, 41, "snow");
  await process.rest();
  assertEquals(process.log, ["0:0 ?", "0:1 sun", "1:0 rain"]);
  await process.close();
  assertEquals(world.answers, world.truth);
});

Deno.test('Checkpoint in mode "wait" takes a wait of waitMs for an outage', async () => {
  const world = new World();
  const process = world.start({
    checkpoint: { mode: "wait", time: ({ value }) => value.time, waitMs: 500 },
  });
  say(world, 10, "sun");
  ask(world, [12, 13]);
  await process.rest();
  assertEquals(process.log, []);
  await world.clock.tick(500);
  await process.rest();
  assertEquals(process.log, ["0:0 sun"]);
  assertEquals(process.downtimes, [2]);
  assert(isPaused(process));
  say(world, 11, "rain");
  say(world, 20, "snow");
  await process.rest();
  assertEquals(process.log, ["0:0 sun", "0:0 rain again", "0:1 rain"]);
  await process.close();
});

Deno.test("Checkpoint ignores and reports a message stamped 2099", async () => {
  const world = new World();
  const process = world.start();
  const far = Date.UTC(2099, 0);
  say(world, 0, "sun");
  await process.rest();
  ask(world, [5, far, 6]);
  await process.rest();
  assertEquals(process.log, ["0:0 sun", "0:1 sun", "0:2 sun"]);
  world.weather.append({ time: far });
  await process.rest();
  assertEquals(process.dependency.frontier, 0);
  assertEquals(process.events, [
    { type: "ahead", dependency: undefined, marker: far },
    { type: "ahead", dependency: "weather", marker: far },
  ]);
  await process.close();
});

Deno.test("Dependency that is silent for downtimeAfterMs is down, but not while we pause it", async () => {
  const world = new World();
  const process = world.start({ dependency: { downtimeAfterMs: 1000 } });
  say(world, 0, "sun");
  await process.rest();
  gateOf(process.weather).pause("rest");
  await world.clock.tick(5000);
  assertEquals(process.dependency.isDown, false);
  gateOf(process.weather).resume("rest");
  await world.clock.tick(999);
  assertEquals(process.dependency.isDown, false);
  await world.clock.tick(1);
  assertEquals([process.dependency.isDown, process.dependency.frontier], [true, 0]);
  assert(isPaused(process));
  await process.close();
});

Deno.test("Context.correction names the epoch, the border and the dependencies, and a flow may skip replays", async () => {
  const world = new World();
  const process = world.start();
  const skipping = new World();
  const other = skipping.start({ replays: "skip" });
  for (const each of [world, skipping]) {
    say(each, 0, "sun");
    await process.rest();
    ask(each, [5, 6]);
    await process.rest();
  }
  for (const each of [world, skipping]) {
    say(each, 6, "rain");
    say(each, 9, "fog");
    await process.rest();
    ask(each, [8]);
  }
  await process.rest();
  const correction = { epoch: 1, until: 2, dependencies: ["weather"] };
  assertEquals(process.contexts.slice(2), [correction, undefined]);
  assertEquals(other.log, ["0:0 sun", "0:1 sun", "0:2 rain"]);
  await process.close();
  await other.close();
});

Deno.test("Checkpoint with correct refuses a dependent that has no positions", async () => {
  const dependency = new Dependency("d", new LogSource(new Log<number>()));
  const log = new Log<number>();
  const source = new LogSource(log);
  Object.defineProperty(source, "seek", { value: undefined });
  const checkpoint = new Checkpoint("c", {
    dependent: source,
    dependencies: [dependency],
    correct: true,
  });
  const app = new App();
  app.handle(source, () => {});
  await assertRejects(
    () => app.stream(),
    TypeError,
    "its dependent has no positions to go back to",
  );
  assertEquals(checkpoint.name, "c");
});

Deno.test("Two checkpoints on one dependent: it goes on when neither is down, from the lesser position", async () => {
  const questions = new Log<number>();
  const dependent = new LogSource(questions);
  const logs = [new Log<number>(), new Log<number>()];
  const sources = logs.map((log) => new LogSource(log));
  const [first, second] = sources.map((source, index) =>
    new Checkpoint(`c${index}`, {
      dependent,
      dependencies: [new Dependency("d", source, { downtimeThreshold: 10 })],
      correct: true,
    })
  );
  const handled: number[] = [];
  const app = new App();
  app.handle(sources[0]!, ({ value }) => void first!.heartbeat(value));
  app.handle(sources[1]!, ({ value }) => void second!.heartbeat(value));
  app.handle(dependent, async ({ offset, value }) => {
    await first!.checkPulse(value);
    await second!.checkPulse(value);
    handled.push(offset);
  });
  const stop = new AbortController();
  const streaming = app.stream({ signal: stop.signal });
  const rest = async () => {
    for (let turn = 0; turn < 20; turn++) await settle();
  };
  for (const log of logs) log.append(0);
  await rest();
  for (const time of [1, 2, 3, 20]) questions.append(time);
  await rest();
  assertEquals(gateOf(dependent).reasons, ["checkpoint c0", "checkpoint c1"]);
  logs[0]!.append(3);
  logs[0]!.append(21);
  await rest();
  assertEquals(gateOf(dependent).reasons, ["checkpoint c1"]);
  logs[1]!.append(2);
  logs[1]!.append(21);
  await rest();
  assertEquals(dependent.sought, [{ 0: 2 }, { 0: 1 }]);
  assertEquals(handled, [0, 1, 2, 3, 1, 2, 3]);
  stop.abort();
  await streaming;
});

Deno.test("A dependent that is also a dependency holds the frontier of its own dependent back", async () => {
  const logs = { weather: new Log<number>(), trips: new Log<number>(), bills: new Log<number>() };
  const weather = new LogSource(logs.weather);
  const trips = new LogSource(logs.trips);
  const bills = new LogSource(logs.bills);
  const upper = new Checkpoint("trips", {
    dependent: trips,
    dependencies: [new Dependency("weather", weather)],
    correct: true,
  });
  const trip = new Dependency("trips", trips);
  const lower = new Checkpoint("bills", { dependent: bills, dependencies: [trip], correct: true });
  const billed: string[] = [];
  const app = new App();
  let known = "";
  let trips_ = "";
  app.handle(weather, async ({ value }) => {
    await upper.heartbeat(value);
    known = `w${value}`;
  });
  app.handle(trips, async ({ value }) => {
    await upper.checkPulse(value);
    await lower.heartbeat(value);
    trips_ = `trip ${value} in ${known}`;
  });
  app.handle(bills, async ({ value }) => {
    await lower.checkPulse(value);
    billed.push(trips_);
  });
  const stop = new AbortController();
  const streaming = app.stream({ signal: stop.signal });
  const rest = async () => {
    for (let turn = 0; turn < 30; turn++) await settle();
  };
  logs.weather.append(1);
  await rest();
  logs.trips.append(5);
  logs.trips.append(6);
  await rest();
  logs.bills.append(5);
  await rest();
  assertEquals(billed, ["trip 6 in w1"]);
  logs.weather.append(4); // makes both trips wrong
  logs.weather.append(9); // they are made again, and so is the bill
  await rest();
  assertEquals(billed, ["trip 6 in w1", "trip 6 in w9"]);
  stop.abort();
  await streaming;

  assertThrows(
    () =>
      new Checkpoint("circle", {
        dependent: weather,
        dependencies: [new Dependency("bills", bills)],
      }),
    TypeError,
    'Cannot make checkpoint "circle": its dependent depends on itself, through "circle" and "bills" and ' +
      '"trips"',
  );
});

Deno.test("Checkpoint.keepAlive() outside of handlers is for all parts, heartbeat() must name one", async () => {
  const dependency = new Dependency("d", [1], { parts: ["a", "b"] });
  const checkpoint = new Checkpoint("c", { dependent: [2], dependencies: [dependency] });
  await checkpoint.heartbeat(5, { part: "a" });
  assertEquals(dependency.frontier, undefined);
  await checkpoint.keepAlive(4);
  assertEquals(dependency.frontier, 4);
  await assertRejects(() => checkpoint.heartbeat(6), TypeError, "pass { part }");
});
