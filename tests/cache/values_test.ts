import {
  assert,
  assertEquals,
  assertLess,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
import { isDeepStrictEqual } from "node:util";
import { Cache } from "../../mod.ts";
import { serialize } from "../../src/cache/sealed.ts";
import { temporaryFolder } from "../_support/temporary.ts";
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
  const named = { named: 1 };
  bad.push(
    [Object.assign(new Uint8Array(3), named), "a named property of a Uint8Array"],
    [[Object.assign(new Float64Array([NaN, -0]), named)], 'value["0"]: a named property'],
    [Object.assign(new DataView(new ArrayBuffer(1)), named), 'the property "named"'],
    [Object.assign(new String("text"), named), 'the property "named"'],
    [Object.assign(/x/g, { lastIndex: 1 }), "the lastIndex of a RegExp"],
    [Object.assign([1], { [Symbol("s")]: 1 }), "a symbol as a name"],
  );
  for (const [value, message] of bad) assertThrows(() => copyIn(value), TypeError, message);
});

Deno.test("copyIn() keeps as many holes of an array as it has named properties", () => {
  const holes = Object.assign([1, , 3, ,], { x: 1, y: 2 }); // deno-lint-ignore-line no-sparse-arrays
  assertEquals(isDeepStrictEqual(roundTrip(holes), holes), true);
});

/** Nests a value, in each way in which values can be nested. */
function nested(depth: number): unknown {
  const ways = [
    (value: unknown) => [value],
    (value: unknown) => ({ value }),
    (value: unknown) => new Map([[1, value]]),
    (value: unknown) => new Set([value]),
    (value: unknown) => new Error("e", { cause: value }),
  ];
  let value: unknown = 1;
  for (let level = 0; level < depth; level++) value = ways[level % ways.length]!(value);
  return value;
}

Deno.test("A Cache refuses values that are nested too deeply when they are set, and stores all others", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/db`;
  interface Node {
    next?: Node;
  }
  // However it is walked through first, who serializes it goes down all of it.
  const list: Node[] = Array.from({ length: 3_000 }, () => ({}));
  for (const [index, node] of list.entries()) node.next = list[index + 1]!;
  const refused: [unknown, string][] = [
    [nested(1_002), "value"],
    [nested(100_000), "value"],
    [list, 'value["0"]["next"]["next"]'],
  ];
  {
    await using cache = await Cache.open<unknown>(path);
    for (const [value, at] of refused) {
      const error = await assertRejects(() => cache.set("a", value), RangeError, "1000 levels");
      assertStringIncludes(error.message, `Cannot store ${at}`);
      assertLess(error.message.length, 300);
    }
    await cache.set("deep", nested(1_000));
    await cache.set("large", [nested(999), "x".repeat(100_000)]);
  }
  await using cache = await Cache.open<unknown>(path);
  assertEquals(await Array.fromAsync(cache.keys()), ["deep", "large"]);
});

const bytes = fc.uint8Array({ minLength: 16, maxLength: 40 });
/** What `fc.anything()` does not make. */
const unusual: fc.Arbitrary<unknown> = fc.oneof(
  fc.tuple(fc.array(fc.integer()), fc.dictionary(fc.string(), value)).map(([items, names]) =>
    Object.assign(items, names)
  ),
  fc.array(fc.option(fc.integer(), { nil: undefined })).map((items) => {
    for (const index of items.keys()) if (items[index] === undefined) delete items[index];
    return Object.assign(items, { named: 1 });
  }),
  bytes.map(({ buffer }) => [new DataView(buffer, 3, 5), new Uint16Array(buffer, 2, 3)]),
  bytes.map((bytes) => Object.assign(bytes, { named: 1 })),
  fc.string().map((text) => Object.assign(new String(text), { named: 1 })),
  fc.nat(2).map((lastIndex) => Object.assign(/x/g, { lastIndex })),
  fc.string().map((text) => new RangeError(text, { cause: [text] })),
  fc.nat(1_100).map(nested),
);

for (
  const [layout, options, padding] of [
    ["in a page", {}, ""],
    ["in pieces", { maxBytes: Infinity }, "x".repeat(30_000)],
    ["shared", { shared: true }, ""],
    ["shared, in pieces", { shared: true }, "x".repeat(30_000)],
  ] as const
) {
  Deno.test(`What a Cache has taken comes back as structuredClone gives it (${layout})`, async () => {
    await using folder = await temporaryFolder();
    const path = `${folder.path}/db`;
    const values = fc.sample(fc.oneof(value, unusual), { numRuns: 300, seed: 5 });
    const taken = new Map<number, unknown>();
    {
      await using cache = await Cache.open<unknown>(path, options);
      for (const [key, value] of values.entries()) {
        const given = padding === "" ? value : [value, padding];
        const refused = await cache.set(key, given).then(() => undefined, (error) => error);
        if (refused === undefined) taken.set(key, structuredClone(given));
        else assertStringIncludes(refused.message, "Cannot store value");
      }
    }
    assertLess(values.length / 2, taken.size);
    await using cache = await Cache.open<unknown>(path, options);
    for (const [key, value] of taken) {
      const found = await cache.get(key);
      assert(isDeepStrictEqual(found, value), Deno.inspect([found, value]));
    }
  });
}

Deno.test("copyIn() gives a size that what is stored does not exceed twice", () => {
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
      const { length } = serialize(copy);
      assert(length <= 2 * size, `${length} > 2 * ${size}`);
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
