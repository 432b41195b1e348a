import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { AvroCodec, type AvroSchema } from "@slipstream/slipstream/avro";

const record = (...fields: unknown[]) => ({ type: "record", name: "R", fields });
const hex = (text: string) => Uint8Array.fromHex(text.replaceAll(" ", ""));

Deno.test("AvroCodec takes a schema as an object, as JSON text and as a type's name", () => {
  for (const schema of [{ type: "int" }, '{ "type": "int" }', ' "int"', "int"] as AvroSchema[]) {
    assertEquals(new AvroCodec(schema).encode(-1), hex("01"));
  }
});

Deno.test("AvroCodec.fromFile() reads the schema from a file", async () => {
  const codec = await AvroCodec.fromFile(new URL("interchange.avsc", import.meta.url));
  assertThrows(() => codec.encode({}), TypeError, 'field "id"');
});

Deno.test("AvroCodec.fromFile() rejects for a file that is not there", async () => {
  const path = new URL("missing.avsc", import.meta.url);
  await assertRejects(() => AvroCodec.fromFile(path), Deno.errors.NotFound);
});

Deno.test("AvroCodec encodes the examples of the Avro specification", () => {
  assertEquals(new AvroCodec("string").encode("foo"), hex("06 66 6f 6f"));
  assertEquals(new AvroCodec({ type: "array", items: "long" }).encode([3, 27]), hex("04 06 36 00"));
  const ab = record({ name: "a", type: "long" }, { name: "b", type: "string" });
  assertEquals(new AvroCodec(ab).encode({ a: 27, b: "foo" }), hex("36 06 66 6f 6f"));
  const union = new AvroCodec(["null", "string"]);
  assertEquals(union.encode(null), hex("00"));
  assertEquals(union.encode("a"), hex("02 02 61"));
});

Deno.test("AvroCodec decodes longs past 2^53 as bigints and others as numbers", () => {
  const codec = new AvroCodec("long");
  const edge = Number.MAX_SAFE_INTEGER;
  for (const n of [0, -1, edge, -edge, BigInt(edge) + 1n, 2n ** 63n - 1n, -(2n ** 63n)]) {
    assertEquals(codec.decode(codec.encode(n)), n);
  }
  assertEquals(codec.decode(codec.encode(5n)), 5);
  assertThrows(
    () => codec.encode(2n ** 63n),
    TypeError,
    "as long: current value is 9223372036854775808n",
  );
  assertThrows(() => codec.encode(2 ** 53), TypeError, "as long");
});

Deno.test("AvroCodec with longs bigint decodes every long as a bigint, defaults too", () => {
  const options = {
    longs: "bigint",
    readerSchema: record({ name: "a", type: "long" }, { name: "b", type: "long", default: 7 }),
  } as const;
  const codec = new AvroCodec(record({ name: "a", type: "int" }), options);
  assertEquals(codec.decode(codec.encode({ a: 5 })), { a: 5n, b: 7n });
});

Deno.test("AvroCodec takes and gives Dates and Instants for dates and timestamps", () => {
  const codec = new AvroCodec(record(
    { name: "day", type: { type: "int", logicalType: "date" } },
    { name: "ms", type: { type: "long", logicalType: "timestamp-millis" } },
    { name: "us", type: { type: "long", logicalType: "timestamp-micros" } },
    { name: "ns", type: ["null", { type: "long", logicalType: "timestamp-nanos" }] },
  ));
  const value = {
    day: new Date("2026-11-21T00:00:00Z"),
    ms: new Date(-1),
    us: Temporal.Instant.from("2026-11-21T01:02:03.000004Z"),
    ns: Temporal.Instant.from("2026-11-21T01:02:03.000000005Z"),
  };
  const decoded = codec.decode(codec.encode(value)) as typeof value;
  assertEquals([decoded.day, decoded.ms], [value.day, value.ms]);
  assert(decoded.us.equals(value.us) && decoded.ns.equals(value.ns));
  const coarse = codec.decode(
    codec.encode({ ...value, us: new Date(5), ns: new Date(6) }),
  ) as typeof value;
  assertEquals([coarse.us.epochMilliseconds, coarse.ns.epochMilliseconds], [5, 6]);
});

Deno.test("AvroCodec.encode() refuses a date or timestamp that would lose something", () => {
  const day = new AvroCodec({ type: "int", logicalType: "date" });
  assertThrows(() => day.encode(new Date(1)), RangeError, "which cannot hold all of it");
  assertThrows(() => day.encode(new Date(NaN)), TypeError, "current value is an invalid Date");
  assertThrows(() => day.encode(0), TypeError, "as date (midnight UTC): current value is 0");
  const ms = new AvroCodec({ type: "long", logicalType: "timestamp-millis" });
  const instant = Temporal.Instant.fromEpochNanoseconds(1n);
  assertThrows(() => ms.encode(instant), RangeError, "which cannot hold all of it");
  const ns = new AvroCodec({ type: "long", logicalType: "timestamp-nanos" });
  assertThrows(() => ns.encode(new Date("2300-01-01")), RangeError, "as timestamp-nanos: current");
});

