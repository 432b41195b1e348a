/** gzip and zstd, by `node:zlib`: what is small at once, what is not on another thread. */
import { promisify } from "node:util";
import zlib from "node:zlib";
import { spend } from "./breath.ts";
import type { Compressor } from "./compressors.ts";
import { tooLarge } from "./too_large.ts";

/** Up to so many bytes are compressed or decompressed at once: another thread costs 100 µs. */
const SMALL_BYTES = 1 << 14;
/** What is small may become so large at once; past it, it is begun anew on another thread. */
const SMALL_OUTPUT = 1 << 18;

interface Options {
  readonly maxOutputLength: number;
  readonly chunkSize?: number;
}

interface Way {
  compress(bytes: Uint8Array): Promise<Uint8Array>;
  compressSync(bytes: Uint8Array): Uint8Array;
  decompress(bytes: Uint8Array, options: Options): Promise<Uint8Array>;
  decompressSync(bytes: Uint8Array, options: Options): Uint8Array;
}

/** gzip. */
export const gzip: Compressor = by({
  compress: promisify(zlib.gzip),
  compressSync: zlib.gzipSync,
  decompress: promisify<Uint8Array, Options, Uint8Array>(zlib.gunzip),
  decompressSync: zlib.gunzipSync,
});

/** zstd. */
export const zstd: Compressor = by({
  compress: promisify(zlib.zstdCompress),
  compressSync: zlib.zstdCompressSync,
  decompress: promisify<Uint8Array, Options, Uint8Array>(zlib.zstdDecompress),
  decompressSync: zlib.zstdDecompressSync,
});

function by(way: Way): Compressor {
  return {
    compress(bytes) {
      if (bytes.length > SMALL_BYTES) return way.compress(bytes);
      spend(16 * bytes.length); // so much slower than the other way
      return way.compressSync(bytes);
    },
    decompress(bytes, most) {
      const small = bytes.length <= SMALL_BYTES ? decompressSmall(way, bytes, most) : undefined;
      return small ?? decompressLarge(way, bytes, most);
    },
  };
}

/** Returns undefined for what becomes too large to be decompressed at once. */
function decompressSmall(way: Way, bytes: Uint8Array, most: number): Uint8Array | undefined {
  const maxOutputLength = Math.min(most, SMALL_OUTPUT);
  try {
    const output = way.decompressSync(bytes, { maxOutputLength });
    spend(output.length);
    return plain(output);
  } catch (error) {
    spend(maxOutputLength);
    if (!isTooLarge(error)) throw error;
    if (most <= SMALL_OUTPUT) throw tooLarge(most);
    return undefined;
  }
}

async function decompressLarge(way: Way, bytes: Uint8Array, most: number): Promise<Uint8Array> {
  try {
    return plain(await way.decompress(bytes, { maxOutputLength: most, chunkSize: 1 << 16 }));
  } catch (error) {
    throw isTooLarge(error) ? tooLarge(most) : error;
  }
}

/** Returns the same bytes as no Buffer, whose views cost more. */
function plain({ buffer, byteOffset, length }: Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, length);
}

function isTooLarge(error: unknown): boolean {
  return (error as { code?: unknown }).code === "ERR_BUFFER_TOO_LARGE";
}
