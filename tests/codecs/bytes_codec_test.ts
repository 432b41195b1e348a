import { assertStrictEquals, assertThrows } from "@std/assert";
import { BytesCodec } from "@slipstream/slipstream";

const codec = new BytesCodec();

Deno.test("BytesCodec leaves bytes as they are, both ways", () => {
  const bytes = new Uint8Array([0, 255]);
  assertStrictEquals(codec.encode(bytes), bytes);
  assertStrictEquals(codec.decode(bytes), bytes);
});

Deno.test("BytesCodec.encode() refuses what is no Uint8Array", () => {
  const text = "text" as unknown as Uint8Array;
  assertThrows(() => codec.encode(text), TypeError, "current value is of type string");
});

Deno.test("BytesCodec.decode() refuses null", () => {
  const nothing = null as unknown as Uint8Array;
  assertThrows(() => codec.decode(nothing), TypeError, "current value is of type null");
});
