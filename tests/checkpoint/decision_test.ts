import { assertEquals } from "@std/assert";
import { World } from "../_support/join_world.ts";

Deno.test("Checkpoint corrects a result made between a heartbeat and its store write, through a crash in the middle of the correction", async () => {
  const world = new World();
  const stored = Promise.withResolvers<void>();
  const first = world.start({
    beforeStore: ({ time }) => time === 20 ? stored.promise : undefined,
    beforeAnswer: ({ offset }) => corrected && offset === 2 ? new Promise(() => {}) : undefined,
  });
  let corrected = false;
  world.weather.append({ time: 0, value: "sun" });
  await first.rest();
  world.questions.append({ time: 5 });
  world.weather.append({ time: 20, value: "rain" }); // its heartbeat is given, its write is not made
  await first.rest();
  world.questions.append({ time: 21 });
  world.questions.append({ time: 22 });
  world.questions.append({ time: 23 });
  await first.rest();
  assertEquals(first.log, ["0:0 sun", "0:1 sun", "0:2 sun", "0:3 sun"]);

  await world.clock.tick(1000); // a commit: the positions of all four are committed
  assertEquals(world.questions.committed, [4]);
  assertEquals(world.weather.committed, [1]);

  corrected = true;
  stored.resolve();
  world.weather.append({ time: 30, value: "snow" }); // the frontier passes everything: redo
  await first.rest();
  assertEquals(first.log.slice(4), ["0:1 rain again"]); // 0:2 is in flight
  await world.clock.tick(1000);
  assertEquals(world.weather.committed, [3]); // its heartbeats are not given again
  await first.crash();

  const second = world.start();
  await second.rest();
  assertEquals(second.questions.began, [2]);
  assertEquals(second.log, ["0:2 rain again", "0:3 rain again"]);
  await second.close();
  assertEquals(world.answers, world.truth);
});
