import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { HashIndex } from "../../../src/cache/resident/hash_index.ts";

const steps = fc.array(fc.tuple(fc.constantFrom("set", "set", "delete"), fc.nat(60)), {
  maxLength: 400,
});

Deno.test("HashIndex is a Map, through as many as it takes", () => {
  fc.assert(fc.property(steps, fc.integer({ min: 1, max: 40 }), (steps, most) => {
    const index = new HashIndex<number>(most);
    const model = new Map<string, number>();
    for (const [value, [what, n]] of steps.entries()) {
      const key = String(n);
      const old = model.get(key);
      if (what === "set") {
        assertEquals(index.set(key, value), old);
        model.set(key, value);
      } else {
        assertEquals(index.delete(key), old);
        model.delete(key);
      }
      assertEquals([index.size, index.get(key)], [model.size, model.get(key)]);
    }
    for (let n = 0; n <= 60; n++) assertEquals(index.get(String(n)), model.get(String(n)));
    index.clear();
    assertEquals([index.size, index.get("1")], [0, undefined]);
  }));
});
