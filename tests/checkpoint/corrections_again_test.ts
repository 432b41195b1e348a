import { assert, assertEquals } from "@std/assert";
import { gateOf } from "../../src/flow/source/gate.ts";
import { World } from "../_support/join_world.ts";

Deno.test("Checkpoint corrects what became stale while a recovery callback was busy", async () => {
  const world = new World();
  const busy = Promise.withResolvers<void>();
  const process = world.start({
    checkpoint: {
      correctAfter: Infinity,
      pauseDependent: false,
      recoveryCallback: () => busy.promise,
    },
  });
  world.say(0, "sun");
  await process.rest();
  world.ask([20, 30]); // down
  await process.rest();
  await process.checkpoint.keepAlive(1, { part: 0 });
  await process.rest();
  void process.checkpoint.keepAlive(25, { part: 0 }); // recovered
  await process.rest();
  world.say(28, "snow");
  world.say(40, "fog");
  await process.rest();
  assertEquals(process.log, ["0:0 sun", "0:1 sun"]);
  busy.resolve();
  await process.rest();
  assertEquals(process.log.slice(2), ["0:1 snow again"]);
  await process.close();
});

Deno.test("Checkpoint does not stop the dependent again and again when nothing is stale any more", async () => {
  const world = new World();
  const process = world.start();
  world.say(0, "sun");
  await process.rest();
  world.ask([5, 9]);
  await process.rest();
  world.say(4, "rain"); // stale, but not yet due
  await process.rest();
  const gate = gateOf(process.questions);
  gate.seek({ 0: 0 }); // the user makes them again
  await process.rest();
  let pauses = 0;
  const forget = gate.observe(() => {
    if (gate.closed) pauses++;
  });
  for (let time = 10; time < 20; time++) {
    world.say(time, "fog");
    await process.rest();
  }
  forget();
  assertEquals(process.log.slice(2), ["0:0 rain again", "0:1 rain again"]);
  assert(pauses <= 1, `it was paused ${pauses} times`);
  await process.close();
});
