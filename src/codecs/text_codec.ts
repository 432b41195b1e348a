import { assertBytes, type Codec } from "./codec.ts";
import { decodeUtf8, encodeUtf8 } from "./utf8.ts";

/**
 * Strings as UTF-8: decoding returns exactly the string that was encoded.
 *
 * - Bytes that are not UTF-8 are an error, never replacement characters.
 * - A string with half of a surrogate pair, which UTF-8 cannot hold, is an error too.
 * - A byte order mark is a character like any other and is kept.
 *
 * @example
 * ```ts
 * import { TextCodec } from "@slipstream/slipstream";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const codec = new TextCodec();
 * assertEquals(codec.decode(codec.encode("🏆")), "🏆");
 * assertThrows(() => codec.decode(new Uint8Array([0xff])), TypeError, "not valid UTF-8");
 * ```
 */
export class TextCodec implements Codec<string> {
  /** It never answers with a promise. */
  readonly synchronous = true;

  /**
   * Makes the UTF-8 bytes of `value`.
   *
   * @throws {TypeError} When it is not a string, or one that UTF-8 cannot hold.
   */
  encode(value: string): Uint8Array {
    if (typeof value !== "string") {
      throw new TypeError(`Cannot encode text as a string is needed: current value is ${value}`);
    }
    if (!value.isWellFormed()) {
      throw new TypeError("Cannot encode text: it contains half of a surrogate pair");
    }
    return encodeUtf8(value);
  }

  /**
   * Makes the string of `bytes`.
   *
   * @throws {TypeError} When they are not valid UTF-8.
   */
  decode(bytes: Uint8Array): string {
    assertBytes(bytes, "Cannot decode text");
    try {
      return decodeUtf8(bytes);
    } catch (cause) {
      throw new TypeError("Cannot decode text: the bytes are not valid UTF-8", { cause });
    }
  }
}