Deno.test("AvroCodec.decode() refuses a timestamp that no Date can hold, and names the field", () => {
  const field = { name: "at", type: { type: "long", logicalType: "timestamp-millis" } };
  const bytes = new AvroCodec("long").encode(2n ** 62n);
  const codec = new AvroCodec(record(field));
  assertThrows(() => codec.decode(bytes), RangeError, 'field "at"');
  assertThrows(
    () => codec.decode(new AvroCodec("long").encode(-(2n ** 62n))),
    RangeError,
    'field "at"',
  );
});

Deno.test("AvroCodec leaves other logical types as the type they are made of", () => {
  const codec = new AvroCodec({ type: "bytes", logicalType: "decimal", precision: 4, scale: 2 });
  assertEquals(codec.decode(codec.encode(new Uint8Array([1]))), new Uint8Array([1]));
});

Deno.test("AvroCodec leaves the values of a union bare where its types look different", () => {
  const time = { type: "long", logicalType: "timestamp-millis" };
  const fields = [{ name: "n", type: "int" }];
  const codec = new AvroCodec(["null", time, "double", "string", "bytes", "boolean", {
    type: "record",
    name: "N",
    fields,
  }, { type: "array", items: "int" }]);
  const values = [null, new Date(1), 1.5, "a", new Uint8Array([1]), true, { n: 1 }, [1]];
  for (const value of values) assertEquals(codec.decode(codec.encode(value)), value);
  assertThrows(() => codec.encode(undefined), TypeError, "null or long or double or string");
});

Deno.test("AvroCodec wraps the values of a union where two of its types look alike", () => {
  const of = (name: string) => ({ type: "record", name, fields: [{ name: "n", type: "int" }] });
  const codec = new AvroCodec(["null", of("a.Left"), of("a.Right")]);
  for (const value of [null, { "a.Left": { n: 1 } }, { "a.Right": { n: 1 } }]) {
    assertEquals(codec.decode(codec.encode(value)), value);
  }
  const wanted = 'as null or { "a.Left": … } or { "a.Right": … }: current value is an object';
  assertThrows(() => codec.encode({ n: 1 }), TypeError, wanted);
  assertThrows(() => codec.encode({ constructor: {} }), TypeError, wanted);
});

Deno.test("AvroCodec gives plain objects and bytes of their own, which a structured clone keeps", () => {
  const codec = new AvroCodec<{ b: Uint8Array }>(record({ name: "b", type: "bytes" }));
  const value = codec.decode(codec.encode({ b: new Uint8Array([1]) }));
  assertEquals(Object.getPrototypeOf(value), Object.prototype);
  assertEquals(Object.getPrototypeOf(value.b), Uint8Array.prototype);
  assertEquals(value.b.buffer.byteLength, 1);
  assertEquals(structuredClone(value), value);
});

Deno.test("AvroCodec decodes a recursive record", () => {
  const codec = new AvroCodec(record({ name: "next", type: ["null", "R"] }));
  const value = { next: { next: { next: null } } };
  assertEquals(codec.decode(codec.encode(value)), value);
});

Deno.test("AvroCodec.encode() takes the default of a missing field and leaves out values that are not a field", () => {
  const codec = new AvroCodec(record({ name: "a", type: ["int", "null"], default: 3 }));
  assertEquals(codec.decode(codec.encode({ other: 1 })), { a: 3 });
});

Deno.test("AvroCodec.encode() does not take what every object inherits for a field", () => {
  const codec = new AvroCodec(record({ name: "constructor", type: "string", default: "none" }));
  assertEquals(codec.decode(codec.encode({})), Object.fromEntries([["constructor", "none"]]));
});

Deno.test("AvroCodec.encode() does not change what it is given", () => {
  const at = { type: "long", logicalType: "timestamp-millis" };
  const codec = new AvroCodec({ type: "map", values: { type: "array", items: at } });
  const value = { a: [new Date(1)] };
  codec.encode(value);
  assertEquals(value, { a: [new Date(1)] });
});

Deno.test("AvroCodec.encode() names the path of the field that is wrong", () => {
  const item = { type: "record", name: "Item", fields: [{ name: "price", type: "int" }] };
  const items = { type: "map", values: { type: "array", items: item } };
  const codec = new AvroCodec(record({ name: "items", type: items }));
  assertThrows(
    () => codec.encode({ items: { "a b": [{ price: 1 }, { price: "x" }] } }),
    TypeError,
    'Cannot encode Avro field "items["a b"][1].price" as int: current value is "x"',
  );
});

