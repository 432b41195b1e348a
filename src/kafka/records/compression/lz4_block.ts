/** Blocks of LZ4, from the format's description (`lz4_Block_format.md` of lz4/lz4). */
import { hashOf, wordAt } from "./words.ts";

/** The last match of a block begins before these last bytes of it, and ends before these. */
const LAST_MATCH = 12, LAST_LITERALS = 5;

/**
 * Decompresses the block from `at` to `end` to `output`, from `from` on.
 *
 * @returns Where its content ends.
 * @throws {RangeError} If it is damaged, or would reach past `limit`.
 */
export function decodeBlock(
  bytes: Uint8Array,
  at: number,
  end: number,
  output: Uint8Array,
  from: number,
  limit: number,
): number {
  let to = from;
  while (at < end) {
    const token = bytes[at++]!;
    let literals = token >>> 4;
    if (literals === 15) {
      for (let byte = 255; byte === 255; literals += byte) {
        if (at >= end) throw damaged();
        byte = bytes[at++]!;
      }
    }
    if (at + literals > end || to + literals > limit) throw damaged();
    if (literals > 24) output.set(bytes.subarray(at, at + literals), to);
    else for (let i = 0; i < literals; i++) output[to + i] = bytes[at + i]!;
    at += literals;
    to += literals;
    if (at === end) return to;

    if (at + 2 > end) throw damaged();
    const offset = bytes[at]! | bytes[at + 1]! << 8;
    at += 2;
    let length = token & 15;
    if (length === 15) {
      for (let byte = 255; byte === 255; length += byte) {
        if (at >= end) throw damaged();
        byte = bytes[at++]!;
      }
    }
    length += 4;
    if (offset === 0 || offset > to - from || to + length > limit) throw damaged();
    if (length > 64 && offset >= length) {
      output.copyWithin(to, to - offset, to - offset + length);
      to += length;
    } else {
      for (const copied = to + length; to < copied; to++) output[to] = output[to - offset]!;
    }
  }
  // A block ends with literals.
  throw damaged();
}

function damaged(): RangeError {
  return new RangeError("an lz4 block is damaged");
}

/** Returns the most bytes that a block may be compressed to. */
export function mostEncoded(size: number): number {
  return size + Math.ceil(size / 255) + 16;
}

/** Where the bytes of a hash were seen last in the block. */
const seen = new Int32Array(1 << 13);

/**
 * Compresses the bytes from `from` to `end`, at most 64 KB, greedily; writes them to `output` from `to` on.
 *
 * @returns Where the block ends.
 */
export function encodeBlock(
  bytes: Uint8Array,
  from: number,
  end: number,
  output: Uint8Array,
  to: number,
): number {
  seen.fill(-1);
  let literal = from;
  for (let at = from, misses = 0; at + LAST_MATCH < end;) {
    const word = wordAt(bytes, at);
    const slot = hashOf(word);
    const candidate = seen[slot]!;
    seen[slot] = at;
    if (candidate < 0 || wordAt(bytes, candidate) !== word) {
      at += 1 + (misses++ >> 6);
      continue;
    }
    let length = 4;
    const stop = end - LAST_LITERALS - at;
    while (length < stop && bytes[at + length] === bytes[candidate + length]) length++;
    to = encodeLiterals(bytes, literal, at, length - 4, output, to);
    output[to++] = at - candidate;
    output[to++] = at - candidate >>> 8;
    if (length - 4 >= 15) to = encodeRest(length - 4 - 15, output, to);
    at += length;
    literal = at;
    misses = 0;
  }
  return encodeLiterals(bytes, literal, end, 0, output, to);
}

/** Writes a token and the literals before a match, whose length the token has too. */
function encodeLiterals(
  bytes: Uint8Array,
  from: number,
  end: number,
  match: number,
  output: Uint8Array,
  to: number,
): number {
  const count = end - from;
  output[to++] = Math.min(15, count) << 4 | Math.min(15, match);
  if (count >= 15) to = encodeRest(count - 15, output, to);
  if (count > 24) output.set(bytes.subarray(from, end), to);
  else for (let i = 0; i < count; i++) output[to + i] = bytes[from + i]!;
  return to + count;
}

function encodeRest(rest: number, output: Uint8Array, to: number): number {
  for (; rest >= 255; rest -= 255) output[to++] = 255;
  output[to++] = rest;
  return to;
}
