import { assert } from "@std/assert";
import { Random } from "../../src/testing/mod.ts";
import { type Process, Processes, type ProcessOptions, until } from "../_support/processes.ts";
import { memory } from "../_support/topic_fixture.ts";

const SEEDS = 20;
const STEPS = 30;

/** Processes come, go and, unless `options` say otherwise, die while questions are asked and the weather becomes known, or does not. */
async function live(
  random: Random,
  world: Processes,
  options: ProcessOptions = {},
): Promise<void> {
  const running: Process[] = [];
  let started = 0;
  const start = async () => {
    running.push(await world.start(`p${started++}`, { mortal: random.chance(0.5), ...options }));
  };
  await start();
  let time = 0;
  for (let step = 0; step < STEPS; step++) {
    const what = random.number();
    if (what < 0.35) await world.say(time += 1 + random.integer(400), `w${step}`);
    else if (what < 0.75) {
      await world.ask(Math.max(0, time - 300 + random.integer(900)), random.integer(2));
    } else if (what < 0.85 && running.length < 3) await start();
    else if (what < 0.93 && running.length > 1) {
      const [process] = running.splice(random.integer(running.length), 1);
      await process!.stop().catch(() => {}); // one that dies says so
    }
    if (random.chance(0.5)) {
      await new Promise((resolve) => setTimeout(resolve, random.integer(40)));
    }
  }
  await world.say(time + 10_000, "the end");
  const isOver = ({ stored }: Process) => stored.some(({ value }) => value === "the end");
  await until(() => world.right && running.every(isOver));
  for (const process of running) await process.stop().catch(() => {});
  assert(world.right); // and has stayed so
}

for (let seed = 0; seed < SEEDS; seed++) {
  Deno.test(`Checkpoint in processes that come, go and die: every last result is right (seed ${seed})`, async () => {
    await using world = await Processes.open(memory);
    await live(new Random(seed), world);
  });
}

for (let seed = 0; seed < SEEDS; seed++) {
  Deno.test(`rule 7: and so it is where their flows are concurrent (seed ${seed})`, async () => {
    await using world = await Processes.open(memory);
    const random = new Random(seed);
    const nap = () =>
      random.chance(0.5) && new Promise((resolve) => setTimeout(resolve, random.integer(20)));
    const concurrency = { max: 4, by: random.pick(["none", "partition"] as const) };
    await live(random, world, { nap, concurrency, mortal: false }); // none naps on when the test is over
  });
}
