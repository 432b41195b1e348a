import { assertEquals, assertRejects } from "@std/assert";
import { Checkpoint, type CheckpointEvent, Dependency } from "../../mod.ts";
import { ManualClock } from "../../src/testing/mod.ts";
import { World } from "../_support/join_world.ts";

Deno.test("Checkpoint takes equal times on two partitions for not known yet", async () => {
  const world = new World({ weatherParts: 2 });
  const process = world.start();
  world.say(10, "a", 0);
  world.say(10, "b", 1);
  await process.rest();
  world.ask([10]);
  await process.rest();
  assertEquals(process.log, ["0:0 b"]);
  world.say(10, "c", 0); // the same time again
  world.say(11, "d", 0);
  world.say(11, "e", 1);
  await process.rest();
  assertEquals(process.log.slice(1), ["0:0 c again"]);
  await process.close();
});

Deno.test("Checkpoint is as far as a dependency's lagging part", async () => {
  const world = new World({ weatherParts: 2 });
  const process = world.start({ dependency: { downtimeThreshold: 1000 } });
  world.say(0, "sun", 1);
  world.say(50, "rain", 0);
  await process.rest();
  assertEquals(process.dependency.frontier, 0);
  world.ask([60]);
  await process.rest();
  world.say(55, "fog", 1);
  world.say(70, "sun", 0);
  await process.rest();
  assertEquals(process.log, ["0:0 rain"]);
  world.say(70, "sun", 1);
  await process.rest();
  assertEquals(process.log.slice(1), ["0:0 fog again"]);
  await process.close();
});

Deno.test("Checkpoint goes on without parts that are read to their end, when told so", async () => {
  const world = new World({ weatherParts: 2 });
  const process = world.start({ dependency: { idleParts: "pass" } });
  world.say(50, "rain", 0);
  await process.rest();
  assertEquals(process.dependency.frontier, 50);
  await process.close();
});

Deno.test("Checkpoint does not take a dependency for down because of a part that is passed over", async () => {
  const world = new World({ weatherParts: 2 });
  const process = world.start({ dependency: { idleParts: "pass" } });
  world.say(0, "sun");
  await process.rest();
  world.ask([5]);
  await process.rest();
  world.say(100, "rain");
  await process.rest();
  world.ask([90, 91]);
  await process.rest();
  assertEquals([process.events, process.isPaused], [[], false]);
  assertEquals(process.log.length, 3);
  await process.close();
});

Deno.test("Checkpoint covers a dependency out of order within outOfOrderness, and reports what comes later", async () => {
  const world = new World();
  const process = world.start({ dependency: { outOfOrderness: 10 } });
  world.say(20, "rain");
  world.ask([12]);
  await process.rest();
  world.say(11, "fog"); // within
  world.say(40, "snow");
  await process.rest();
  assertEquals(process.log, ["0:0 ?", "0:0 fog again"]);
  world.say(12, "too late");
  await process.rest();
  assertEquals(process.events.at(-1), { type: "late", dependency: "weather", marker: 12 });
  await process.close();
});

Deno.test("Checkpoint takes a sparse dependency for down, unless it sends keep-alives", async () => {
  for (const alive of [false, true]) {
    const world = new World();
    const process = world.start();
    world.say(0, "sun");
    for (let time = 10; time <= 40; time += 10) {
      if (alive) world.weather.append({ time });
      await process.rest();
      world.ask([time]);
      await process.rest();
    }
    assertEquals(process.isPaused, !alive);
    assertEquals(process.emitted.some(({ corrects }) => corrects), false);
    await process.close();
  }
});

Deno.test('Checkpoint takes a dependency that ends for complete, or with onEnd: "down" for down', async () => {
  for (const onEnd of ["final", "down"] as const) {
    const world = new World();
    const process = world.start({ dependency: { onEnd } });
    world.say(0, "sun");
    await process.rest();
    world.ask([5]);
    await process.rest();
    world.say(4, "rain");
    world.weather.end();
    await process.rest();
    assertEquals(process.isPaused, onEnd === "down");
    world.ask([1000]);
    await process.rest();
    assertEquals(
      process.log,
      onEnd === "final" ? ["0:0 sun", "0:0 rain again", "0:1 rain"] : ["0:0 sun"],
    );
    await process.close();
  }
});

Deno.test("Checkpoint ignores and reports a message stamped 2099", async () => {
  const world = new World();
  const process = world.start();
  const far = Date.UTC(2099, 0);
  world.say(0, "sun");
  await process.rest();
  world.ask([5, far, 6]);
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

Deno.test("Checkpoint takes nothing from a first marker that is too far ahead, not even its kind", async () => {
  const clock = new ManualClock();
  const events: CheckpointEvent[] = [];
  const dependent: string[] = [];
  const checkpoint = new Checkpoint("c", {
    dependent,
    dependencies: [new Dependency("d", [])],
    clock,
    onStatus: (event) => events.push(event),
  });
  const nanoseconds = Date.UTC(2026, 0) * 1e6; // a number, where all others are dates
  assertEquals(await checkpoint.checkPulse(nanoseconds), undefined);
  await checkpoint.heartbeat(nanoseconds);
  assertEquals(events.map(({ type }) => type), ["ahead", "ahead"]);
  assertEquals(
    String(checkpoint.dependency("d")),
    '{"checkpointState":null,"checkpointMarker":null}',
  );
  await checkpoint.checkPulse(new Date(5));
  await checkpoint.heartbeat(new Date(7));
  assertEquals(checkpoint.dependency("d").frontier, new Date(7));
});

Deno.test("Checkpoint ignores what is too far ahead of a clock that was set right", async () => {
  const clock = new ManualClock(Date.UTC(2099, 0));
  const dependency = new Dependency("d", []);
  const checkpoint = new Checkpoint("c", { dependent: [], dependencies: [dependency], clock });
  await checkpoint.heartbeat(Date.UTC(2026, 0));
  clock.step(Date.UTC(2026, 0) - clock.now());
  await new Promise<void>((resolve) => clock.macrotask(resolve));
  await checkpoint.heartbeat(Date.UTC(2098, 0));
  assertEquals(dependency.frontier, Date.UTC(2026, 0));
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

Deno.test("Checkpoint outside of a run hides no error of a recovery that nobody waits for", async () => {
  const failure = new Error("not again");
  let recoveries = 0;
  const checkpoint = new Checkpoint("c", {
    dependent: [2],
    dependencies: [new Dependency("d", [1], { downtimeThreshold: 10 })],
    recoveryCallback: async (checkpoint) => {
      if (++recoveries > 1) throw failure;
      await checkpoint.checkPulse(100);
      await checkpoint.keepAlive(200);
    },
  });
  const unhandled = Promise.withResolvers<unknown>();
  const listener = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    unhandled.resolve(event.reason);
  };
  globalThis.addEventListener("unhandledrejection", listener);
  try {
    await checkpoint.heartbeat(0);
    await checkpoint.checkPulse(20);
    await checkpoint.keepAlive(30);
    assertEquals(await unhandled.promise, failure);
  } finally {
    globalThis.removeEventListener("unhandledrejection", listener);
  }
});
