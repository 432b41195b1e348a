/** Returns the four bytes at a place as a signed number, the lowest first. */
export function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24;
}

/** Returns 13 bits that four bytes are found by (multiplicative hashing, as the reference of LZ4 does). */
export function hashOf(word: number): number {
  return Math.imul(word, 2654435761) >>> 19;
}
