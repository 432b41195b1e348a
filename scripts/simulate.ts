/**
 * Simulates programs with exact state, each seed another one: `deno task simulate [--seeds N] [--first N]`.
 * A seed that fails is printed; `--seeds 1 --first SEED` replays it.
 */
import { parseArgs } from "node:util";
import { simulate } from "../src/testing/mod.ts";
import { simulateDelivery } from "../tests/delivery/simulation.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "500" },
    first: { type: "string", default: "0" },
  },
});
const [seeds, first] = [Number(values.seeds), Number(values.first)];
const begin = performance.now();
try {
  await simulate(simulateDelivery, { seeds, first });
  const seconds = ((performance.now() - begin) / 1000).toFixed(1);
  console.log(`${seeds} seeds from ${first} on: nothing lost, state exact (${seconds} s)`);
} catch (error) {
  console.error((error as Error).message);
  console.error((error as Error).cause);
  const seed = /^Seed (\d+)/.exec((error as Error).message)?.[1];
  console.error(`\nReplay it: deno task simulate --seeds 1 --first ${seed}`);
  Deno.exitCode = 1;
}
