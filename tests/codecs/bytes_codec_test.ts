import { Buffer } from "node:buffer";
import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { BytesCodec } from "@slipstream/slipstream";

const codec = new BytesCodec();

Deno.test("BytesCodec leaves bytes as they are; what is decoded is a copy, of all kinds of bytes", () => {
  const bytes = new Uint8Array([0, 255]);
  assertStrictEquals(codec.encode(bytes), bytes);
  for (const fetched of [new Uint8Array([9, 0, 255, 9]), Buffer.from([9, 0, 255, 9])]) {
    const decoded = codec.decode(fetched.subarray(1, 3));
    assertEquals(decoded, bytes);
    assertEquals(decoded.buffer.byteLength, 2);
  }
});

Deno.test("BytesCodec.encode() refuses values that are not a Uint8Array", () => {
  const text = "text" as unknown as Uint8Array;
  assertThrows(() => codec.encode(text), TypeError, "current value is of type string");
});

Deno.test("BytesCodec.decode() refuses null", () => {
  const nothing = null as unknown as Uint8Array;
  assertThrows(() => codec.decode(nothing), TypeError, "current value is of type null");
});
