import { assertEquals } from "@std/assert";
import { Scheduler, simulate } from "../../src/testing/mod.ts";
import { drawGraph } from "../_support/simulated_graph.ts";
import { Simulation } from "../_support/simulated_run.ts";

// SEEDS=20000 runs more of them; SEED=17 runs one alone and tells everything that happened in it.
const alone = Deno.env.get("SEED");
const first = Number(alone ?? 0);
const seeds = alone === undefined ? Number(Deno.env.get("SEEDS") ?? 4000) : 1;

/** Runs the graph of a seed; returns what its user functions saw. */
async function run(scheduler: Scheduler): Promise<string[]> {
  const graph = drawGraph(scheduler.random);
  const simulation = new Simulation(scheduler, graph);
  const { trace } = simulation.oracle;
  try {
    await simulation.run();
  } catch (error) {
    if (alone === undefined) throw error;
    const told = [JSON.stringify(graph, null, 2), ...trace, (error as Error).message];
    throw new Error(told.join("\n"), { cause: error });
  }
  return trace;
}

Deno.test("App keeps order, acknowledges exactly what is done, and never hangs, in random graphs", async () => {
  await simulate(async (scheduler) => void await run(scheduler), { first, seeds });
});

Deno.test("App does the same again for the same seed", async () => {
  for (let seed = first; seed < first + Math.min(seeds, 50); seed++) {
    assertEquals(await run(new Scheduler(seed)), await run(new Scheduler(seed)));
  }
});
