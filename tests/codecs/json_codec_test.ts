import { assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import fc from "fast-check";
import { JsonCodec } from "@slipstream/slipstream";

const codec = new JsonCodec();
const bytesOf = (text: string) => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

Deno.test("JsonCodec gives back every JSON value", () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    assertEquals(codec.decode(codec.encode(value)), value);
  }));
});

Deno.test("JsonCodec decodes synchronously without a schema", () => {
  assertEquals(codec.decode(bytesOf('{"a":[1,null]}')), { a: [1, null] });
});

Deno.test("JsonCodec.encode() leaves undefined out of objects and makes it null in arrays", () => {
  assertEquals(textOf(codec.encode({ a: undefined, b: [undefined] })), '{"b":[null]}');
});

Deno.test("JsonCodec.encode() refuses undefined and functions as the whole value", () => {
  assertThrows(() => codec.encode(undefined), TypeError, "a value of type undefined");
  assertThrows(() => codec.encode(() => 1), TypeError, "a value of type function");
});

Deno.test("JsonCodec encodes a Date as its ISO string and decodes that string", () => {
  const bytes = codec.encode({ at: new Date(0) });
  assertEquals(codec.decode(bytes), { at: "1970-01-01T00:00:00.000Z" });
});

Deno.test("JsonCodec.encode() names the key of a bigint and the option for it", () => {
  assertThrows(
    () => codec.encode({ a: [{ big: 1n }] }),
    TypeError,
    'a bigint at key "big" needs the option { integers: "bigint" }',
  );
});

Deno.test("JsonCodec with integers bigint gives back every bigint past 2^53", () => {
  const exact = new JsonCodec({ integers: "bigint" });
  const past = fc.bigInt().map((n) => n < 0n ? n - 2n ** 53n : n + 2n ** 53n);
  fc.assert(fc.property(past, (n) => {
    assertEquals(exact.decode(exact.encode({ n: [n] })), { n: [n] });
  }));
});

Deno.test("JsonCodec with integers bigint leaves small integers and fractions numbers", () => {
  const exact = new JsonCodec({ integers: "bigint" });
  assertEquals(exact.decode(exact.encode([5n, 1e300, -0.5])), [5, 1e300, -0.5]);
});

Deno.test("JsonCodec.encode() makes of NaN, infinities, -0, maps and sets what JSON.stringify does", () => {
  const values = [NaN, Infinity, -0, new Map([[1, 2]]), new Set([1])];
  assertEquals(textOf(codec.encode(values)), "[null,null,0,{},{}]");
});

Deno.test("JsonCodec.encode() refuses a circular value", () => {
  const circle: { self?: unknown } = {};
  circle.self = circle;
  const error = assertThrows(() => codec.encode(circle), TypeError, "Cannot encode JSON: ");
  assertInstanceOf(error.cause, TypeError);
});

for (const integers of ["number", "bigint"] as const) {
  Deno.test(`JsonCodec with integers ${integers} keeps a __proto__ key without setting a prototype`, () => {
    const codec = new JsonCodec<Record<string, unknown>>({ integers });
    const text = '{"__proto__":{"admin":true}}';
    const value = codec.decode(bytesOf(text)) as Record<string, unknown>;
    assertEquals(Object.getPrototypeOf(value), Object.prototype);
    assertEquals(value.admin, undefined);
    assertEquals(textOf(codec.encode(value)), text);
  });
}

Deno.test("JsonCodec.decode() keeps the SyntaxError of bad JSON as the cause", () => {
  const error = assertThrows(() => codec.decode(bytesOf("{")), SyntaxError, "Cannot decode JSON: ");
  assertInstanceOf(error.cause, SyntaxError);
});

Deno.test("JsonCodec.decode() refuses no bytes at all", () => {
  assertThrows(() => codec.decode(new Uint8Array()), SyntaxError, "Cannot decode JSON: ");
});

Deno.test("JsonCodec.decode() refuses bytes that are not UTF-8", () => {
  const bytes = new Uint8Array([0x22, 0xff, 0x22]);
  assertThrows(() => codec.decode(bytes), TypeError, "not valid UTF-8");
});

Deno.test("JsonCodec.decode() skips a byte order mark", () => {
  assertEquals(codec.decode(bytesOf("\ufeff1")), 1);
});

Deno.test("JsonCodec.decode() takes random bytes as JSON or as an error of its own", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
    try {
      codec.decode(bytes);
    } catch (error) {
      assertInstanceOf(error, Error);
      assertEquals(error.message.startsWith("Cannot decode JSON: "), true, error.message);
    }
  }));
});

Deno.test("JsonCodec refuses an unknown option and names the nearest", () => {
  const options = { shema: undefined };
  assertThrows(() => new JsonCodec(options as object), TypeError, 'did you mean "schema"?');
});

Deno.test("JsonCodec refuses an unknown word for integers", () => {
  const options = { integers: "big" as "bigint" };
  assertThrows(
    () => new JsonCodec(options),
    TypeError,
    '"integers" of JsonCodec as it must be "number" or "bigint"',
  );
});
