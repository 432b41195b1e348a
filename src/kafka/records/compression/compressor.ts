/** Compresses and decompresses; a promise where that takes long. */
export interface Compressor {
  /** Compresses bytes, which must not change until it is done. */
  compress(bytes: Uint8Array): Uint8Array | Promise<Uint8Array>;
  /**
   * Decompresses bytes.
   *
   * @throws {Error} If they are damaged, or would have more than `most` bytes; no more are allocated.
   */
  decompress(bytes: Uint8Array, most: number): Uint8Array | Promise<Uint8Array>;
}

/** Returns the error of what becomes larger than allowed. */
export function tooLarge(most: number): RangeError {
  return new RangeError(`it would have more than ${most} bytes when decompressed`);
}
