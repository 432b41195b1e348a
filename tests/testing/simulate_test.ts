import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { simulate } from "../../src/testing/simulate.ts";

Deno.test("simulate() runs every seed once, from the first", async () => {
  const seeds: number[] = [];
  await simulate(({ seed }) => void seeds.push(seed), { first: 5, seeds: 3 });
  assertEquals(seeds, [5, 6, 7]);
});

Deno.test("simulate() names the seed that fails, and one seed runs alone", async () => {
  const seeds: number[] = [];
  const test = ({ seed }: { seed: number }) => {
    seeds.push(seed);
    if (seed === 6) throw new TypeError("no six");
  };
  const error = await assertRejects(() => simulate(test), Error, "Seed 6 fails: no six");
  assertInstanceOf(error.cause, TypeError);
  seeds.length = 0;
  await assertRejects(() => simulate(test, { first: 6, seeds: 1 }), Error, "Seed 6 fails: no six");
  assertEquals(seeds, [6]);
});

Deno.test("simulate() throws for a number of seeds that runs nothing", async () => {
  await assertRejects(() => simulate(() => {}, { seeds: 0 }), RangeError, "current value is 0");
});
