import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { slope } from "../../scripts/bench/heap.ts";
import { figuresLine, jsonLine, tableLine } from "../../scripts/bench/report.ts";
import { median, quantile } from "../../scripts/bench/rounds.ts";

const result = { name: "flow/plain", perSecond: 1234567.8, floorRatio: 0.51234, peerRatio: null };

Deno.test("median() returns the middle, or the mean of the middle two", () => {
  assertEquals(median([9, 1, 5]), 5);
  assertEquals(median([10, 1, 5, 7]), 6);
  assertThrows(() => median([]), RangeError);
});

Deno.test("quantile() returns the number that a share of the numbers is below", () => {
  const numbers = Array.from({ length: 1_000 }, (_, i) => 999 - i);
  assertEquals([0, 0.5, 0.99, 1].map((share) => quantile(numbers, share)), [0, 500, 990, 999]);
  assertThrows(() => quantile([], 0.5), RangeError);
});

Deno.test("slope() returns the growth of the line through the points", () => {
  const points = [0, 1, 2, 3].map((x) => ({ x: x * 1000, y: 7 + 0.5 * x * 1000 }));
  assertAlmostEquals(slope(points), 0.5);
  assertAlmostEquals(slope([{ x: 0, y: 3 }, { x: 1, y: 5 }, { x: 2, y: 3 }]), 0);
});

Deno.test("jsonLine() has the four fields, and the growth of a memory run", () => {
  assertEquals(JSON.parse(jsonLine({ ...result, goals: { floor: 0.6 } })), {
    name: "flow/plain",
    perSecond: 1234568,
    floorRatio: 0.5123,
    peerRatio: null,
  });
  assertEquals(JSON.parse(jsonLine({ ...result, bytesPerMessage: 0.25 })).bytesPerMessage, 0.25);
});

Deno.test("tableLine() marks a ratio below its goal", () => {
  assertEquals(tableLine({ ...result, goals: { floor: 0.6 } }).includes("0.51 BELOW 0.6"), true);
  assertEquals(tableLine({ ...result, goals: { floor: 0.5 } }).includes("0.51 (≥ 0.5)"), true);
});

Deno.test("figuresLine() names each figure, and their unit", () => {
  const line = figuresLine({ name: "topic/roundtrip", unit: "ms" }, { p50: 0.789, p99: 12 });
  assertEquals(line.replace(/ {2,}/, " ").trim(), "topic/roundtrip p50 0.79, p99 12.00 ms");
});
