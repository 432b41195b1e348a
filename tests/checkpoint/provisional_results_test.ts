import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { MAX_STEPS, PartitionResults } from "../../src/checkpoint/provisional_results.ts";

Deno.test("PartitionResults.firstFrom() returns the position of the first result at or after a time", () => {
  const results = new PartitionResults();
  for (const [position, time] of [[3, 10], [4, 8], [5, 12], [9, 20]]) {
    results.add(position!, time!);
  }
  assertEquals([9, 10, 11, 12, 13, 20, 21].map((time) => results.firstFrom(time)), [
    3,
    3,
    5,
    5,
    9,
    9,
    undefined,
  ]);
});

Deno.test("PartitionResults.finalize() drops final results, and rewind() those that will be made again", () => {
  const results = new PartitionResults();
  for (const position of [1, 2, 3]) results.add(position, position);
  results.finalize(2);
  results.rewind(3);
  assertEquals(results.steps, [{ position: 2, time: 2 }]);
});

Deno.test("PartitionResults.add() forgets nothing that comes after it, but for what it covers", () => {
  const results = new PartitionResults();
  results.add(3, 20);
  results.add(2, 14);
  assertEquals([13, 15].map((time) => results.firstFrom(time)), [2, 3]);
  results.add(1, 20);
  assertEquals(results.steps, [{ position: 1, time: 20 }]);
});

Deno.test("PartitionResults stays within its bound and never points behind the first stale result", () => {
  // Times that rise on the whole, so that there are more steps than may be kept; they come out of order.
  const rises = fc.array(fc.tuple(fc.integer({ min: -5, max: 10 }), fc.nat(30)), {
    maxLength: 400,
    size: "max",
  });
  fc.assert(fc.property(rises, fc.nat(1000), (rises, tau) => {
    let time = 0;
    const times = rises.map(([rise]) => time += rise);
    const results = new PartitionResults();
    const order = rises.map(([, delay], position) => ({ position, at: position + delay }));
    for (const { position } of order.toSorted((a, b) => a.at - b.at)) {
      results.add(position, times[position]!);
    }
    assert(results.steps.length <= MAX_STEPS);
    const first = times.findIndex((time) => time >= tau);
    if (first === -1) return;
    assert(results.firstFrom(tau)! <= first);
  }));
});
