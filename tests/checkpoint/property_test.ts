import { simulate } from "../../src/testing/mod.ts";
import { simulateCheckpoint } from "../_support/checkpoint_simulation.ts";

Deno.test("Checkpoint makes every last result right, through outages, disorder, errors and crashes", async () => {
  await simulate(simulateCheckpoint, { seeds: 1000 }).catch((error: Error) => {
    const seed = /^Seed (\d+)/.exec(error.message)?.[1];
    const replay = `deno task simulate checkpoint --seeds 1 --first ${seed}`;
    throw new Error(`${error.message}\nReplay it: ${replay}`, { cause: error.cause });
  });
});
