/**
 * The compressions that kafkajs lacks, and gzip with a bound: registered when this module is loaded,
 * since one batch whose codec is missing stops a consumer for good.
 */
import { Buffer } from "node:buffer";
import { promisify } from "node:util";
import zlib from "node:zlib";
import kafkajs from "kafkajs";
import lz4 from "lz4js";
import snappy from "snappyjs";
import type { Compression } from "../client/broker.ts";
import { toBuffer } from "./buffer.ts";
import { compressLz4 } from "./lz4_frame.ts";

/**
 * The most bytes that one record batch may have after decompression. A larger one ends the reader with
 * a `RangeError`: nothing can be read past it.
 */
export const MAX_BATCH_BYTES = 64 * 2 ** 20;

const { CompressionCodecs, CompressionTypes } = kafkajs;

/** The numbers by which the protocol names the compressions. */
export const compressionTypes: Record<Compression, number> = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
};

interface Encoder {
  readonly buffer: Buffer;
}

function register(
  type: number,
  compress: (bytes: Buffer) => Uint8Array | Promise<Uint8Array>,
  decompress: (bytes: Buffer) => Uint8Array | Promise<Uint8Array>,
): void {
  const codec = {
    compress: async (encoder: Encoder) => toBuffer(await compress(encoder.buffer)),
    async decompress(bytes: Buffer) {
      try {
        return toBuffer(await decompress(bytes));
      } catch (error) {
        // An error of another kind would be tried again for ever; of its cause kafkajs tells instead of it.
        throw new RangeError(`Cannot decompress a record batch: ${(error as Error).message}`);
      }
    },
  };
  (CompressionCodecs as Record<number, () => typeof codec>)[type] = () => codec;
}

const bound = { maxOutputLength: MAX_BATCH_BYTES };
const gzip = promisify(zlib.gzip), gunzip = promisify(zlib.gunzip);
const zstdCompress = promisify(zlib.zstdCompress), zstdDecompress = promisify(zlib.zstdDecompress);

register(
  compressionTypes.gzip,
  (bytes) => gzip(bytes),
  (bytes) => gunzip(bytes, bound),
);
register(
  compressionTypes.zstd,
  (bytes) => zstdCompress(bytes),
  (bytes) => zstdDecompress(bytes, bound),
);
register(compressionTypes.lz4, compressLz4, decompressLz4);
register(compressionTypes.snappy, (bytes) => snappy.compress(bytes), decompressSnappy);

function decompressLz4(bytes: Buffer): Uint8Array {
  return lz4.decompress(bytes, within(lz4.decompressBound(bytes)));
}

/** "\x82SNAPPY\0": the head of the framing that the Java client puts around snappy blocks. */
const XERIAL = Buffer.from([130, 83, 78, 65, 80, 80, 89, 0]);
const XERIAL_HEAD = 16;

function decompressSnappy(bytes: Buffer): Uint8Array {
  if (!bytes.subarray(0, XERIAL.length).equals(XERIAL)) {
    return snappy.uncompress(bytes, MAX_BATCH_BYTES);
  }
  const blocks: Uint8Array[] = [];
  let total = 0;
  for (let at = XERIAL_HEAD; at + 4 <= bytes.length;) {
    const length = bytes.readUInt32BE(at);
    const block = snappy.uncompress(
      bytes.subarray(at + 4, at + 4 + length),
      MAX_BATCH_BYTES - total,
    );
    total += block.length;
    blocks.push(block);
    at += 4 + length;
  }
  return Buffer.concat(blocks, total);
}

function within(size: number): number {
  if (size <= MAX_BATCH_BYTES) return size;
  throw new RangeError(
    `it has ${size} bytes, more than ${MAX_BATCH_BYTES}`,
  );
}
