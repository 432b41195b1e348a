import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  App,
  Checkpoint,
  type CheckpointEvent,
  Dependency,
  HandlerError,
  Proxy,
} from "../../mod.ts";
import { gateOf } from "../../src/flow/source/gate.ts";
import { settle } from "../../src/testing/mod.ts";
import { World } from "../_support/join_world.ts";

Deno.test("Checkpoint recovers by the slowest partition, not by the last pulse", async () => {
  const world = new World({ questionParts: 2 });
  const process = world.start();
  world.say(0, "sun");
  await process.rest();
  world.ask([10], 0);
  await process.rest();
  world.ask([14], 1); // the largest time
  await process.rest();
  world.ask([2, 3], 0); // the last pulses
  await process.rest();
  world.questions.append({ time: 16 }, 1);
  await process.rest();
  world.ask([4], 0);
  await process.rest();
  assert(process.isPaused);
  world.say(5, "rain"); // past the last pulse
  await process.rest();
  assert(process.isPaused);
  world.say(17, "snow"); // past all
  await process.rest();
  assert(!process.isPaused);
  await process.close();
  assertEquals(world.answers, world.truth);
});

Deno.test("Checkpoint that is paused within a message recovers when that one's time is passed too", async () => {
  const world = new World();
  const slow = Promise.withResolvers<void>();
  const process = world.start({
    dependency: { downtimeAfter: 100 },
    beforePulse: ({ offset }) => offset === 1 ? slow.promise : undefined,
  });
  world.say(0, "sun");
  await process.rest();
  world.ask([5, 9]);
  await process.rest();
  await world.clock.tick(100); // silent, as far as is known since 5
  slow.resolve();
  await process.rest();
  world.say(7, "rain");
  await process.rest();
  assert(process.isPaused);
  world.say(10, "snow");
  await process.rest();
  assert(!process.isPaused);
  await process.close();
});

Deno.test("Checkpoint names the part of a dependency that is behind", async () => {
  const world = new World({ weatherParts: 3 });
  const process = world.start();
  world.say(0, "sun", 0);
  world.say(0, "sun", 1);
  await process.rest();
  world.ask([5]);
  world.say(40, "sun", 0);
  world.say(40, "sun", 1);
  await process.rest();
  world.ask([45]);
  await process.rest();
  assertEquals(process.events, [
    { type: "down", dependency: "weather", downtimeMs: 40, lagging: [2] },
  ]);
  assertStringIncludes(String(process.dependency), '"lagging":[2]');
  await process.close();
});

Deno.test("Checkpoint goes on when the second of two dependencies has recovered", async () => {
  const world = new World({ dependencies: 2 });
  const recovered: string[] = [];
  const process = world.start({
    checkpoint: { recoveryCallback: (_, { name }) => void recovered.push(name) },
  });
  world.say(0, "a", 0, 0);
  world.say(0, "x", 0, 1);
  await process.rest();
  world.ask([20, 21]);
  await process.rest();
  assertEquals(process.checkpoint.dependencies.size, 2);
  assertEquals(process.dependencies.map(({ isDown }) => isDown), [true, true]);
  world.say(19, "b", 0, 1);
  world.say(30, "c", 0, 1);
  await process.rest();
  assertEquals(process.dependencies.map(({ isDown }) => isDown), [true, false]);
  assert(process.isPaused);
  world.say(18, "y", 0, 0);
  world.say(30, "z", 0, 0);
  await process.rest();
  assert(!process.isPaused);
  assertEquals(recovered, ["weather"]);
  assertEquals(process.log, ["0:0 a,x", "0:0 y,b again", "0:1 y,b"]);
  await process.close();
});

