import { assert } from "@std/assert";
import { Random } from "../../src/testing/mod.ts";
import { type Process, Processes, until } from "../_support/processes.ts";
import { memory } from "../_support/topic_fixture.ts";

const SEEDS = 20;
const STEPS = 30;

/** Processes come, go and die while questions are asked and the weather becomes known, or does not. */
async function live(random: Random, world: Processes): Promise<void> {
  const running: Process[] = [];
  let started = 0;
  const start = async () => {
    running.push(await world.start(`p${started++}`, { mortal: random.chance(0.5) }));
  };
  await start();
  let time = 0;
  for (let step = 0; step < STEPS; step++) {
    const what = random.number();
    if (what < 0.35) await world.say(time += random.integer(400), `w${step}`);
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
  const isOver = ({ stored }: Process) => stored.at(-1)?.value === "the end";
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
