import { drawGraph } from "../_support/simulated_graph.ts";
import { Simulation } from "../_support/simulated_run.ts";
import { type Scheduler, simulate } from "../../src/testing/mod.ts";

/** `SEEDS=20000` runs more seeds, `SEED=17` one alone. */
const seed = Deno.env.get("SEED");
const seeds = seed === undefined ? Number(Deno.env.get("SEEDS") ?? 400) : 1;
const first = Number(seed ?? 0);

async function runGraph(scheduler: Scheduler): Promise<Simulation> {
  const graph = drawGraph(scheduler.random);
  const simulation = new Simulation(scheduler, graph);
  try {
    await simulation.run();
  } catch (error) {
    if (seed !== undefined) {
      console.log(JSON.stringify(graph, null, 1));
      console.log(simulation.oracle.trace.join("\n"));
    }
    throw error;
  }
  return simulation;
}

Deno.test("random graphs keep order, acknowledge exactly what is done, and never hang", async () => {
  await simulate(async (scheduler) => void await runGraph(scheduler), { seeds, first });
});
