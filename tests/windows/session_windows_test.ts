import { assertEquals } from "@std/assert";
import fc from "fast-check";
import type { How } from "../../src/windows/aggregate.ts";
import { SessionWindows } from "../../src/windows/session_windows.ts";
import type { WindowsHost } from "../../src/windows/windows.ts";

const counting: How<unknown, unknown> = {
  name: "count",
  read: () => 1,
  init: () => 0,
  add: (sum) => (sum as number) + 1,
  merge: (first, second) => (first as number) + (second as number),
  result: (sum) => sum,
};

Deno.test("SessionWindows.open is how many sessions have not closed, whatever they join, and after a restart", () => {
  const step = fc.record({
    time: fc.integer({ min: 0, max: 100 }),
    key: fc.constantFrom("a", "b"),
    watermark: fc.integer({ min: 0, max: 12 }), // by how much it goes on
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    let watermark = 0;
    const host: WindowsHost = {
      how: counting,
      accept: 15,
      eager: false,
      careful: false,
      prefix: "w",
      closing: () => watermark,
      least: () => Infinity,
      nameOf: String,
      give() {},
      closed() {},
    };
    const rows = new Map<string, unknown>();
    const store = {
      scan: () => structuredClone([...rows]),
      set: (key: string, value: unknown) => void rows.set(key, structuredClone(value)),
      delete: (key: string) => void rows.delete(key),
    };
    const windows = new SessionWindows(host, 10);
    steps.forEach(({ time, key, watermark: by }, arrival) => {
      const entry = { partition: 0, scope: 0, key, mapKey: key, time, read: 1, arrival, watermark };
      windows.add(entry);
      watermark += by;
      windows.moved(0);
      windows.close(100);
      windows.save(store);
      const stored = [...rows.values()].flatMap((value) => (value as [0, 0, unknown[][]])[2]);
      const open = stored.filter(([, , , , closed]) => !closed).length;
      assertEquals(windows.open, open);
      const again = new SessionWindows(host, 10);
      again.load(store);
      assertEquals(again.open, open);
    });
  }));
});
