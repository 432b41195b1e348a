import { assertBytes, type Codec } from "./codec.ts";

/**
 * Leaves bytes as they are. Decoding copies them: a codec gets a view of a block of records, and keeping the view would
 * keep all of the block in memory.
 *
 * @example
 * ```ts
 * import { BytesCodec } from "@slipstream/slipstream";
 * import { assertStrictEquals } from "@std/assert";
 *
 * const bytes = new Uint8Array([1, 2, 3]);
 * assertStrictEquals(new BytesCodec().encode(bytes), bytes);
 * ```
 */
export class BytesCodec implements Codec<Uint8Array> {
  /** It never answers with a promise. */
  readonly synchronous = true;

  /**
   * Returns `value` itself.
   *
   * @throws {TypeError} When it is not a `Uint8Array`.
   */
  encode(value: Uint8Array): Uint8Array {
    assertBytes(value, "Cannot encode bytes");
    return value;
  }

  /**
   * Returns a copy of `bytes`.
   *
   * @throws {TypeError} When it is not a `Uint8Array`.
   */
  decode(bytes: Uint8Array): Uint8Array {
    assertBytes(bytes, "Cannot decode bytes");
    return new Uint8Array(bytes); // the `slice()` of a Buffer is a view
  }
}
