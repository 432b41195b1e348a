import { assertEquals } from "@std/assert";
import { Pulses } from "../../src/checkpoint/pulses.ts";

Deno.test("Pulses keeps what later messages of a partition brought, and what earlier ones alone did", () => {
  const pulses = new Pulses();
  pulses.bring({ a: "5", b: "5" }, { partition: 0, offset: 5 });
  pulses.bring({ a: "4", c: "4" }, { partition: 0, offset: 4 });
  assertEquals(pulses.state, { a: "5", b: "5", c: "4" });
  pulses.bring({ a: "1 of another" }, { partition: 1, offset: 1 });
  pulses.bring({ b: "of none" }, undefined);
  assertEquals(pulses.state, { a: "1 of another", b: "of none", c: "4" });
});

Deno.test("Pulses.isLast() is true again for what is handled again", () => {
  const pulses = new Pulses();
  const at = (offset: number) => ({ partition: 0, offset });
  assertEquals([5, 4, 5].map((offset) => pulses.isLast(at(offset))), [true, false, true]);
  pulses.rewind(0, 3);
  assertEquals([3, 4].map((offset) => pulses.isLast(at(offset))), [true, true]);
  assertEquals(pulses.isLast(undefined), true);
});
