import { assertEquals } from "@std/assert";
import type { CheckpointOptions } from "../../mod.ts";
import { type Question, type Weather, World } from "../_support/join_world.ts";
import type { LogMessage } from "../_support/log_source.ts";

const WAIT: Partial<CheckpointOptions<LogMessage<Question>>> = {
  mode: "wait",
  time: ({ value }) => value.time,
};

Deno.test("Checkpoint: a message that waits in a Proxy holds the frontier, though later ones are done", async () => {
  const world = new World();
  const stored = Promise.withResolvers<void>();
  const process = world.start({
    behindProxy: true,
    beforeStore: ({ time }) => time === 10 && stored.promise,
  });
  world.say(0, "sun");
  await process.rest();
  world.ask([15]);
  await process.rest();
  world.say(10, "rain");
  world.weather.append({ time: 20 }); // done before it, as there is nothing to store
  await process.rest();
  assertEquals(process.dependency.frontier, 0); // that of the messages before the first that is not done
  stored.resolve();
  await process.rest();
  assertEquals(process.log, ["0:0 sun", "0:0 rain again"]);
  await process.close();
});

Deno.test('Checkpoint in mode "wait" hands nothing out that a message in a Proxy belongs to', async () => {
  const world = new World();
  const stored = Promise.withResolvers<void>();
  const process = world.start({
    checkpoint: WAIT,
    behindProxy: true,
    beforeStore: ({ time }) => time === 10 && stored.promise,
  });
  world.say(0, "sun");
  world.ask([15]);
  world.say(10, "rain");
  world.weather.append({ time: 20 });
  await process.rest();
  assertEquals(process.log, []);
  stored.resolve();
  await process.rest();
  assertEquals(process.log, ["0:0 rain"]);
  await process.close();
});

Deno.test("Checkpoint: a message that waits in a Proxy at a crash holds the frontier of the next process, too", async () => {
  const world = new World({ weatherParts: 2 });
  const stored = Promise.withResolvers<void>();
  const options = {
    behindProxy: true,
    beforeStore: ({ time }: Weather) => time === 10 && stored.promise,
  };
  const first = world.start(options);
  world.say(0, "sun", 0);
  await first.rest();
  world.say(10, "rain", 1);
  world.weather.append({ time: 20 }, 1);
  await first.close();
  world.weather.append({ time: 30 }, 0); // read before the rain
  const second = world.start(options);
  world.ask([15]);
  await second.rest();
  assertEquals(second.log, ["0:0 sun"]);
  assertEquals(second.dependency.frontier, undefined); // nothing of partition 1 is stored
  stored.resolve();
  await second.rest();
  assertEquals(second.log, ["0:0 sun", "0:0 rain again"]);
  assertEquals(second.events.filter(({ type }) => type === "late"), []);
  await second.close();
});

Deno.test("Checkpoint reports a late message also when later ones are stored before it", async () => {
  const world = new World();
  const stored = Promise.withResolvers<void>();
  const process = world.start({
    behindProxy: true,
    beforeStore: ({ time }) => time === 10 && stored.promise,
  });
  world.say(20, "sun");
  await process.rest();
  world.say(10, "rain");
  world.weather.append({ time: 30 });
  await process.rest();
  stored.resolve();
  await process.rest();
  assertEquals(process.events, [{ type: "late", dependency: "weather", marker: 10 }]);
  await process.close();
});

Deno.test("Checkpoint.keepAlive() outside of a handler does not pass the message in flight", async () => {
  const world = new World();
  const stored = Promise.withResolvers<void>();
  const process = world.start({ beforeStore: ({ time }) => time === 10 && stored.promise });
  world.say(0, "sun");
  await process.rest();
  world.ask([12]);
  await process.rest();
  world.say(10, "rain");
  await process.rest();
  await process.checkpoint.keepAlive(20, { part: 0 });
  stored.resolve();
  await process.rest();
  assertEquals(process.log, ["0:0 sun", "0:0 rain again"]);
  await process.close();
});

Deno.test("Checkpoint: of several heartbeats in a message the earliest holds the frontier", async () => {
  const world = new World();
  const process = world.start({
    beforeBeat: ({ time }: Weather) => time === 5 && process.checkpoint.heartbeat(20),
  });
  world.say(0, "sun");
  await process.rest();
  world.ask([6]);
  await process.rest();
  world.say(5, "rain");
  await process.rest();
  assertEquals(process.log, ["0:0 sun", "0:0 rain again"]);
  assertEquals(process.dependency.frontier, 20);
  await process.close();
});

Deno.test("Checkpoint: of several pulses in a message the latest counts", async () => {
  const world = new World();
  const process = world.start({
    beforePulse: () => process.checkpoint.checkPulse(10),
  });
  world.say(0, "sun");
  await process.rest();
  world.ask([5]); // reads what is known of 10 and of 5
  await process.rest();
  world.say(7, "rain");
  world.say(30, "snow");
  await process.rest();
  assertEquals(process.log, ["0:0 sun", "0:0 sun again"]);
  await process.close();
});

Deno.test("Checkpoint takes any number of heartbeats in a message", async () => {
  const world = new World();
  const last = 20_000;
  const process = world.start({
    beforeBeat: async ({ time }) => {
      for (let each = 0; time === last && each < last; each++) {
        await process.checkpoint.heartbeat(each);
      }
    },
  });
  world.say(last, "sun");
  world.say(last + 1, "rain");
  while (world.weather.committed[0] !== 2) {
    await process.rest();
    await world.clock.tick(1000);
  }
  assertEquals(process.dependency.frontier, last + 1);
  await process.close();
});
