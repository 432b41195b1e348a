import { simulate } from "../../src/testing/mod.ts";
import { simulateDelivery } from "./simulation.ts";

Deno.test("simulated crashes lose nothing, make nothing up, and leave the state exact", () =>
  simulate(simulateDelivery, { seeds: 100 }));
