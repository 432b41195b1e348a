import { assertEquals, assertThrows } from "@std/assert";
import { AvroCodec, type AvroSchema } from "@slipstream/slipstream/avro";
import { parseExactly } from "../../../src/codecs/avro/defaults.ts";

/** What fastavro makes of it; recorded by resolution.py. */
interface Recorded {
  readonly kind: "default" | "promotion" | "alias";
  /** The schema of `bytes`. */
  readonly schema: string;
  readonly bytes: string;
  /** What is written; a record without fields where it is all defaults. */
  readonly value?: unknown;
  readonly readerSchema?: string;
  /** What is read, bytes as `{ bytes: "hex" }`. */
  readonly resolved: unknown;
}

const recorded = parseExactly(
  Deno.readTextFileSync(new URL("resolution.json", import.meta.url)),
) as Recorded[];
const nothing = { type: "record", name: "R", fields: [] };
const record = (...fields: unknown[]) => ({ type: "record", name: "R", fields });
const hex = (text: string) => Uint8Array.fromHex(text);

/** Turns `{ bytes: "hex" }` into bytes. */
function withBytes(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(withBytes);
  const { bytes } = value as { bytes?: string };
  if (typeof bytes === "string") return hex(bytes);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withBytes(inner)]));
}

/** The value of a union whose types look alike is wrapped. */
const wrapped = (schema: string, value: unknown) =>
  schema === '["int", "long"]' ? { int: value } : value;

Deno.test("AvroCodec fills in a default as fastavro does: a missing field encoded, read and resolved", () => {
  const cases = recorded.filter(({ kind }) => kind === "default");
  assertEquals(cases.length, 29);
  for (const { schema, bytes, resolved } of cases) {
    const codec = new AvroCodec<object>(schema);
    const expected = withBytes(resolved);
    assertEquals([schema, codec.encode({}).toHex()], [schema, bytes]);
    assertEquals([schema, codec.decode(hex(bytes))], [schema, expected]);
    const resolving = new AvroCodec<object>(nothing, { readerSchema: schema });
    assertEquals([schema, resolving.decode(new Uint8Array())], [schema, expected]);
  }
});

Deno.test("AvroCodec reads promoted types and changed names as fastavro does, and writes the same bytes", () => {
  const cases = recorded.filter(({ kind }) => kind !== "default");
  assertEquals(cases.length, 25);
  for (const { schema, bytes, value, readerSchema, resolved } of cases) {
    const codec = new AvroCodec(schema, { readerSchema: readerSchema! });
    const name = `${schema} as ${readerSchema}`;
    assertEquals([name, codec.encode(wrapped(schema, withBytes(value))).toHex()], [name, bytes]);
    assertEquals([name, codec.decode(hex(bytes))], [name, withBytes(resolved)]);
  }
});

Deno.test("AvroCodec gives every message a default of its own", () => {
  const list = { type: "array", items: "long" };
  const schema = record(
    { name: "list", type: ["null", list], default: [1] },
    { name: "bytes", type: "bytes", default: "\u00ff" },
  );
  const codec = new AvroCodec<{ list: number[]; bytes: Uint8Array }>(nothing, {
    readerSchema: schema,
  });
  const [first, second] = [1, 2].map(() => codec.decode(new Uint8Array()));
  first!.list.push(2);
  first!.bytes[0] = 0;
  assertEquals(second, { list: [1], bytes: new Uint8Array([255]) });
});

Deno.test("AvroCodec decodes a default of a long as longs asks for", () => {
  const schema = record({ name: "f", type: "long", default: 7 }, {
    name: "g",
    type: ["null", "long"],
    default: 8,
  });
  const read = (longs: "auto" | "bigint") =>
    new AvroCodec(nothing, { readerSchema: schema, longs }).decode(new Uint8Array());
  assertEquals([read("auto"), read("bigint")], [{ f: 7, g: 8 }, { f: 7n, g: 8n }]);
});

