import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { decodeUtf8, encodeUtf8 } from "../../src/codecs/utf8.ts";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

Deno.test("decodeUtf8() and encodeUtf8() agree with TextDecoder and TextEncoder", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary", maxLength: 2_000 }),
    fc.constantFrom("", "\ufffd", "\ufeffa", "é".repeat(1_024), "🏆".repeat(5_000)),
  );
  fc.assert(fc.property(text, (text) => {
    const bytes = new TextEncoder().encode(text);
    assertEquals(encodeUtf8(text), bytes);
    assertEquals(decodeUtf8(bytes), text);
  }));
});

Deno.test("encodeUtf8() changes nothing that it has given before", () => {
  const texts = Array.from({ length: 2_000 }, (_, i) => `text ${i}`.repeat(1 + i % 9));
  const encoded = texts.map((text) => encodeUtf8(text));
  assertEquals(encoded.map((bytes) => decoder.decode(bytes)), texts);
});

Deno.test("decodeUtf8() tells short texts apart, also those of one hash", () => {
  const texts = Array.from({ length: 20_000 }, (_, i) => ["", "key-", "é"][i % 3] + i.toString(36));
  for (const text of [...texts, ...texts]) {
    if (decodeUtf8(new TextEncoder().encode(text)) !== text) throw new Error(text);
  }
});

Deno.test("decodeUtf8() takes and refuses the same bytes as a fatal TextDecoder", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 6 }), (bytes) => {
    let text: string;
    try {
      text = decoder.decode(bytes);
    } catch {
      return void assertThrows(() => decodeUtf8(bytes), TypeError);
    }
    assertEquals(decodeUtf8(bytes), text);
  }));
});
