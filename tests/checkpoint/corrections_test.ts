import { assertEquals, assertRejects } from "@std/assert";
import { App, batch, Checkpoint, Dependency, map, Proxy } from "../../mod.ts";
import { gateOf } from "../../src/flow/source/gate.ts";
import { World } from "../_support/join_world.ts";
import { Log, LogSource } from "../_support/log_source.ts";

Deno.test("Checkpoint: a heartbeat clears nothing old", async () => {
  const world = new World();
  const process = world.start();
  world.say(0, "sun");
  await process.rest();
  world.ask([5, 6]);
  await process.rest();
  world.weather.append({ time: 4 }); // a sign of life before them
  await process.rest();
  world.say(5, "rain"); // and what belongs into them
  world.say(10, "snow");
  await process.rest();
  assertEquals(process.log, ["0:0 sun", "0:1 sun", "0:0 rain again", "0:1 rain again"]);
  await process.close();
  assertEquals(world.answers, world.truth);
});

Deno.test("Checkpoint corrects results after a late dependency message without an outage", async () => {
  const world = new World();
  const process = world.start();
  world.say(0, "sun");
  await process.rest();
  world.ask([5, 6, 7]);
  await process.rest();
  world.say(6, "rain");
  world.say(8, "snow");
  await process.rest();
  assertEquals(process.events, [{ type: "correcting", from: { 0: 1 }, dependencies: ["weather"] }]);
  assertEquals(process.log.slice(3), ["0:1 rain again", "0:2 rain again"]);
  await process.close();
});

Deno.test("Checkpoint corrects stale results after correctAfter when the frontier does not pass them", async () => {
  const world = new World();
  const process = world.start({ checkpoint: { correctAfter: 5000 } });
  world.say(0, "sun");
  await process.rest();
  world.ask([5, 9]);
  await process.rest();
  world.say(4, "rain");
  await process.rest();
  await world.clock.tick(4999);
  assertEquals(process.log.length, 2);
  await world.clock.tick(1);
  await process.rest();
  assertEquals(process.log.slice(2), ["0:0 rain again", "0:1 rain again"]);
  await process.close();
});

Deno.test("Checkpoint corrects what was read between a heartbeat and its store write", async () => {
  const world = new World();
  const stored = Promise.withResolvers<void>();
  const process = world.start({ beforeStore: ({ time }) => time === 10 && stored.promise });
  world.say(0, "sun");
  await process.rest();
  world.say(10, "rain");
  await process.rest();
  world.ask([10, 12]);
  await process.rest();
  assertEquals(process.log, ["0:0 sun", "0:1 sun"]);
  stored.resolve();
  world.say(20, "snow");
  await process.rest();
  assertEquals(process.log.slice(2), ["0:0 rain again", "0:1 rain again"]);
  await process.close();
});

Deno.test("Checkpoint corrects three partitions of different speed, each from its first stale result", async () => {
  const world = new World({ questionParts: 3 });
  const process = world.start();
  world.say(0, "sun");
  await process.rest();
  world.ask([10, 11, 12], 0);
  world.ask([2, 10, 14], 1);
  world.ask([1, 2, 3], 2);
  await process.rest();
  world.say(10, "rain");
  world.say(20, "snow");
  await process.rest();
  assertEquals(process.questions.sought, [{ 0: 0, 1: 1 }]);
  await process.close();
  assertEquals(world.answers, world.truth);
});

Deno.test("Checkpoint.staleState has the first stale position of each partition, for callbacks that seek", async () => {
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
  world.say(0, "sun");
  await process.rest();
  world.ask([1, 5, 6], 0);
  world.ask([2, 7, 16], 1);
  await process.rest();
  world.say(5, "rain");
  world.say(30, "snow");
  await process.rest();
  assertEquals(stale, [{ 0: 1, 1: 1 }, { 0: 2, 1: 2 }]);
  await process.close();
  assertEquals(world.answers, world.truth);
});

Deno.test("Context.correction names the epoch, the border and the dependencies, and a flow may skip replays", async () => {
  const world = new World();
  const process = world.start();
  const skipping = new World();
  const other = skipping.start({ replays: "skip" });
  for (const each of [world, skipping]) {
    each.say(0, "sun");
    await process.rest();
    each.ask([5, 6]);
    await process.rest();
  }
  for (const each of [world, skipping]) {
    each.say(6, "rain");
    each.say(9, "fog");
    await process.rest();
    each.ask([8]);
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

Deno.test("Checkpoint with correct refuses flows beside it that hold messages back until others come", async () => {
  const source = new LogSource(new Log<number>());
  new Checkpoint("c", {
    dependent: source,
    dependencies: [new Dependency("d", new LogSource(new Log<number>()))],
    correct: true,
  });
  const opaque = new TransformStream<unknown, unknown>();
  for (const pipe of [batch(100), opaque, () => opaque]) {
    const app = new App();
    app.handle(source, pipe, () => {}, { name: "beside" });
    const message = 'Cannot correct results of checkpoint "c" beside flow "beside"';
    await assertRejects(() => app.stream(), TypeError, message);
    const proxied = new App();
    const proxy = new Proxy<unknown>();
    proxied.handle(source, (message) => message, { sink: proxy });
    proxied.handle(proxy, pipe, () => {}, { name: "beside" });
    await assertRejects(() => proxied.stream(), TypeError, message);
  }
  const app = new App();
  const stop = new AbortController();
  app.handle(source, batch(100, 1000), () => {});
  app.handle(source, map((message) => message), batch(1), () => {});
  const streaming = app.stream({ signal: stop.signal });
  stop.abort();
  await streaming;
});
