/**
 * gzip and zstd, by `node:zlib`: what is small at once, what is not as a stream with turns for others. (The
 * functions with callbacks would not do: in Deno they have no thread of their own, and leave no turns.)
 */
import { Buffer } from "node:buffer";
import { Readable, type Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import zlib from "node:zlib";
import { breath, isBreathDue, spend } from "./breath.ts";
import type { Compressor } from "./compressors.ts";
import { tooLarge } from "./too_large.ts";

/** Up to so many bytes are compressed or decompressed at once: a stream costs 100 µs. */
const SMALL_BYTES = 1 << 14;
/** What is small may become so large at once; past it, it is begun anew as a stream. */
const SMALL_OUTPUT = 1 << 18;
/** In pieces of so many bytes the others go in and out. */
const PIECE_BYTES = 1 << 16;
/** Compressing takes so many times as long as decompressing. */
const COMPRESSING = 8;

interface Way {
  compress(bytes: Uint8Array): Uint8Array;
  decompress(bytes: Uint8Array, options: { maxOutputLength: number }): Uint8Array;
  compressing(options: { chunkSize: number }): Transform;
  decompressing(options: { chunkSize: number }): Transform;
}

/** gzip. */
export const gzip: Compressor = by({
  compress: zlib.gzipSync,
  decompress: zlib.gunzipSync,
  compressing: zlib.createGzip,
  decompressing: zlib.createGunzip,
});

/** zstd. */
export const zstd: Compressor = by({
  compress: zlib.zstdCompressSync,
  decompress: zlib.zstdDecompressSync,
  compressing: zlib.createZstdCompress,
  decompressing: zlib.createZstdDecompress,
});

function by(way: Way): Compressor {
  const options = { chunkSize: PIECE_BYTES };
  return {
    compress(bytes) {
      if (bytes.length > SMALL_BYTES) {
        return through(way.compressing(options), bytes, { cost: COMPRESSING });
      }
      spend(COMPRESSING * bytes.length);
      return way.compress(bytes);
    },
    decompress(bytes, most) {
      const small = bytes.length <= SMALL_BYTES ? decompressSmall(way, bytes, most) : undefined;
      return small ?? through(way.decompressing(options), bytes, { most });
    },
  };
}

/** Returns undefined for what becomes too large to be decompressed at once. */
function decompressSmall(way: Way, bytes: Uint8Array, most: number): Uint8Array | undefined {
  const maxOutputLength = Math.min(most, SMALL_OUTPUT);
  try {
    const output = way.decompress(bytes, { maxOutputLength });
    spend(output.length);
    return plain(output);
  } catch (error) {
    spend(maxOutputLength);
    if ((error as { code?: unknown }).code !== "ERR_BUFFER_TOO_LARGE") throw error;
    if (most <= SMALL_OUTPUT) throw tooLarge(most);
    return undefined;
  }
}

/** Passes bytes through a stream; `cost` is what one costs that goes in. */
async function through(
  stream: Transform,
  bytes: Uint8Array,
  { most = Infinity, cost = 0 }: { most?: number; cost?: number },
): Promise<Uint8Array> {
  const output: Uint8Array[] = [];
  let total = 0;
  async function* pieces(): AsyncGenerator<Uint8Array, void> {
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      const piece = bytes.subarray(at, at + PIECE_BYTES);
      yield piece;
      spend(cost * piece.length);
      if (isBreathDue()) await breath();
    }
  }
  try {
    await pipeline(Readable.from(pieces()), stream, async (source: AsyncIterable<Uint8Array>) => {
      for await (const piece of source) {
        total += piece.length;
        if (total > most) throw tooLarge(most);
        output.push(piece);
        spend(piece.length);
        if (isBreathDue()) await breath();
      }
    });
  } catch (error) {
    // Whatever the pipeline makes of it.
    throw total > most ? tooLarge(most) : error;
  }
  return plain(Buffer.concat(output, total));
}

/** Returns the same bytes as no Buffer, whose views cost more. */
function plain({ buffer, byteOffset, length }: Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, length);
}
