import {
  assert,
  assertEquals,
  assertNotEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
import v8 from "node:v8";
import { copyIn, copyOut } from "../../src/cache/values.ts";
import { Entry } from "../../src/cache/resident/entry.ts";
import { decodePage, encodePage, Page } from "../../src/cache/resident/page.ts";

const value = fc.anything({
  withBigInt: true,
  withDate: true,
  withMap: true,
  withSet: true,
  withSparseArray: true,
  withTypedArray: true,
  withUnicodeString: true,
  withBoxedValues: true,
});

function roundTrip(value: unknown): unknown {
  const { value: copy, cloned } = copyIn(value);
  return copyOut(copy, cloned);
}

Deno.test("copyIn() and copyOut() give what structuredClone gives", () => {
  fc.assert(
    fc.property(value, (value) => assertEquals(roundTrip(value), structuredClone(value))),
    { numRuns: 3_000 },
  );
});

Deno.test("copyIn() keeps cycles, holes, named properties of arrays and own __proto__", () => {
  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  const copy = roundTrip(cycle) as typeof cycle;
  assert(copy.self === copy && copy !== cycle);
  interface Node {
    parent?: Node;
    children: Node[];
  }
  const tree: Node = { children: [] };
  for (let i = 0; i < 1_000; i++) tree.children.push({ parent: tree, children: [] });
  const root = roundTrip(tree) as Node;
  assertEquals(root.children.length, 1_000);
  assert(root.children.every(({ parent }) => parent === root));
  const holes = [1, , 3]; // deno-lint-ignore-line no-sparse-arrays
  assertEquals(1 in (roundTrip(holes) as unknown[]), false);
  const match = "abc".match(/b/)!;
  assertEquals((roundTrip(match) as RegExpMatchArray).index, 1);
  const proto = JSON.parse('{"__proto__": {"x": 1}}');
  assertEquals(Object.keys(roundTrip(proto) as object), ["__proto__"]);
});

Deno.test("copyIn() makes two of an object that plain data refers to twice, however often it is doubled", () => {
  const shared = { n: 1 };
  const [first, second] = roundTrip([shared, shared]) as { n: number }[];
  assertEquals([first, second], [shared, shared]);
  assert(first !== second);
  // Only structuredClone can copy the rest, and sees that they are one.
  const [one, other] = roundTrip([shared, shared, new Date(0)]) as { n: number }[];
  assertStrictEquals(one, other);
  let doubled: unknown[] = [];
  for (let level = 0; level < 60; level++) doubled = [doubled, doubled];
  const copy = roundTrip(doubled) as unknown[];
  assertStrictEquals(copy[0], copy[1]);
});

Deno.test("copyIn() takes only the bytes of a view, not the buffer behind it", () => {
  const view = new Uint8Array(1_000_000).subarray(5, 10);
  const { value, size } = copyIn(view);
  assertEquals((value as Uint8Array).buffer.byteLength, 5);
  assert(size < 100);
});

Deno.test("copyIn() refuses what would be lost or changed, with its path", () => {
  class Point {
    x = 1;
  }
  const bad: [unknown, string][] = [
    [{ a: [new Point()] }, 'value["a"]["0"]: a Point'],
    [new Map([["k", () => 1]]), "value 0 of the Map): a function"],
    [new (class extends Date {})(), "value: a "],
    [Object.assign(new Date(), { x: 1 }), 'the property "x"'],
    [Object.assign(new Error("e"), { code: 5 }), 'the property "code"'],
    [{ blob: new Blob([]) }, "Blob"],
    [new Uint8Array(new SharedArrayBuffer(1)), "SharedArrayBuffer"],
    [{ [Symbol("s")]: 1 }, "symbol"],
    [Promise.resolve(), "Promise"],
  ];
  for (const [value, message] of bad) assertThrows(() => copyIn(value), TypeError, message);
});

Deno.test("copyIn() gives a size that v8.serialize() does not exceed twice", () => {
  const wide = "é🏆".repeat(10) + "plain text".repeat(5);
  const strings = fc.oneof(
    fc.string(),
    // A slice of a wide string is stored with two bytes a character, even where one would do.
    fc.nat(60).map((length) => wide.slice(20, 20 + length)),
  );
  const values = fc.oneof(value, fc.array(strings), fc.dictionary(strings, fc.double()));
  fc.assert(
    fc.property(values, (value) => {
      const { value: copy, size } = copyIn(value);
      assert(v8.serialize(copy).length <= 2 * size, `${v8.serialize(copy).length} > 2 * ${size}`);
    }),
    { numRuns: 3_000 },
  );
});

Deno.test("A page never exceeds the limit of Deno KV, and comes back as it was", async () => {
  using kv = await Deno.openKv(":memory:");
  const wide = "é🏆" + "x".repeat(3_000);
  const text = fc.nat(3_000).map((length) => wide.slice(3, 3 + length));
  const entries = fc.array(fc.tuple(fc.string({ maxLength: 300 }), fc.oneof(text, value)), {
    minLength: 50,
    maxLength: 300,
  });
  await fc.assert(
    fc.asyncProperty(entries, async (entries) => {
      const page = new Page(1);
      for (const [key, value] of entries) {
        const entry = new Entry(key, { ...copyIn(value), expires: 0 });
        if (entry.valueSize < 24_000 && page.fits(entry)) page.add(entry);
      }
      const row = encodePage("space", page, { sequence: 1, ends: true });
      await kv.set(["page"], row);
      const { records } = decodePage(1, (await kv.get(["page"])).value);
      assertEquals(
        records.map(({ key, value }) => [key, value]),
        page.records.map((r) => [r.key, r.value]),
      );
    }),
    { numRuns: 60 },
  );
  assertNotEquals((await kv.get(["page"])).value, null);
});
