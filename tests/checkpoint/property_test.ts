import { simulate } from "../../src/testing/mod.ts";
import { simulateCheckpoint } from "../_support/checkpoint_simulation.ts";

/** `CHECKPOINT_SEEDS=20000` runs more, `CHECKPOINT_SEED=17` one. */
const seeds = Number(Deno.env.get("CHECKPOINT_SEEDS") ?? 1000);
const only = Deno.env.get("CHECKPOINT_SEED");

Deno.test("Checkpoint makes every last result right, through outages, disorder and crashes", async () => {
  const range = only === undefined ? { seeds } : { first: Number(only), seeds: 1 };
  await simulate(simulateCheckpoint, range);
});
