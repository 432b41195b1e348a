/**
 * One simulated life of a program with exact state: crashes between any two steps of a flush and of the
 * commit, disks and sinks that fail, groups that are lost. All from a seed; see `deno task simulate`.
 */
import { Random, Scheduler } from "../../src/testing/mod.ts";
import { SimulatedBroker } from "../_support/simulated_broker.ts";
import { SimulatedKv } from "../_support/simulated_disk.ts";
import { check } from "./check.ts";
import { planOf } from "./plan.ts";
import { Program } from "./program.ts";
import { makeWorld, openAll, type World } from "./world.ts";

/** Runs the simulation of `seed`; throws when something was lost, counted twice, or made up. */
export async function simulateDelivery({ seed }: Scheduler): Promise<void> {
  const world = await makeWorld(planOf(new Random(seed)));
  for (let lives = 0; !await live(world, lives); lives++) {
    if (lives > 200) throw new Error("the program does not come to an end");
  }
  await check(world);
}

/** One process, from its start to its crash (false), its stop by an error (false), or its end (true). */
async function live(world: World, lives: number): Promise<boolean> {
  const { plan } = world;
  const scheduler = new Scheduler(plan.random.integer(2 ** 32));
  world.clock = scheduler.clock;
  const mayCrash = lives < 6;
  const kvs = world.disks.map((disk) =>
    new SimulatedKv(disk, scheduler, mayCrash ? plan.failures / 4 : 0)
  );
  const connection = new SimulatedBroker(world.broker, scheduler);
  const states = await openAll(kvs, scheduler).catch(() => undefined);
  if (states === undefined) return false;

  const stop = new AbortController();
  const program = new Program(world, scheduler, connection, states, mayCrash, () => stop.abort());
  const app = program.build();
  let crashed = false;
  const streaming = app.stream({ signal: stop.signal, drainTimeout: 100_000 });
  const ended = streaming.then(() => true, () => false);
  const onStep = () => {
    if (crashed) return;
    if (plan.random.chance(plan.flushes)) {
      plan.random.pick(states).flush().catch(() => {}); // the run may end before
    }
    if (!mayCrash) return;
    const [crash, loss] = [plan.random.chance(plan.crashes), plan.random.chance(plan.crashes)];
    if (crash) {
      crashed = true;
      for (const kv of kvs) kv.dead = true;
      connection.crash();
      program.dead = true;
      stop.abort();
    } else if (loss) {
      connection.loseGroup().catch(() => {}); // it crashed meanwhile
    }
  };
  const whole = await scheduler.run(ended, { onStep });
  program.dead = true;
  for (const topic of program.topics) await scheduler.run(topic.close().catch(() => {}));
  for (const state of states) await scheduler.run(state.close().catch(() => {}));
  await connection.crash(); // the process is gone
  return whole && !crashed && program.complete;
}
