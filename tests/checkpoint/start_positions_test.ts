import { assertEquals } from "@std/assert";
import { gateOf } from "../../src/flow/source/gate.ts";
import { World } from "../_support/join_world.ts";

Deno.test("Checkpoint begins at positions that were moved ahead of its record, when it owes no correction", async () => {
  const world = new World();
  const first = world.start();
  world.say(0, "sun");
  world.ask([1, 2, 3]);
  await first.rest();
  world.say(50, "sun");
  await first.close();
  world.ask([51, 52, 53]);
  world.questions.committed[0] = 6;
  const second = world.start();
  await second.rest();
  assertEquals(second.questions.began, [6]);
  await second.close();
});

Deno.test("Checkpoint begins where others have left a partition that comes back, when it owes no correction", async () => {
  const world = new World();
  const process = world.start();
  world.say(0, "sun");
  world.ask([1]);
  await process.rest();
  world.say(50, "sun");
  await process.rest();
  const gate = gateOf(process.questions);
  await gate.prepareStart([], 1); // another process reads 99 messages
  await gate.prepareStart([0], 1);
  assertEquals(gate.startAt(0, 100), 100);
  await process.close();
});
