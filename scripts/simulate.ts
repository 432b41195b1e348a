/**
 * Runs simulations with many seeds: `deno task simulate [delivery | checkpoint | windows] [--seeds N] [--first N]`.
 * A seed that fails is printed, with the command that replays it.
 */
import { parseArgs } from "node:util";
import { simulate } from "../src/testing/mod.ts";
import { simulateCheckpoint } from "../tests/_support/checkpoint_simulation.ts";
import { simulateDelivery } from "../tests/delivery/simulation.ts";
import { simulateWindows } from "../tests/windows/simulation.ts";

const simulations = {
  delivery: { run: simulateDelivery, shown: "nothing lost, state exact" },
  checkpoint: { run: simulateCheckpoint, shown: "every last result right" },
  windows: { run: simulateWindows, shown: "each window has what came in time, once" },
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: "string", default: "500" },
    first: { type: "string", default: "0" },
  },
});
const [seeds, first] = [Number(values.seeds), Number(values.first)];
const [name = "delivery"] = positionals;
if (!Object.hasOwn(simulations, name)) {
  throw new TypeError(`Cannot simulate "${name}": give ${Object.keys(simulations).join(" or ")}`);
}
const { run, shown } = simulations[name as keyof typeof simulations];
const begin = performance.now();
try {
  await simulate(run, { seeds, first });
  const seconds = ((performance.now() - begin) / 1000).toFixed(1);
  console.log(`${seeds} seeds from ${first} on: ${shown} (${seconds} s)`);
} catch (error) {
  console.error((error as Error).message);
  console.error((error as Error).cause);
  const seed = /^Seed (\d+)/.exec((error as Error).message)?.[1];
  console.error(`\nReplay it: deno task simulate ${name} --seeds 1 --first ${seed}`);
  Deno.exitCode = 1;
}
