import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { InOrder } from "../../src/flow/source/in_order.ts";

interface Entry {
  readonly position: number;
  readonly number: number;
}

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ put: fc.integer({ min: 0, max: 40 }) }) },
  { weight: 4, arbitrary: fc.constant("shift" as const) },
  { weight: 1, arbitrary: fc.record({ keep: fc.integer({ min: 1, max: 4 }) }) },
);

Deno.test("InOrder is what a sorted list is in which an entry takes the place of its like", () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
    const line = new InOrder<Entry>((entry, other) => entry.position - other.position);
    let model: Entry[] = [];
    for (const [number, step] of steps.entries()) {
      if (step === "shift") {
        if (model.length > 0) assertEquals(line.shift(), model.shift());
      } else if ("put" in step) {
        const entry = { position: step.put, number };
        assertEquals(line.put(entry), model.find(({ position }) => position === step.put));
        model = model.filter(({ position }) => position !== step.put);
        model = [...model, entry].sort((a, b) => a.position - b.position);
      } else {
        const isKept = ({ position }: Entry) => position % step.keep === 0;
        line.keep(isKept);
        model = model.filter(isKept);
      }
      const { all, first, last, size } = line;
      assertEquals([...all], model);
      assertEquals([first, last, size], [model[0], model.at(-1), model.length]);
    }
  }));
});

Deno.test("InOrder keeps an entry that does not compare behind those before it", () => {
  const line = new InOrder<object>(() => -1);
  const entries = [{}, {}, {}];
  for (const entry of entries) assertEquals(line.put(entry), undefined);
  assertEquals(line.all, entries);
});

Deno.test("InOrder drops the places of thousands that have left", () => {
  const line = new InOrder<number>((entry, other) => entry - other);
  for (let n = 0; n < 5_000; n++) line.put(n);
  for (let n = 0; n < 4_999; n++) assertEquals(line.shift(), n);
  line.put(4_000);
  assertEquals([...line.all], [4_000, 4_999]);
});