Deno.test("Checkpoint survives a second outage during the correction", async () => {
  const world = new World();
  const process = world.start({ dependency: { downtimeAfter: 100 } });
  world.say(0, "sun");
  await process.rest();
  world.ask([5, 6, 30]);
  await process.rest();
  assert(process.isPaused);
  world.say(5, "rain");
  world.say(31, "fog");
  await process.rest();
  assertEquals(process.log.slice(3), ["0:0 rain again", "0:1 rain again", "0:2 rain again"]);
  world.ask([50, 51]); // down again, found by a new message
  await process.rest();
  assert(process.isPaused);
  world.say(40, "hail");
  world.say(52, "sun");
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
    dependency: { downtimeAfter: 100 },
    beforeAnswer: ({ offset }) => again && offset === 1 ? slow.promise : undefined,
  });
  world.say(0, "sun");
  await process.rest();
  world.ask([5, 6, 7]);
  await process.rest();
  again = true;
  world.say(4, "rain");
  world.say(8, "fog");
  await process.rest();
  await world.clock.tick(100);
  slow.resolve();
  await process.rest();
  assert(process.isPaused);
  assertEquals(process.log.slice(3), ["0:0 rain again", "0:1 rain again"]);
  world.say(9, "snow");
  await process.rest();
  assertEquals(process.log.slice(5), ["0:2 rain again"]);
  await process.close();
});

Deno.test("Checkpoint waits for the dependency when both streams replay a backlog at start", async () => {
  const world = new World({ questionParts: 2 });
  world.ask([1, 20, 40, 60], 0);
  world.ask([3, 30, 50], 1);
  for (let time = 0; time <= 70; time += 10) world.say(time, `t${time}`);
  const process = world.start({ beforeStore: () => settle() });
  await process.rest();
  await process.rest();
  await process.close();
  assertEquals(world.answers, world.truth);
  assert(process.events.some(({ type }) => type === "down"));
});

Deno.test("Checkpoint lets the dependent of a dead dependency go on after maxPause, and corrects later", async () => {
  const world = new World();
  const process = world.start({ checkpoint: { maxPause: 60_000 } });
  world.say(0, "sun");
  await process.rest();
  world.ask([20, 21, 22]);
  await process.rest();
  await world.clock.tick(59_999);
  await process.rest();
  assertEquals(process.log, ["0:0 sun"]);
  await world.clock.tick(1);
  await process.rest();
  assertEquals(process.log, ["0:0 sun", "0:1 sun", "0:2 sun"]);
  assertEquals(process.events.at(-1), { type: "pause_expired", dependencies: ["weather"] });
  world.say(19, "rain");
  world.say(30, "snow");
  await process.rest();
  assertEquals(process.log.slice(3), ["0:0 rain again", "0:1 rain again", "0:2 rain again"]);
  await process.close();
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
  world.say(0, "sun");
  await process.rest();
  world.ask([20]);
  await process.rest();
  await process.streaming.catch(() => {});
  assert(process.error instanceof HandlerError);
  assertEquals(process.error.message.split(": ").at(-1), "no more");
  assert(process.dependency.isDown && process.isPaused);

  const other = new World();
  const recovering = other.start({
    checkpoint: {
      recoveryCallback: () => Promise.reject(new Error("not again")),
    },
  });
  other.say(0, "sun");
  await recovering.rest();
  other.ask([20]);
  await recovering.rest();
  other.say(30, "rain");
  await recovering.rest();
  await recovering.streaming.catch(() => {});
  assert(recovering.error instanceof HandlerError);
  assertEquals(recovering.error.flow, "weather");
  assert(!recovering.dependency.isDown && !recovering.isPaused);
  await process.crash();
  await recovering.crash();
});

Deno.test("Checkpoint hands an error of recoveryCheck to the flow's policy, also once the message is done", async () => {
  for (const failing of [1, 2]) { // the heartbeat's answer asks first, then what is stored
    const world = new World();
    let calls = 0;
    const process = world.start({
      checkpoint: { correct: false },
      dependency: {
        recoveryCheck: () => {
          if (++calls === failing) throw new Error("no answer");
          return false;
        },
      },
    });
    world.say(0, "sun");
    await process.rest();
    world.ask([50]);
    await process.rest();
    world.say(60, "rain");
    await process.rest();
    await process.streaming.catch(() => {});
    assert(process.error instanceof HandlerError);
    assertEquals([process.error.flow, calls], ["weather", failing]);
    assertEquals(process.error.message.split(": ").at(-1), "no answer");
    await process.crash();
  }
});

