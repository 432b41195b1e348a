import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { MAX_STEPS, Staircase } from "../../src/checkpoint/staircase.ts";

Deno.test("Staircase.from() returns the position of the first result at or after a time", () => {
  const staircase = new Staircase();
  for (const [position, time] of [[3, 10], [4, 8], [5, 12], [9, 20]]) {
    staircase.add(position!, time!);
  }
  assertEquals([9, 10, 11, 12, 13, 20, 21].map((time) => staircase.from(time)), [
    3,
    3,
    5,
    5,
    9,
    9,
    undefined,
  ]);
});

Deno.test("Staircase.forget() drops what is final, and cut() what will be made again", () => {
  const staircase = new Staircase([{ position: 1, time: 1 }, { position: 2, time: 2 }, {
    position: 3,
    time: 3,
  }]);
  staircase.forget(2);
  staircase.cut(3);
  assertEquals(staircase.steps, [{ position: 2, time: 2 }]);
});

Deno.test("Staircase.add() forgets what comes after it: the reading began again before it", () => {
  const staircase = new Staircase([{ position: 3, time: 20 }]);
  staircase.add(2, 14);
  assertEquals(staircase.from(13), 2);
});

Deno.test("Staircase stays within its bound and never points behind the first result that is wrong", () => {
  // Times that rise on the whole, so that there are more steps than may be kept.
  const rises = fc.array(fc.integer({ min: -5, max: 10 }), { maxLength: 400, size: "max" });
  fc.assert(fc.property(rises, fc.nat(1000), (rises, tau) => {
    let time = 0;
    const times = rises.map((rise) => time += rise);
    const staircase = new Staircase();
    times.forEach((time, position) => staircase.add(position, time));
    assert(staircase.steps.length <= MAX_STEPS);
    const first = times.findIndex((time) => time >= tau);
    if (first === -1) return;
    assert(staircase.from(tau)! <= first);
  }));
});
