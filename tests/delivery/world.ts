import type { Cache } from "../../mod.ts";
import type { Clock } from "../../src/clock.ts";
import { Topic } from "../../src/kafka/mod.ts";
import { MemoryBroker } from "../../src/kafka/memory/mod.ts";
import { Scheduler } from "../../src/testing/mod.ts";
import { Disk, openSimulated, type SimulatedKv } from "../_support/simulated_disk.ts";
import { MESSAGES, type Plan, topicsOf } from "./plan.ts";

/** What outlives the processes. */
export interface World {
  readonly plan: Plan;
  /** The disks of the stores; the second is for the second flow of a fan-out. */
  readonly disks: readonly Disk[];
  readonly broker: MemoryBroker;
  /** The values that are in the file and in the table of the function sink. */
  readonly file: string[];
  readonly table: string[];
  readonly dead: string[];
  /** Where the broker takes its time from: the process that lives. */
  clock: Clock;
}

/** Makes the world in which a plan is carried out: topics with messages, and empty disks. */
export async function makeWorld(plan: Plan): Promise<World> {
  const clock: Clock = {
    now: () => world.clock.now(),
    monotonic: () => world.clock.monotonic(),
    timer: (callback, ms) => world.clock.timer(callback, ms),
    macrotask: (callback) => world.clock.macrotask(callback),
    random: () => world.clock.random(),
  };
  const world: World = {
    plan,
    disks: plan.shape === "two stores" ? [new Disk(), new Disk()] : [new Disk()],
    broker: new MemoryBroker({ clock, partitions: plan.partitions }),
    file: [],
    table: [],
    dead: [],
    clock: new Scheduler(plan.random.integer(2 ** 32)).clock,
  };
  for (const topic of topicsOf(plan)) await fill(world.broker, topic, plan.partitions);
  await world.broker.ensure("out", {});
  return world;
}

async function fill(broker: MemoryBroker, name: string, partitions: number): Promise<void> {
  await using topic = new Topic(name, { broker });
  for (let n = 0; n < MESSAGES; n++) {
    await topic.send({ value: `${name}${n}`, partition: n % partitions });
  }
}

/** Opens a cache on each disk, as a process does when it starts. */
export async function openAll(
  kvs: SimulatedKv[],
  scheduler: Scheduler,
): Promise<Cache<number>[]> {
  const states: Cache<number>[] = [];
  for (const kv of kvs) {
    states.push(await scheduler.run(openSimulated<number>(kv, scheduler.clock)));
  }
  return states;
}