Deno.test("AvroCodec takes the first type of a union that a default is of", () => {
  const inner = { type: "record", name: "Inner", fields: [{ name: "a", type: "int", default: 1 }] };
  const suit = { type: "enum", name: "Suit", symbols: ["HEARTS"] };
  const cases: [AvroSchema, unknown, unknown][] = [
    [["null", "int", "double"], 1.5, { double: 1.5 }],
    [["int", "long"], 2 ** 31, { long: 2 ** 31 }],
    [["long", "double"], 2 ** 60, { double: 2 ** 60 }],
    [["bytes", "string"], "\u0100", "\u0100"],
    [["bytes", "string"], "\u00ff", new Uint8Array([255])],
    [[suit, "string"], "SPADES", { string: "SPADES" }],
    [[inner, "string"], "text", "text"],
    [["string", inner], {}, { a: 1 }],
    [[inner, { type: "map", values: "long" }], { b: 2 }, { Inner: { a: 1 } }],
  ];
  for (const [type, json, expected] of cases) {
    const readerSchema = record({ name: "f", type, default: json });
    const codec = new AvroCodec(nothing, { readerSchema });
    assertEquals([type, codec.decode(new Uint8Array())], [type, { f: expected }]);
  }
});

Deno.test("AvroCodec takes a default that is a bigint, and as text numbers in any notation", () => {
  const text = (type: string, json: string) =>
    `{"type":"record","name":"R","fields":[{"name":"f","type":"${type}","default":${json}}]}`;
  const cases: [AvroSchema, unknown][] = [
    [record({ name: "f", type: "long", default: 2n ** 53n + 1n }), 2n ** 53n + 1n],
    [text("long", "1e3"), 1000],
    [text("long", "-0"), 0],
    [text("double", "9007199254740993"), 9007199254740992],
    [text("double", "12345678901234567890"), 12345678901234567890],
    [text("float", "1e-50"), 0],
  ];
  for (const [schema, f] of cases) {
    const codec = new AvroCodec<object>(schema);
    assertEquals(codec.decode(codec.encode({})), { f });
  }
});

Deno.test("AvroCodec refuses a default that is not of its type, and names the field", () => {
  const two = { type: "fixed", name: "Two", size: 2 };
  const inner = { type: "record", name: "Inner", fields: [{ name: "a", type: "int" }] };
  const cases: [type: unknown, json: unknown, reason: string][] = [
    ["bytes", "\u0100\u20ac", "must be bytes as text of the characters \\u0000 to \\u00ff"],
    [two, "a", "must be 2 bytes"],
    ["long", 2 ** 53, "past 2^53 a bigint, or a number in a schema that is text"],
    ["long", 2n ** 63n, "must be a long: current value is 9223372036854775808n"],
    ["int", 2 ** 31, "must be an int"],
    ["int", 1.5, "must be an int"],
    ["float", 1e300, "must be a float"],
    ["double", "1", "must be a double"],
    ["string", "\ud800", "must be text"],
    ["string", null, "must be text"],
    ["null", 0, "must be null"],
    ["boolean", 0, "must be a boolean"],
    [{ type: "enum", name: "E", symbols: ["A"] }, "B", "must be a symbol of E"],
    [{ type: "array", items: "int" }, { length: 0 }, "must be an array"],
    [{ type: "array", items: "int" }, ["a"], "must be an int"],
    [{ type: "map", values: "int" }, [], "must be a map"],
    [{ type: "map", values: "int" }, JSON.parse('{"__proto__":1}'), "must be a map without"],
    [inner, {}, 'must be a record with the field "a"'],
    [inner, [], 'must be a record "Inner"'],
    [["null", "int"], "x", "must be one of null, int"],
    ["R", {}, "never ends: it is made of itself"],
  ];
  for (const [type, json, reason] of cases) {
    const error = assertThrows(
      () => new AvroCodec(record({ name: "f", type, default: json })),
      TypeError,
      'Cannot create AvroCodec as the schema is wrong: the default of field "f" of "R" ',
    );
    assertEquals([error.message.includes(reason), error.message, reason], [
      true,
      error.message,
      reason,
    ]);
  }
  const text =
    '{"type":"record","name":"R","fields":[{"name":"f","type":"double","default":1e400}]}';
  assertThrows(() => new AvroCodec(text), TypeError, 'field "f" of "R" must be a double');
});

Deno.test("AvroCodec resolves the defaults of a record that contains itself", () => {
  const readerSchema = record({
    name: "next",
    type: ["null", "R"],
    default: { next: { next: null } },
  });
  const codec = new AvroCodec(nothing, { readerSchema });
  assertEquals(codec.decode(new Uint8Array()), { next: { next: { next: null } } });
});
