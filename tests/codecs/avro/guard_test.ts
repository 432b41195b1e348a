import { assert, assertEquals, assertLess, assertThrows } from "@std/assert";
import { AvroCodec, type AvroSchema } from "@slipstream/slipstream/avro";

const record = (name: string, ...fields: unknown[]) => ({ type: "record", name, fields });
const hex = (text: string) => Uint8Array.fromHex(text.replaceAll(" ", ""));

/** Asserts that `bytes` are refused with a message that includes `message`. */
function assertRefused(schema: AvroSchema, bytes: string, message: string): void {
  const decode = () => new AvroCodec(schema).decode(hex(bytes));
  const error = assertThrows(decode, Error, "Cannot decode Avro ");
  assert(error.message.includes(message), error.message);
}

Deno.test("AvroCodec.decode() refuses 50 million items in five bytes before it makes any", () => {
  const nulls = { type: "array", items: "null" };
  const start = performance.now();
  assertRefused(nulls, "80 e1 eb 17 00", "more than maxItems 1000000");
  assertLess(performance.now() - start, 1_000);
});

Deno.test("AvroCodec.decode() counts items over all blocks, and the fields of empty-looking records", () => {
  const options = { maxItems: 8 };
  const nulls = new AvroCodec({ type: "array", items: "null" }, options);
  assertEquals(nulls.decode(hex("08 08 00")), new Array(8).fill(null));
  assertThrows(() => nulls.decode(hex("08 0a 00")), RangeError, "maxItems 8");
  const pair = record("P", { name: "a", type: "null" }, { name: "b", type: "null" });
  const pairs = new AvroCodec({ type: "array", items: pair }, options);
  assertEquals(pairs.decode(hex("04 00")), [{ a: null, b: null }, { a: null, b: null }]);
  assertThrows(() => pairs.decode(hex("06 00")), RangeError, 'field "[2]": there are more');
});

Deno.test("AvroCodec.encode() counts items, entries and fields as decode() does", () => {
  const encode = (schema: AvroSchema, value: unknown) => () =>
    new AvroCodec(schema, { maxItems: 2 }).encode(value);
  const nulls = { type: "array", items: "null" };
  encode(nulls, [null, null])();
  assertThrows(encode(nulls, [null, null, null]), RangeError, "more than maxItems 2");
  const map = { type: "map", values: "null" };
  encode(map, { a: null, b: null })();
  assertThrows(encode(map, { a: null, b: null, c: null }), RangeError, "more than maxItems 2");
  const one = record("P", { name: "a", type: "null" });
  encode({ type: "array", items: one }, [{ a: null }])();
  assertThrows(
    encode({ type: "array", items: one }, [{ a: null }, { a: null }]),
    RangeError,
    "maxItems 2",
  );
});

Deno.test("AvroCodec bounds the size of a message both ways", () => {
  const codec = new AvroCodec("string", { maxBytes: 4 });
  assertEquals(codec.decode(codec.encode("abc")), "abc");
  const state = "maxBytes is 4: current size is 5";
  assertThrows(() => codec.encode("abcd"), RangeError, `Cannot encode Avro value as ${state}`);
  assertThrows(
    () => codec.decode(new Uint8Array(5)),
    RangeError,
    `Cannot decode Avro value as ${state}`,
  );
});

Deno.test("AvroCodec bounds the depth both ways", () => {
  const codec = new AvroCodec(record("R", { name: "next", type: ["null", "R"] }), { maxDepth: 3 });
  assertEquals(codec.decode(hex("02 02 00")), { next: { next: { next: null } } });
  assertThrows(() => codec.decode(hex("02 02 02 00")), RangeError, "deeper than maxDepth 3");
  const circle: { next?: unknown } = {};
  circle.next = circle;
  assertThrows(
    () => codec.encode(circle),
    RangeError,
    'field "next.next.next": it is nested deeper',
  );
});

Deno.test("AvroCodec.decode() does not run for ever in a record that holds only itself", () => {
  assertRefused(record("R", { name: "self", type: "R" }), "", "deeper than maxDepth 64");
});

Deno.test("AvroCodec.decode() refuses a block whose size is not that of its items", () => {
  const ints = { type: "array", items: "int" };
  assertEquals(new AvroCodec(ints).decode(hex("03 04 02 04 00")), [1, 2]);
  assertRefused(ints, "03 06 02 04 00", "a block says it has 3 bytes and has 2");
  // A negative size makes avsc go backwards for ever when it skips the field.
  assertRefused(ints, "03 03 02 04 00", "a length is negative");
});

Deno.test("AvroCodec.decode() refuses bytes that end too early or too late", () => {
  assertRefused("int", "", "the bytes end within a number");
  assertRefused("int", "80", "the bytes end within a number");
  assertRefused("string", "08 61", "the bytes end 3 too early");
  assertRefused("double", "00", "the bytes end 7 too early");
  assertRefused("boolean", "", "the bytes end 1 too early");
  assertRefused("int", "00 00", "1 bytes are left over");
});

Deno.test("AvroCodec.decode() refuses numbers that are too large for their type", () => {
  assertRefused("int", "80 80 80 80 10", "is no 32-bit number");
  assertRefused("long", "80 80 80 80 80 80 80 80 80 02", "more than 64 bits");
  assertRefused("long", "80 80 80 80 80 80 80 80 80 80 00", "more than 64 bits");
  assertRefused("boolean", "02", "a boolean is 0 or 1");
});

Deno.test("AvroCodec.decode() refuses lengths, symbols and branches that do not exist", () => {
  assertRefused("bytes", "01", "a length is negative");
  assertRefused({ type: "enum", name: "E", symbols: ["A"] }, "02", "symbol 1 does not exist");
  assertRefused(["null", "int"], "04", "union branch 2 does not exist");
  assertRefused(["null", "int"], "01", "union branch -1 does not exist");
});

Deno.test("AvroCodec.decode() refuses text that is not UTF-8, short and long, in values and keys", () => {
  assertRefused("string", "02 ff", "not valid UTF-8");
  assertRefused("string", "80 01" + "ff".repeat(64), "not valid UTF-8");
  assertRefused({ type: "map", values: "int" }, "02 02 ff 02 00", "not valid UTF-8");
});

Deno.test("AvroCodec.decode() refuses the map key __proto__", () => {
  const map = { type: "map", values: { type: "map", values: "int" } };
  assertRefused(map, "02 12 5f5f70726f746f5f5f 02 02 61 02 00 00", 'the key "__proto__"');
});

Deno.test("AvroCodec.decode() names the path of what is wrong", () => {
  const inner = { type: "map", values: record("In", { name: "b", type: "boolean" }) };
  const schema = record("R", { name: "a", type: { type: "array", items: inner } });
  assertRefused(schema, "02 02 06 6b 20 65 07", 'field "a[0]["k e"].b": a boolean');
});

Deno.test("AvroCodec.decode() shortens a long key in its message", () => {
  const key = "6b".repeat(4096);
  const decode = () =>
    new AvroCodec({ type: "map", values: "boolean" }).decode(hex(`02 8040 ${key} 02`));
  assertLess(assertThrows(decode, Error, "a boolean is 0 or 1").message.length, 200);
});
