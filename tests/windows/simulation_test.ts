import { simulate } from "../../src/testing/mod.ts";
import { simulateWindows } from "./simulation.ts";

Deno.test("simulated windows: each has what came in time, once, and closes though nothing comes", () =>
  simulate(simulateWindows, { seeds: 1_000 }));
