import lz4 from "lz4js";

/** Magic number; version 1 with independent blocks; blocks of up to 4 MB; the checksum of these two bytes. */
const HEAD = new Uint8Array([0x04, 0x22, 0x4d, 0x18, 0x60, 0x70, 0x73]);
const BLOCK = 4 * 2 ** 20;
/** The bit of a block's length that says that it is not compressed. */
const PLAIN = 0x80000000;

/**
 * Compresses bytes to an LZ4 frame of independent blocks, the only kind that Kafka's brokers take.
 * (lz4js marks its frames as dependent.)
 */
export function compressLz4(bytes: Uint8Array): Uint8Array {
  const blocks = Math.ceil(bytes.length / BLOCK);
  const frame = new Uint8Array(HEAD.length + lz4.compressBound(bytes.length) + blocks * 4 + 4);
  const view = new DataView(frame.buffer);
  frame.set(HEAD);
  let at = HEAD.length;
  for (let from = 0; from < bytes.length; from += BLOCK) {
    const block = bytes.subarray(from, from + BLOCK);
    const compressed = new Uint8Array(lz4.compressBound(block.length));
    const size = lz4.compressBlock(block, compressed, 0, block.length, new Uint32Array(2 ** 16));
    const plain = size === 0 || size >= block.length;
    const content = plain ? block : compressed.subarray(0, size);
    view.setUint32(at, plain ? (block.length | PLAIN) >>> 0 : size, true);
    frame.set(content, at + 4);
    at += 4 + content.length;
  }
  // The frame ends with an empty block.
  return frame.subarray(0, at + 4);
}
