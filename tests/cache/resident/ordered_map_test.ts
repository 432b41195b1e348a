import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { OrderedMap } from "../../../src/cache/resident/ordered_map.ts";

const key = fc.nat(3_000).map((n) => String(n).padStart(4, "0"));
const steps = fc.array(
  fc.tuple(fc.constantFrom("set", "set", "set", "delete"), key),
  { minLength: 500, maxLength: 4_000, size: "max" },
);

Deno.test("OrderedMap is a sorted Map, through splits and emptied leaves", () => {
  fc.assert(
    fc.property(steps, key, key, fc.nat(300), (steps, low, high, count) => {
      const map = new OrderedMap<string>();
      const model = new Map<string, string>();
      for (const [what, key] of steps) {
        const old = model.get(key);
        if (what === "set") {
          assertEquals(map.set(key, key), old);
          model.set(key, key);
        } else {
          assertEquals(map.delete(key), old);
          model.delete(key);
        }
        assertEquals(map.size, model.size);
      }
      const sorted = [...model.keys()].sort();
      const within = sorted.filter((key) => key >= low && key < high);
      const up: string[] = [];
      map.upwards(low, high, count, up);
      assertEquals(up, within.slice(0, count));
      const down: string[] = [];
      map.downwards(low, high, count, down);
      assertEquals(down, within.reverse().slice(0, count));
      for (const key of [low, high]) assertEquals(map.get(key), model.get(key));
      assertEquals(map.values(), sorted);
      for (const key of sorted) map.delete(key);
      assertEquals([map.size, map.values()], [0, []]);
    }),
    { numRuns: 40 },
  );
});
