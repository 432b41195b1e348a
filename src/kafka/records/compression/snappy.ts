/**
 * Snappy, from its format description (google/snappy, `format_description.txt`): as one block, which librdkafka
 * writes, and as a stream of blocks in the framing of the Java client (`SnappyOutputStream` of snappy-java, by
 * xerial), which is also written here.
 *
 * Written here since the libraries do not hold: snappyjs 0.7 never ends on a block of seven bytes, and the
 * WebAssembly of `@platformatic/wasm-utils` 0.2 fails on everything after some thousand damaged blocks.
 */
import { inSteps, spend } from "./yielding.ts";
import { type Compressor, tooLarge } from "./compressor.ts";
import { hashOf, wordAt } from "./words.ts";

/** The beginning of a stream; two numbers of its version follow. */
const MAGIC = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0];
const HEAD_BYTES = MAGIC.length + 8;
/** How many bytes make one block; less than the furthest that a copy of three bytes reaches back. */
const BLOCK_BYTES = 1 << 15;
/** A block has at most so many times the bytes that it is compressed to: 64 for a copy of three. */
const MOST_RATIO = 22;
/** How many bytes are decompressed in one step. */
const STEP_BYTES = 1 << 18;

/** What a block costs beside its content, in bytes. */
const BLOCK_COST = 64;

/** Snappy. */
export const snappy: Compressor = { compress, decompress };

/** A block, and how far it is decompressed. */
interface Block {
  at: number;
  readonly end: number;
  to: number;
  readonly outputFrom: number;
  readonly outputEnd: number;
}

function decompress(bytes: Uint8Array, most: number): Uint8Array | Promise<Uint8Array> {
  let total = 0;
  for (const { from, end } of blocksOf(bytes)) {
    const { size } = sizeAt(bytes, from, end);
    if (size > MOST_RATIO * (end - from)) throw new RangeError("a snappy block is cut off");
    total += size;
    if (total > most) throw tooLarge(most);
  }
  const output = new Uint8Array(total);
  const blocks = blocksOf(bytes);
  let outputFrom = 0;
  let block: Block | undefined;
  return inSteps(() => {
    if (block === undefined) {
      const next = blocks.next();
      if (next.done) return output;
      const { from, end } = next.value;
      const { size, at } = sizeAt(bytes, from, end);
      block = { at, end, to: outputFrom, outputFrom, outputEnd: outputFrom + size };
      outputFrom += size;
    }
    const { to } = block;
    decode(bytes, block, output);
    spend(BLOCK_COST + block.to - to);
    if (block.at < block.end) return undefined;
    if (block.to < block.outputEnd) throw new RangeError("a snappy block ends too early");
    block = undefined;
    return undefined;
  });
}

function* blocksOf(bytes: Uint8Array): Generator<{ from: number; end: number }, void> {
  if (!MAGIC.every((byte, i) => bytes[i] === byte)) return yield { from: 0, end: bytes.length };
  for (let at = HEAD_BYTES; at < bytes.length;) {
    const from = at + 4;
    const length = from <= bytes.length ? swapped(wordAt(bytes, at)) : 0;
    const end = from + length;
    if (length <= 0 || end > bytes.length) throw new RangeError("a snappy block is cut off");
    yield { from, end };
    at = end;
  }
}

/** The size that a block begins with, which is a small integer for V8, and where that ends. */
function sizeAt(bytes: Uint8Array, from: number, end: number): { size: number; at: number } {
  let size = 0;
  for (let i = 0; i < 4 && from + i < end; i++) {
    const byte = bytes[from + i]!;
    size |= (byte & 127) << 7 * i;
    if (byte < 128) return { size, at: from + i + 1 };
  }
  // With a fifth byte it would have 256 MB or more.
  throw new RangeError("a snappy block has no size, or is larger than any batch");
}

