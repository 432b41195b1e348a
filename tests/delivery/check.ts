import { assertEquals } from "@std/assert";
import { Topic } from "../../src/kafka/mod.ts";
import { Scheduler } from "../../src/testing/mod.ts";
import { SimulatedKv } from "../_support/simulated_disk.ts";
import { buriedBy, expectedState, isPoison, valuesOf } from "./plan.ts";
import { openAll, type World } from "./world.ts";

/** Nothing lost, nothing foreign, the state exact. */
export async function check(world: World): Promise<void> {
  const { plan } = world;
  const scheduler = new Scheduler(0);
  world.clock = scheduler.clock;
  const kvs = world.disks.map((disk) => new SimulatedKv(disk, scheduler, 0));
  const found: Record<string, number> = {};
  for (const state of await openAll(kvs, scheduler)) {
    for await (const [key, count] of state.entries()) found[String(key)] = count;
    const odd = state.space<number>("odd", { maxBytes: Infinity });
    for await (const [flow, one] of odd.entries()) found[`odd,${flow}`] = one;
    const last = state.space<number>("last", { maxBytes: Infinity });
    for await (const [key, count] of last.entries()) found[`last,${key}`] = count;
    await scheduler.run(state.close());
  }

  const expected = expectedState(plan);
  assertEquals(found, expected, `the state, with ${JSON.stringify(plan)}`);

  const good = valuesOf(plan).filter((value) => !isPoison(plan, value));
  const out: string[] = [];
  await using topic = new Topic("out", {
    broker: world.broker,
    groupId: "check",
    offset: "earliest",
  });
  const high = (await topic.offsets()).get(0)!.high;
  const reading = (async () => {
    if (high === 0) return;
    for await (const { value, offset } of topic) {
      out.push(value);
      if (offset === high - 1) break;
    }
  })();
  await scheduler.run(reading);
  for (const [name, seen] of Object.entries({ out, file: world.file, table: world.table })) {
    assertEquals(
      [...new Set(seen)].sort(),
      [...good].sort(),
      `${name}, with ${JSON.stringify(plan)}`,
    );
  }
  if (plan.policy === "deadLetter") {
    assertEquals([...new Set(world.dead)].sort(), buriedBy(plan).sort(), "dead letters");
  }
}
