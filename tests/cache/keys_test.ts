import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  decodeKey,
  decodeParts,
  encodeKey,
  type Key,
  type KeyPart,
  MAX_KEY_BYTES,
} from "../../src/cache/keys.ts";

const text = fc.oneof(
  fc.string({ unit: "binary" }).filter((text) => text.isWellFormed()),
  fc.constantFrom("", "\0", "a\0", "a\0\xff", "é", "🏆", "\u{10ffff}", "\uffff"),
);
const part: fc.Arbitrary<KeyPart> = fc.oneof(
  text,
  fc.double(),
  fc.constantFrom(0, -0, NaN, Infinity, -Infinity, Number.MIN_VALUE),
  fc.bigInt(),
  fc.bigInt({ min: -(2n ** 600n), max: 2n ** 600n }),
  fc.constantFrom(0n, 255n, 256n, -255n, -256n, 2n ** 64n - 1n, 2n ** 64n, -(2n ** 64n)),
  fc.boolean(),
  fc.uint8Array({ maxLength: 20 }),
);
const parts = fc.array(part, { minLength: 1, maxLength: 4 });

Deno.test("encodeKey() and decodeKey() are inverse for all types, but that -0 is 0", () => {
  fc.assert(
    fc.property(parts, (key) => {
      const decoded = decodeKey(encodeKey(key));
      const same = key.map((part) => part === 0 ? 0 : part);
      assertEquals(decoded, same.length === 1 ? same[0] : same);
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("encodeKey() has the order and the identity of Deno KV", async () => {
  using kv = await Deno.openKv(":memory:");
  await fc.assert(
    fc.asyncProperty(fc.array(parts, { minLength: 2, maxLength: 40 }), async (keys) => {
      for await (const { key } of kv.list({ prefix: [] })) await kv.delete(key);
      for (const key of keys) await kv.set(decodeParts(encodeKey(key)), encodeKey(key));
      const stored = await Array.fromAsync(kv.list<string>({ prefix: [] }), (row) => row.value);
      assertEquals(stored, [...new Set(keys.map(encodeKey))].sort());
    }),
    { numRuns: 100 },
  );
});

Deno.test("encodeKey() takes keys up to the limit, which Deno KV takes with a prefix", async () => {
  using kv = await Deno.openKv(":memory:");
  const longest = "k".repeat(MAX_KEY_BYTES - 2);
  assertEquals(encodeKey(longest).length, MAX_KEY_BYTES);
  await kv.set(["slipstream", "e", "s".repeat(40), longest], 1);
  assertThrows(() => encodeKey(longest + "k"), RangeError, `${MAX_KEY_BYTES + 1} bytes`);
});

Deno.test("encodeKey() refuses lone surrogates, other types and bigints over 255 bytes", () => {
  assertThrows(() => encodeKey("\ud800"), TypeError, "lone surrogate");
  assertThrows(() => encodeKey([1, null as unknown as KeyPart]), TypeError, "null");
  assertThrows(() => encodeKey([] as Key), TypeError, "at least one part");
  assertThrows(() => encodeKey(2n ** 2040n), RangeError, "256 bytes");
  assert(encodeKey(2n ** 2040n - 1n).length === 257);
});
