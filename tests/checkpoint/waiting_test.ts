import { assert, assertEquals, assertRejects } from "@std/assert";
import { App, Checkpoint, Dependency, SourceError, type StatusEvent } from "../../mod.ts";
import { World } from "../_support/join_world.ts";
import { Log, LogSource } from "../_support/log_source.ts";

Deno.test('Checkpoint in mode "wait" holds each partition until the frontier has passed its next message', async () => {
  const world = new World({ questionParts: 2 });
  const process = world.start({ checkpoint: { mode: "wait", time: ({ value }) => value.time } });
  world.say(10, "sun");
  world.ask([5, 30], 0);
  world.ask([40], 1);
  await process.rest();
  assertEquals(process.log, ["0:0 ?"]);
  world.say(35, "rain");
  await process.rest();
  assertEquals(process.log, ["0:0 ?", "0:1 sun"]);
  world.say(41, "snow");
  await process.rest();
  assertEquals(process.log, ["0:0 ?", "0:1 sun", "1:0 rain"]);
  await process.close();
  assertEquals(world.answers, world.truth);
});

Deno.test('Checkpoint in mode "wait" takes a wait of maxWait for an outage', async () => {
  const world = new World();
  const process = world.start({
    checkpoint: { mode: "wait", time: ({ value }) => value.time, maxWait: 500 },
  });
  world.say(10, "sun");
  world.ask([12, 13]);
  await process.rest();
  assertEquals(process.log, []);
  await world.clock.tick(500);
  await process.rest();
  assertEquals(process.log, ["0:0 sun"]);
  assertEquals(process.downtimes, [2]);
  assert(process.isPaused);
  world.say(11, "rain");
  world.say(20, "snow");
  await process.rest();
  assertEquals(process.log, ["0:0 sun", "0:0 rain again", "0:1 rain"]);
  await process.close();
});

Deno.test('Checkpoint in mode "wait" without correct goes on when recoveryCheck says so, and makes nothing again', async () => {
  const world = new World();
  let recovered = false;
  let stale: unknown;
  const process = world.start({
    checkpoint: {
      mode: "wait",
      time: ({ value }) => value.time,
      maxWait: 500,
      correct: false,
      recoveryCallback: ({ staleState }) => stale = staleState,
    },
    dependency: { recoveryCheck: () => recovered },
  });
  world.say(10, "sun");
  world.ask([12, 13]);
  await process.rest();
  await world.clock.tick(500);
  await process.rest();
  assertEquals([process.log, process.isPaused], [["0:0 sun"], true]);
  world.say(11, "rain");
  world.say(20, "snow"); // everything is known: the check alone says that it is not over
  await process.rest();
  assertEquals([process.log, process.isPaused], [["0:0 sun"], true]);
  recovered = true;
  world.say(21, "fog");
  await process.rest();
  assertEquals([process.log, stale], [["0:0 sun", "0:1 rain"], { 0: 0 }]);
  await process.close();
});

Deno.test('Checkpoint in mode "wait" still waits for the frontier when recoveryCheck is early', async () => {
  const world = new World();
  const process = world.start({
    checkpoint: { mode: "wait", time: ({ value }) => value.time, maxWait: 500, correct: false },
    dependency: { recoveryCheck: () => true },
  });
  world.say(10, "sun");
  world.ask([12, 13]);
  await process.rest();
  await world.clock.tick(500);
  await process.rest();
  world.say(11, "rain"); // not past 13
  await process.rest();
  assertEquals([process.log, process.isPaused], [["0:0 sun"], false]);
  world.say(14, "snow");
  await process.rest();
  assertEquals(process.log, ["0:0 sun", "0:1 rain"]);
  await process.close();
});

Deno.test('Checkpoint in mode "wait" ends the run with an error of time, also of a source without partitions', async () => {
  const questions = [5];
  const checkpoint = new Checkpoint<number>("c", {
    dependent: questions,
    dependencies: [new Dependency("d", new LogSource(new Log<number>()))],
    mode: "wait",
    time: () => {
      throw new Error("no time");
    },
  });
  const app = new App();
  app.handle(questions, (time) => void checkpoint.checkPulse(time), { name: "asks" });
  const error = await assertRejects(() => app.stream(), SourceError, "no time");
  assertEquals(error.flow, "asks");
});

