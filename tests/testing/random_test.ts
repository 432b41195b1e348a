import { assert, assertEquals, assertThrows } from "@std/assert";
import { Random } from "../../src/testing/random.ts";

Deno.test("Random.number() gives the published numbers of mulberry32", () => {
  const random = new Random(1);
  const numbers = Array.from({ length: 3 }, () => Math.floor(random.number() * 2 ** 32));
  assertEquals(numbers, [2693262067, 11749833, 2265367787]);
});

Deno.test("Random.integer() reaches every integer below its end, about equally often", () => {
  const random = new Random(4);
  const counts = new Array(6).fill(0);
  for (let n = 0; n < 6000; n++) counts[random.integer(6)]++;
  for (const count of counts) assert(count > 850 && count < 1150, String(counts));
});

Deno.test("Random.chance() is never for 0 and always for 1", () => {
  const random = new Random(5);
  for (let n = 0; n < 100; n++) {
    assertEquals(random.chance(0), false);
    assertEquals(random.chance(1), true);
  }
});

Deno.test("Random.pick() throws when there is nothing to pick from", () => {
  assertThrows(() => new Random(0).pick([]), RangeError, "Cannot pick one of no items");
});
