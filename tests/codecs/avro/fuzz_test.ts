import { assert, assertEquals, assertLess } from "@std/assert";
import fc from "fast-check";
import { AvroCodec, type AvroSchema } from "@slipstream/slipstream/avro";
import { orderArbitrary, orderSchema } from "./order.ts";

/** Schemas whose bytes are most easily made hostile: things without a size, recursion, lengths, skipping. */
const SCHEMAS: AvroSchema[] = [
  { type: "array", items: "null" },
  { type: "array", items: { type: "array", items: { type: "array", items: "null" } } },
  { type: "map", values: { type: "map", values: "string" } },
  {
    type: "record",
    name: "Tree",
    fields: [{ name: "trees", type: { type: "array", items: "Tree" } }],
  },
  { type: "record", name: "List", fields: [{ name: "next", type: ["null", "List"] }] },
  ["null", "bytes", "long", "string"],
  orderSchema,
];

/** Bytes as they come, and bytes that favour the small, the negative and the enormous varints. */
const hostileBytes = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  fc.array(
    fc.constantFrom([0], [1], [2], [3], [4], [0x80, 0x80, 4], [0xff, 0xff, 0xff, 0xff, 0x0f], [
      ...new Array(9).fill(0xff),
      1,
    ]),
    { maxLength: 60 },
  ).map((parts) => new Uint8Array(parts.flat())),
);

/** Decodes; an error must be one of ours, and say where. */
function tryDecode(codec: AvroCodec, bytes: Uint8Array): void {
  try {
    codec.decode(bytes);
  } catch (error) {
    assert(error instanceof TypeError || error instanceof RangeError, String(error));
    assert(error.message.startsWith("Cannot decode Avro "), error.message);
  }
}

for (const [index, schema] of SCHEMAS.entries()) {
  const what = index === SCHEMAS.length - 1 ? "the order schema" : JSON.stringify(schema);
  Deno.test(`AvroCodec.decode() of hostile bytes stays within time and memory for ${what}`, () => {
    const codec = new AvroCodec(schema, { maxItems: 10_000 });
    const start = performance.now();
    fc.assert(fc.property(hostileBytes, (bytes) => tryDecode(codec, bytes)), { numRuns: 2_000 });
    assertLess(performance.now() - start, 20_000);
    assertLess(Deno.memoryUsage().heapUsed, 512 * 2 ** 20);
  });
}

Deno.test("AvroCodec.decode() of hostile bytes stays bounded while fields are skipped", () => {
  const readerSchema = {
    type: "record",
    name: "Order",
    fields: [{ name: "source", type: "string" }],
  };
  const codec = new AvroCodec(orderSchema, { readerSchema, maxItems: 10_000 });
  fc.assert(fc.property(hostileBytes, (bytes) => tryDecode(codec, bytes)), { numRuns: 2_000 });
});

Deno.test("AvroCodec.decode() survives any change of one byte of a good message", () => {
  const codec = new AvroCodec(orderSchema);
  const change = fc.tuple(orderArbitrary, fc.nat(), fc.integer({ min: 1, max: 255 }));
  fc.assert(
    fc.property(change, ([order, at, mask]) => {
      const bytes = codec.encode(order);
      bytes[at % bytes.length]! ^= mask;
      tryDecode(codec, bytes);
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("AvroCodec gives back every generated order, byte for byte when encoded again", () => {
  const codec = new AvroCodec(orderSchema);
  fc.assert(fc.property(orderArbitrary, (order) => {
    const bytes = codec.encode(order);
    const decoded = codec.decode(bytes);
    assertEquals(decoded, order);
    assertEquals(codec.encode(decoded), bytes);
  }));
});