Deno.test('Checkpoint in mode "emit" accepts time and maxWait, so that one object of options serves both modes', async () => {
  for (const mode of ["emit", "wait"] as const) {
    const world = new World();
    const options = { time: ({ value }: { value: { time: number } }) => value.time, maxWait: 500 };
    const process = world.start({ checkpoint: { ...options, mode } });
    world.say(10, "sun");
    await process.rest();
    world.ask([12]);
    await process.rest();
    assertEquals(process.log, mode === "emit" ? ["0:0 sun"] : []);
    await process.close();
  }
});

Deno.test('Checkpoint in mode "wait" tells for which dependency and partition it waits, and prints what was heard', async () => {
  const world = new World({ dependencies: 2, weatherParts: 2, questionParts: 2 });
  const mode = {
    mode: "wait",
    time: ({ value }: { value: { time: number } }) => value.time,
  } as const;
  const process = world.start({ checkpoint: mode });
  for (const part of [0, 1]) world.say(50, "calm", part, 1);
  world.say(30, "sun", 0);
  world.ask([20, 21], 1);
  await process.rest();
  assertEquals(
    String(process.dependency),
    '{"checkpointState":{},"checkpointMarker":null,"heard":{"0":30,"1":null}}',
  );
  assert(String(process.checkpoint).includes('"heard":{"0":30,"1":null}'));
  const stalled = {
    type: "waiting",
    dependency: "weather",
    lagging: [1],
    partition: 1,
    marker: 20,
  } as const;
  await world.clock.tick(2_999);
  assertEquals(process.events, []);
  await world.clock.tick(4_000);
  assertEquals(process.events, [
    { ...stalled, waitedMs: 3_000 },
    { ...stalled, waitedMs: 6_000 },
  ]);
  world.say(20, "fog", 1); // not later than the message
  await process.rest();
  await world.clock.tick(6_000);
  assertEquals(process.events.splice(0).at(-1), { ...stalled, waitedMs: 12_000 });
  world.say(21, "fog", 1);
  await process.rest();
  assertEquals(process.log.length, 1);
  await world.clock.tick(3_000); // of the next message
  assertEquals(process.events.splice(0), [{ ...stalled, marker: 21, waitedMs: 3_000 }]);
  world.say(40, "fog", 1);
  await process.rest();
  await world.clock.tick(60_000);
  assertEquals([process.log.length, process.events], [2, []]);
  await process.close();
});

Deno.test('Checkpoint in mode "wait" tells that what was heard is still being handled', async () => {
  const world = new World();
  const slow = Promise.withResolvers<void>();
  const process = world.start({
    checkpoint: { mode: "wait", time: ({ value }) => value.time },
    beforeStore: () => slow.promise,
  });
  world.say(30, "sun");
  world.ask([20]);
  await process.rest();
  await world.clock.tick(3_000);
  const events = process.events.map((event) => event.type === "waiting" && event.lagging);
  assertEquals(events, [[]]);
  slow.resolve();
  await process.rest();
  assertEquals(process.log, ["0:0 ?"]);
  await process.close();
  assertEquals(world.clock.pending, 0);
});

Deno.test('Checkpoint in mode "wait" tells no reasons of its dependent again while it waits', async () => {
  const [questions, answers] = [new Log<number>(), new Log<number>()];
  const [asked, known] = [new LogSource(questions), new LogSource(answers)];
  const checkpoint = new Checkpoint<{ value: number }>("c", {
    dependent: asked,
    dependencies: [new Dependency("d", known)],
    mode: "wait",
    time: ({ value }) => value,
  });
  const events: StatusEvent[] = [];
  const app = new App({ onStatus: (event) => events.push(event) });
  const done = Promise.withResolvers<void>();
  app.handle(known, async ({ value }) => void await checkpoint.heartbeat(value));
  app.handle(asked, () => done.resolve());
  questions.append(100);
  for (let time = 1; time <= 101; time++) answers.append(time);
  const streaming = app.stream();
  await done.promise;
  await app.close();
  await streaming;
  assertEquals(events.filter(({ type }) => type === "gate"), []);
});