/** Decompresses a part of a block. */
function decode(bytes: Uint8Array, block: Block, output: Uint8Array): void {
  const { end, outputFrom, outputEnd } = block;
  const stop = block.to + STEP_BYTES;
  let { at, to } = block;
  while (at < end && to < stop) {
    const tag = bytes[at++]!;
    const kind = tag & 3;
    let length = (tag >>> 2) + 1;
    if (kind === 0) {
      if (length > 60) {
        const extra = length - 60;
        if (at + extra > end) throw new RangeError("a snappy block is cut off");
        length = 1;
        for (let i = 0; i < extra; i++) length += bytes[at++]! * 2 ** (8 * i);
      }
      if (at + length > end || to + length > outputEnd) throw outside();
      if (length > 24) output.set(bytes.subarray(at, at + length), to);
      else for (let i = 0; i < length; i++) output[to + i] = bytes[at + i]!;
      at += length;
      to += length;
      continue;
    }
    let offset: number;
    if (at + (kind === 3 ? 4 : kind) > end) throw new RangeError("a snappy block is cut off");
    if (kind === 1) {
      length = (tag >>> 2 & 7) + 4;
      offset = tag >>> 5 << 8 | bytes[at++]!;
    } else if (kind === 2) {
      offset = bytes[at]! | bytes[at + 1]! << 8;
      at += 2;
    } else {
      offset = wordAt(bytes, at) >>> 0;
      at += 4;
    }
    if (offset === 0 || offset > to - outputFrom || to + length > outputEnd) throw outside();
    for (const copied = to + length; to < copied; to++) output[to] = output[to - offset]!;
  }
  block.at = at;
  block.to = to;
}

function outside(): RangeError {
  return new RangeError("a snappy block reaches outside of itself");
}

/** Where the bytes of a hash were seen last in the block. */
const seen = new Int32Array(1 << 13);

function compress(bytes: Uint8Array): Uint8Array | Promise<Uint8Array> {
  const blocks = Math.ceil(bytes.length / BLOCK_BYTES);
  // The longest that the reference allows a block to become is a sixth longer, and 32 bytes.
  const output = new Uint8Array(HEAD_BYTES + Math.ceil(bytes.length * 7 / 6) + blocks * 36);
  output.set(MAGIC);
  output[11] = output[15] = 1; // the version, and the oldest that can read it
  let from = 0, to = HEAD_BYTES;
  return inSteps(() => {
    if (from >= bytes.length) return output.subarray(0, to);
    const end = Math.min(bytes.length, from + BLOCK_BYTES);
    const begin = to;
    to = encode(bytes, from, end, output, begin + 4);
    const size = to - begin - 4;
    for (let i = 0; i < 4; i++) output[begin + i] = size >>> 24 - 8 * i;
    spend(2 * (end - from));
    from = end;
    return undefined;
  });
}

/** Compresses a block, greedily; returns where it ends. */
function encode(
  bytes: Uint8Array,
  from: number,
  end: number,
  output: Uint8Array,
  to: number,
): number {
  for (let rest = end - from;; rest >>>= 7) {
    output[to++] = rest > 127 ? rest & 127 | 128 : rest;
    if (rest < 128) break;
  }
  seen.fill(-1);
  let literal = from;
  for (let at = from, misses = 0; at + 4 <= end;) {
    const word = wordAt(bytes, at);
    const slot = hashOf(word);
    const candidate = seen[slot]!;
    seen[slot] = at;
    if (candidate < 0 || wordAt(bytes, candidate) !== word) {
      at += 1 + (misses++ >> 5);
      continue;
    }
    to = encodeLiteral(bytes, literal, at, output, to);
    const offset = at - candidate;
    let length = 4;
    while (at + length < end && bytes[at + length] === bytes[candidate + length]) length++;
    at += length;
    literal = at;
    misses = 0;
    // A last copy of fewer than four bytes would have no short form.
    for (; length > 64; length -= length < 68 ? 60 : 64) {
      to = encodeCopy(offset, length < 68 ? 60 : 64, output, to);
    }
    to = encodeCopy(offset, length, output, to);
  }
  return encodeLiteral(bytes, literal, end, output, to);
}

function encodeLiteral(
  bytes: Uint8Array,
  from: number,
  end: number,
  output: Uint8Array,
  to: number,
): number {
  const rest = end - from - 1;
  if (rest < 0) return to;
  if (rest < 60) {
    output[to++] = rest << 2;
  } else if (rest < 256) {
    output[to++] = 60 << 2;
    output[to++] = rest;
  } else {
    output[to++] = 61 << 2;
    output[to++] = rest;
    output[to++] = rest >>> 8;
  }
  output.set(bytes.subarray(from, end), to);
  return to + end - from;
}

function encodeCopy(offset: number, length: number, output: Uint8Array, to: number): number {
  if (length < 12 && offset < 2048) {
    output[to++] = offset >>> 8 << 5 | length - 4 << 2 | 1;
    output[to++] = offset;
  } else {
    output[to++] = length - 1 << 2 | 2;
    output[to++] = offset;
    output[to++] = offset >>> 8;
  }
  return to;
}

/** The other order of the bytes of a word. */
function swapped(word: number): number {
  return word >>> 24 | word >>> 8 & 0xff00 | (word & 0xff00) << 8 | word << 24;
}