Deno.test("AvroCodec.encode() refuses what the schema cannot hold", () => {
  const suit = { type: "enum", name: "Suit", symbols: ["HEARTS", "SPADES"] };
  const refused: [AvroSchema, unknown][] = [
    ["null", 0],
    ["boolean", 1],
    ["int", 2 ** 31],
    ["int", 1.5],
    ["float", 1e300],
    ["double", 1n],
    ["string", "\ud800"],
    ["bytes", [1]],
    [suit, "constructor"],
    [{ type: "fixed", name: "Two", size: 2 }, new Uint8Array(3)],
    [{ type: "array", items: "int" }, { length: 0 }],
    [{ type: "array", items: "int" }, [1, , 3]],
    [{ type: "map", values: "int" }, []],
    [{ type: "map", values: "int" }, { "\udc00": 1 }],
    [{ type: "map", values: "int" }, JSON.parse('{"__proto__":1}')],
    [record({ name: "a", type: "int", default: 1 }), []],
    [record({ name: "a", type: "int" }), {}],
  ];
  for (const [schema, value] of refused) {
    const error = assertThrows(
      () => new AvroCodec(schema).encode(value),
      Error,
      "Cannot encode Avro ",
    );
    assert(error instanceof TypeError || error instanceof RangeError);
  }
});

Deno.test("AvroCodec decodes what another version of the schema wrote", () => {
  const written = record(
    { name: "id", type: "int" },
    { name: "dropped", type: { type: "array", items: "string" } },
    { name: "old", type: "string" },
  );
  const readerSchema = record(
    { name: "id", type: "long" },
    { name: "renamed", type: ["null", "string"], aliases: ["old"] },
    { name: "added", type: { type: "long", logicalType: "timestamp-millis" }, default: 5 },
  );
  const codec = new AvroCodec(written, { readerSchema });
  assertEquals(
    codec.decode(codec.encode({ id: 1, dropped: ["x"], old: "o" })),
    { id: 1, renamed: "o", added: new Date(5) },
  );
});

Deno.test("AvroCodec reads a symbol that the reader's schema lacks as its default", () => {
  const of = (...symbols: string[]) => ({ type: "enum", name: "E", symbols });
  const readerSchema = { ...of("A", "OTHER"), default: "OTHER" };
  const codec = new AvroCodec(of("A", "B"), { readerSchema });
  assertEquals(["A", "B"].map((symbol) => codec.decode(codec.encode(symbol))), ["A", "OTHER"]);
});

Deno.test("AvroCodec reads bare values, unions and longs as the reader's schema has them", () => {
  const read = (schema: AvroSchema, readerSchema: AvroSchema, value: unknown) => {
    const codec = new AvroCodec(schema, { readerSchema });
    return codec.decode(codec.encode(value));
  };
  assertEquals(read("int", ["null", "long"], 5), 5);
  assertEquals(read(["int", "long"], "double", { long: 7 }), 7);
  assertEquals(read("long", "double", 2n ** 60n), 2 ** 60);
  assertEquals(read("string", "bytes", "a"), new Uint8Array([97]));
  assertEquals(read("long", { type: "long", logicalType: "timestamp-millis" }, 5), new Date(5));
});

Deno.test("AvroCodec refuses a reader's schema that cannot read the schema", () => {
  assertThrows(
    () => new AvroCodec("string", { readerSchema: "int" }),
    TypeError,
    "the reader's schema cannot read the schema",
  );
});

Deno.test("AvroCodec refuses a wrong schema and says why", () => {
  assertThrows(() => new AvroCodec("{"), TypeError, "the schema is wrong");
  assertThrows(() => new AvroCodec("text"), TypeError, "undefined type name: text");
  const proto = JSON.parse(
    '{"type":"record","name":"R","fields":[{"name":"__proto__","type":"int"}]}',
  );
  assertThrows(() => new AvroCodec(proto), TypeError, 'a field cannot be named "__proto__"');
});

Deno.test("AvroCodec refuses options that are wrong", () => {
  const unknown = { maxItem: 1 } as object;
  assertThrows(() => new AvroCodec("int", unknown), TypeError, 'did you mean "maxItems"?');
  assertThrows(
    () => new AvroCodec("int", { maxDepth: 0 }),
    RangeError,
    '"maxDepth" of AvroCodec as it must be an integer from 1 to 1000',
  );
  const longs = "number" as "auto";
  assertThrows(
    () => new AvroCodec("int", { longs }),
    TypeError,
    '"longs" of AvroCodec as it must be "auto" or "bigint"',
  );
});
