/**
 * LZ4 frames of independent blocks, which is all that Kafka's brokers take, from the format's description
 * (`lz4_Frame_format.md` of lz4/lz4, version 1.6). All its checksums are verified. Written are blocks of 64 KB
 * without checksums, as by the Java client: the batch has one.
 *
 * Written here since the libraries do not hold: lz4js 0.2 verifies nothing, and returned wrong data after ten
 * seconds; the WebAssembly of `@platformatic/wasm-utils` 0.2 fails on everything after some thousand damaged
 * frames.
 */
import { inSteps, spend } from "./yielding.ts";
import { type Compressor, tooLarge } from "./compressor.ts";
import { decodeBlock, encodeBlock, mostEncoded } from "./lz4_block.ts";
import { wordAt } from "./words.ts";
import { xxh32 } from "./xxh32.ts";

const MAGIC = 0x184d2204;
/** Where the flags stand, and what the checksum of the head covers begins. */
const FLAGS_AT = 4;
const VERSION = 0x40, INDEPENDENT = 0x20, BLOCK_CHECKSUMS = 0x10, CONTENT_SIZE = 8;
const CONTENT_CHECKSUM = 4, DICTIONARY = 1;
/** The code of blocks of at most 64 KB, the smallest. */
const SMALLEST_BLOCKS = 4;
const BLOCK_BYTES = 1 << 16;
/** The bit of a block's length that says that it is not compressed. */
const PLAIN = 0x80000000;
/** A block has at most so many times the bytes that it is compressed to. */
const MOST_RATIO = 255;

/** What a block costs beside its content, in bytes. */
const BLOCK_COST = 64;

/** LZ4. */
export const lz4: Compressor = { compress, decompress };

interface Frame {
  readonly flags: number;
  readonly blockBytes: number;
  readonly contentSize: number | undefined;
  /** Where the first block begins. */
  readonly at: number;
}

function readFrame(bytes: Uint8Array): Frame {
  if (bytes.length < 7 || wordAt(bytes, 0) !== MAGIC) {
    throw new RangeError("it is not an lz4 frame");
  }
  const flags = bytes[FLAGS_AT]!, descriptor = bytes[FLAGS_AT + 1]!;
  const code = descriptor >>> 4;
  if ((flags & 0xc2) !== VERSION || (descriptor & 0x8f) !== 0 || code < SMALLEST_BLOCKS) {
    throw new RangeError("its lz4 frame has flags that are not known");
  }
  if ((flags & INDEPENDENT) === 0) {
    throw new RangeError("the blocks of its lz4 frame depend on each other");
  }
  if ((flags & DICTIONARY) !== 0) throw new RangeError("its lz4 frame needs a dictionary");
  const hasSize = (flags & CONTENT_SIZE) !== 0;
  const checksumAt = FLAGS_AT + 2 + (hasSize ? 8 : 0);
  if (checksumAt >= bytes.length) throw cutOff();
  if ((xxh32(bytes.subarray(FLAGS_AT, checksumAt)) >>> 8 & 255) !== bytes[checksumAt]) {
    throw new RangeError("the checksum of the head of its lz4 frame is wrong");
  }
  const contentSize = hasSize
    ? (wordAt(bytes, 6) >>> 0) + 2 ** 32 * (wordAt(bytes, 10) >>> 0)
    : undefined;
  return { flags, blockBytes: 1 << 8 + 2 * code, contentSize, at: checksumAt + 1 };
}

function decompress(bytes: Uint8Array, most: number): Uint8Array | Promise<Uint8Array> {
  const { flags, blockBytes, contentSize, at: begin } = readFrame(bytes);
  if (contentSize !== undefined && contentSize > most) throw tooLarge(most);
  const guess = contentSize ?? 4 * bytes.length;
  let output = new Uint8Array(Math.min(most, guess, MOST_RATIO * bytes.length));
  let at = begin, to = 0;
  return inSteps(() => {
    if (at + 4 > bytes.length) throw cutOff();
    const length = wordAt(bytes, at) & ~PLAIN;
    const isPlain = bytes[at + 3]! >>> 7 === 1;
    at += 4;
    if (length === 0 && !isPlain) {
      checkEnd(bytes, at, flags, output.subarray(0, to), contentSize);
      return output.subarray(0, to);
    }
    const end = at + length;
    if (length > blockBytes || end > bytes.length) throw cutOff();
    const room = Math.min(blockBytes, isPlain ? length : MOST_RATIO * length);
    if (to + room > output.length) output = grown(output, to, to + room);
    if (isPlain) output.set(bytes.subarray(at, end), to);
    const next = isPlain ? to + length : decodeBlock(bytes, at, end, output, to, to + room);
    if (next > most) throw tooLarge(most);
    at = end;
    if ((flags & BLOCK_CHECKSUMS) !== 0) {
      checkSum(bytes, end, bytes.subarray(end - length, end));
      at += 4;
    }
    spend(BLOCK_COST + next - to);
    to = next;
    return undefined;
  });
}

function grown(output: Uint8Array, used: number, least: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(
    Math.max(least, Math.min(2 * output.length, least + (least >>> 1))),
  );
  larger.set(output.subarray(0, used));
  return larger;
}

function checkEnd(
  bytes: Uint8Array,
  at: number,
  flags: number,
  content: Uint8Array,
  contentSize: number | undefined,
): void {
  const hasChecksum = (flags & CONTENT_CHECKSUM) !== 0;
  if (hasChecksum) checkSum(bytes, at, content);
  if (contentSize !== undefined && content.length !== contentSize) {
    throw new RangeError(`its lz4 frame has ${content.length} bytes, and says ${contentSize}`);
  }
  if (at + (hasChecksum ? 4 : 0) !== bytes.length) {
    throw new RangeError("bytes follow its lz4 frame");
  }
}

function checkSum(bytes: Uint8Array, at: number, of: Uint8Array): void {
  if (at + 4 > bytes.length) throw cutOff();
  if (wordAt(bytes, at) !== xxh32(of)) throw new RangeError("a checksum of its lz4 frame is wrong");
}

function cutOff(): RangeError {
  return new RangeError("its lz4 frame is cut off");
}

function compress(bytes: Uint8Array): Uint8Array | Promise<Uint8Array> {
  const blocks = Math.ceil(bytes.length / BLOCK_BYTES);
  const output = new Uint8Array(
    15 + bytes.length + blocks * (4 + mostEncoded(BLOCK_BYTES) - BLOCK_BYTES),
  );
  const view = new DataView(output.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint8(FLAGS_AT, VERSION | INDEPENDENT);
  view.setUint8(FLAGS_AT + 1, SMALLEST_BLOCKS << 4);
  view.setUint8(FLAGS_AT + 2, xxh32(output.subarray(FLAGS_AT, FLAGS_AT + 2)) >>> 8);
  let from = 0, to = 7;
  return inSteps(() => {
    // The frame ends with an empty block.
    if (from >= bytes.length) return output.subarray(0, to + 4);
    const end = Math.min(bytes.length, from + BLOCK_BYTES);
    let next = encodeBlock(bytes, from, end, output, to + 4);
    const isPlain = next - to - 4 >= end - from;
    if (isPlain) {
      output.set(bytes.subarray(from, end), to + 4);
      output.fill(0, to + 4 + end - from, next);
      next = to + 4 + end - from;
    }
    view.setUint32(to, next - to - 4 + (isPlain ? PLAIN : 0), true);
    spend(2 * (end - from));
    from = end;
    to = next;
    return undefined;
  });
}
