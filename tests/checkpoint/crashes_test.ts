import { assert, assertEquals } from "@std/assert";
import { MemoryCache } from "../../mod.ts";
import { World } from "../_support/join_world.ts";

Deno.test("Checkpoint starts paused after a crash while paused, and recovers", async () => {
  const world = new World();
  const first = world.start();
  world.say(0, "sun");
  await first.rest();
  world.ask([5, 20, 21]);
  await first.rest();
  assert(first.isPaused);
  await first.close();
  const second = world.start();
  await second.rest();
  assert(second.isPaused);
  assertEquals(second.log, []);
  world.say(4, "rain");
  world.say(30, "snow");
  await second.rest();
  assertEquals(second.log, ["0:0 rain again", "0:1 rain again", "0:2 rain"]);
  await second.close();
  assertEquals(world.answers, world.truth);
});

Deno.test("Checkpoint makes every result right after a crash between any two steps of the commit", async () => {
  for (const step of ["sinks", "stores", "record", "positions"]) {
    for (const when of ["before the correction", "in the correction", "after it"]) {
      const world = new World();
      const options = {
        checkpoint: { correctAfter: Infinity },
        onCommit: (at: string) => armed && at === step ? new Promise(() => {}) : undefined,
        beforeAnswer: ({ offset }: { offset: number }) =>
          when === "in the correction" && armed && offset === 2 ? new Promise(() => {}) : undefined,
      };
      let armed = false;
      const first = world.start(options);
      world.say(0, "sun");
      await first.rest();
      world.ask([5, 6, 7, 8]);
      await first.rest();
      await world.clock.tick(1000);
      armed = true;
      world.say(6, "rain");
      await first.rest();
      if (when !== "before the correction") {
        world.say(20, "snow");
        await first.rest();
      }
      await world.clock.tick(1000); // a commit that stops before the step
      await first.crash();

      const second = world.start();
      await second.rest();
      world.say(30, "fog");
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
    onCommit: (step) => stop && step === "positions" ? new Promise(() => {}) : undefined,
    beforeAnswer: ({ offset }) => stop && offset === 2 ? new Promise(() => {}) : undefined,
  });
  world.say(0, "sun");
  await first.rest();
  world.ask([5, 6, 7, 8]);
  await first.rest();
  await world.clock.tick(1000);
  assertEquals(world.questions.committed, [4]);
  stop = true;
  world.say(6, "rain");
  world.say(20, "snow");
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

Deno.test("Checkpoint is kept for longer than the ttl of its cache", async () => {
  const world = new World();
  await using cache = new MemoryCache({ clock: world.clock, ttl: 5000 });
  const first = world.start({ checkpoint: { cache } });
  world.say(0, "sun");
  await first.rest();
  world.ask([20]);
  await first.close();
  await cache.set("other", 1);
  await world.clock.tick(5000);
  assertEquals(await cache.get("other"), undefined);
  const second = world.start({ checkpoint: { cache } });
  await second.rest();
  assert(second.dependency.isDown && second.isPaused);
  await second.close();
});