Deno.test("Checkpoint ends the run with an error of onStatus, and tells it nothing more", async () => {
  const world = new World();
  const told: string[] = [];
  const failure = new Error("no ear");
  const process = world.start({
    checkpoint: {
      onStatus: ({ type }) => {
        told.push(type);
        if (type === "recovered") throw failure;
      },
    },
  });
  world.say(0, "sun");
  await process.rest();
  world.ask([20]);
  await process.rest();
  world.say(4, "rain");
  world.say(30, "snow"); // recovers, and has the result made again
  await process.rest();
  await process.streaming.catch(() => {});
  assertEquals(process.error, failure);
  assertEquals(told, ["down", "recovered"]);
  assert(!process.dependency.isDown && !process.isPaused);
  await process.crash();
});

Deno.test("Checkpoint recovers again when its recovery callback waits for the heartbeat that says so", async () => {
  const world = new World();
  let recoveries = 0;
  const process = world.start({
    checkpoint: {
      recoveryCallback: async (checkpoint) => {
        if (++recoveries > 1) return;
        await checkpoint.checkPulse(1000);
        await checkpoint.keepAlive(2000);
      },
    },
  });
  world.say(0, "sun");
  await process.rest();
  world.ask([20]);
  await process.rest();
  world.say(30, "rain");
  await process.rest();
  assertEquals([recoveries, process.isPaused], [2, false]);
  await process.crash();
});

Deno.test("Dependency that is silent for downtimeAfter is down, but not while we pause it", async () => {
  const world = new World();
  const process = world.start({ dependency: { downtimeAfter: 1000 } });
  world.say(0, "sun");
  await process.rest();
  gateOf(process.weather).pause("rest");
  await world.clock.tick(5000);
  assertEquals(process.dependency.isDown, false);
  gateOf(process.weather).resume("rest");
  await world.clock.tick(999);
  assertEquals(process.dependency.isDown, false);
  await world.clock.tick(1);
  assertEquals([process.dependency.isDown, process.dependency.frontier], [true, 0]);
  assert(process.isPaused);
  await process.close();
});

Deno.test("Checkpoint follows an outage as docs/checkpoint.md draws it", async () => {
  const world = new World();
  const process = world.start({ dependency: { downtimeThreshold: 60 } }); // times are minutes since 09:00
  const { checkpoint, dependency } = process;
  world.say(0, "09:00");
  await process.rest();
  world.ask([30, 50]);
  await process.rest();
  assert(!dependency.isDown);
  world.ask([70]);
  await process.rest();
  assert(dependency.isDown && process.isPaused);
  assertEquals(process.log, ["0:0 09:00", "0:1 09:00", "0:2 09:00"]);
  world.say(40, "09:40");
  await process.rest();
  assertEquals([dependency.frontier, checkpoint.staleState], [40, { 0: 1 }]);
  assert(dependency.isDown && process.isPaused);
  world.say(80, "10:20");
  await process.rest();
  assert(!dependency.isDown && !process.isPaused);
  world.ask([85]);
  await process.rest();
  assertEquals(process.log.slice(3), ["0:1 09:40 again", "0:2 09:40 again", "0:3 10:20"]);
  assertEquals(process.contexts.map((correction) => correction?.until).slice(3), [3, 3, undefined]);
  await process.close();
});

Deno.test("Checkpoint tells when a dependency has messages, and was never given a heartbeat", async () => {
  for (const ends of ["with it", "without"]) {
    const weather = new Proxy<string>();
    const questions = new Proxy<number>();
    const events: CheckpointEvent[] = [];
    const checkpoint = new Checkpoint("questions", {
      dependent: questions,
      dependencies: [new Dependency("weather", weather, { downtimeThreshold: 10 })],
      pauseDependent: false,
      maxAhead: Infinity,
      onStatus: (event) => events.push(event),
    });
    const app = new App();
    app.handle(weather, async () => {
      if (ends === "with it") await checkpoint.heartbeat(1);
    });
    app.handle(questions, async (time) => void await checkpoint.checkPulse(time));
    const streaming = app.stream();
    await weather.send("sun");
    await weather.send("rain");
    await settle();
    await questions.send(1);
    await questions.send(50);
    await settle();
    weather.close();
    questions.close();
    await streaming;
    const unheard = { type: "unheard", dependency: "weather", messages: 2 } as const;
    assertEquals(
      events.filter(({ type }) => type === "unheard"),
      ends === "with it" ? [] : [unheard, unheard],
    );
  }
});
