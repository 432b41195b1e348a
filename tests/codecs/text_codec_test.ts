import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { TextCodec } from "@slipstream/slipstream";

const codec = new TextCodec();

Deno.test("TextCodec gives back every string that UTF-8 can hold", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    assertEquals(codec.decode(codec.encode(text)), text);
  }));
});

Deno.test("TextCodec keeps a byte order mark", () => {
  assertEquals(codec.decode(codec.encode("\ufeffa")), "\ufeffa");
});

Deno.test("TextCodec.encode() refuses half of a surrogate pair", () => {
  assertThrows(() => codec.encode("a\ud800"), TypeError, "half of a surrogate pair");
});

Deno.test("TextCodec.encode() refuses values that are not a string", () => {
  const notText = 5 as unknown as string;
  assertThrows(() => codec.encode(notText), TypeError, "a string is needed: current value is 5");
});

Deno.test("TextCodec.decode() refuses bytes that are not UTF-8 and keeps the cause", () => {
  const error = assertThrows(
    () => codec.decode(new Uint8Array([0xc3])),
    TypeError,
    "not valid UTF-8",
  );
  assertEquals(error.cause instanceof TypeError, true);
});
