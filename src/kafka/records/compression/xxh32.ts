import { wordAt } from "./words.ts";

const P1 = 0x9e3779b1, P2 = 0x85ebca77, P3 = 0xc2b2ae3d, P4 = 0x27d4eb2f, P5 = 0x165667b1;

/**
 * Returns the checksum xxHash32 of bytes, with the seed 0, as a signed 32-bit number: the one of LZ4 frames.
 *
 * @see The specification of xxHash, `doc/xxhash_spec.md` of Cyan4973/xxHash.
 */
export function xxh32(bytes: Uint8Array): number {
  const { length } = bytes;
  let at = 0;
  let hash = P5;
  if (length >= 16) {
    let a = P1 + P2 | 0, b = P2 | 0, c = 0, d = -P1 | 0;
    for (; at + 16 <= length; at += 16) {
      a = round(a, wordAt(bytes, at));
      b = round(b, wordAt(bytes, at + 4));
      c = round(c, wordAt(bytes, at + 8));
      d = round(d, wordAt(bytes, at + 12));
    }
    hash = rotated(a, 1) + rotated(b, 7) + rotated(c, 12) + rotated(d, 18) | 0;
  }
  hash = hash + length | 0;
  for (; at + 4 <= length; at += 4) {
    hash = Math.imul(rotated(hash + Math.imul(wordAt(bytes, at), P3) | 0, 17), P4);
  }
  for (; at < length; at++) {
    hash = Math.imul(rotated(hash + Math.imul(bytes[at]!, P5) | 0, 11), P1);
  }
  hash = Math.imul(hash ^ hash >>> 15, P2);
  hash = Math.imul(hash ^ hash >>> 13, P3);
  return hash ^ hash >>> 16;
}

function round(lane: number, word: number): number {
  return Math.imul(rotated(lane + Math.imul(word, P2) | 0, 13), P1);
}

function rotated(n: number, bits: number): number {
  return n << bits | n >>> 32 - bits;
}
