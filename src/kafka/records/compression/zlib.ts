/**
 * gzip and zstd, by `node:zlib`: what is small at once, what is not in pieces, with turns for others. The
 * functions with callbacks would not do: in Deno they have no thread of their own, and leave no turns.
 */
import { Buffer } from "node:buffer";
import { Readable, type Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import zlib from "node:zlib";
import { inSteps, mustYield, spend, yielded } from "./yielding.ts";
import { type Compressor, tooLarge } from "./compressor.ts";

/** Up to so many bytes are compressed or decompressed at once: a stream costs 100 µs. */
const SMALL_BYTES = 1 << 14;
/** What is small may become so large at once; past it, it is begun anew as a stream. */
const SMALL_OUTPUT = 1 << 18;
/** In pieces of so many bytes the others go in and out. */
const PIECE_BYTES = 1 << 16;
/** What a step costs beside what it makes, in bytes. */
const STEP_COST = 1 << 10;
/** Compressing takes so many times as long as decompressing. */
const COMPRESSING = 8;

interface Way {
  compress(bytes: Uint8Array): Uint8Array;
  compressing(options: { chunkSize: number }): Transform;
}

function compressBy(way: Way): Compressor["compress"] {
  return (bytes) => {
    if (bytes.length > SMALL_BYTES) {
      return through(way.compressing({ chunkSize: PIECE_BYTES }), bytes, { cost: COMPRESSING });
    }
    spend(COMPRESSING * bytes.length);
    return way.compress(bytes);
  };
}

/** gzip. */
export const gzip: Compressor = {
  compress: compressBy({ compress: zlib.gzipSync, compressing: zlib.createGzip }),
  decompress(bytes, most) {
    const small = bytes.length <= SMALL_BYTES ? decompressSmall(bytes, most) : undefined;
    return small ?? through(zlib.createGunzip({ chunkSize: PIECE_BYTES }), bytes, { most });
  },
};

/** zstd. */
export const zstd: Compressor = {
  compress: compressBy({
    compress: zlib.zstdCompressSync,
    compressing: zlib.createZstdCompress,
  }),
  decompress: decompressZstd,
};

/** Returns undefined for what becomes too large to be decompressed at once. */
function decompressSmall(bytes: Uint8Array, most: number): Uint8Array | undefined {
  const maxOutputLength = Math.min(most, SMALL_OUTPUT);
  try {
    const output = zlib.gunzipSync(bytes, { maxOutputLength });
    spend(output.length);
    return plain(output);
  } catch (error) {
    spend(maxOutputLength);
    if ((error as { code?: unknown }).code !== "ERR_BUFFER_TOO_LARGE") throw error;
    if (most <= SMALL_OUTPUT) throw tooLarge(most);
    return undefined;
  }
}

/** What a stream of `node:zlib` works with, in Node and in Deno. */
interface Engine {
  readonly _handle?: {
    writeSync?(
      flush: number,
      input: Uint8Array,
      inputAt: number,
      inputLength: number,
      output: Uint8Array,
      outputAt: number,
      outputLength: number,
    ): void;
  };
  /** How many bytes of the output are free, and how many of the input are left. */
  readonly _writeState: ArrayLike<number>;
  close(): void;
}

/**
 * Takes the steps of a zstd stream itself: when its input is damaged further on, the stream of Deno 2.9 throws
 * what nobody can catch, and the process ends. Where that is not possible, decompresses all at once.
 */
function decompressZstd(bytes: Uint8Array, most: number): Uint8Array | Promise<Uint8Array> {
  const engine = zlib.createZstdDecompress() as unknown as Engine;
  const output: Uint8Array[] = [];
  let total = 0, left = bytes.length;
  let piece = new Uint8Array(PIECE_BYTES);
  return inSteps(() => {
    let isOver = true;
    try {
      if (engine._handle?.writeSync === undefined) {
        return zlib.zstdDecompressSync(bytes, { maxOutputLength: most });
      }
      const flush = zlib.constants.ZSTD_e_end;
      engine._handle.writeSync(flush, bytes, bytes.length - left, left, piece, 0, PIECE_BYTES);
      const room = engine._writeState[0]!;
      const made = PIECE_BYTES - room;
      total += made;
      spend(STEP_COST + made);
      if (total > most) throw tooLarge(most);
      if (made > 0) {
        output.push(piece.subarray(0, made));
        piece = new Uint8Array(PIECE_BYTES);
      } else if (left > 0 && engine._writeState[1] === left) {
        throw new RangeError("bytes follow its zstd frame");
      }
      left = engine._writeState[1]!;
      // A step ends with its frame, and another frame may follow.
      isOver = room > 0 && left === 0;
      return isOver ? plain(Buffer.concat(output, total)) : undefined;
    } finally {
      if (isOver) engine.close();
    }
  });
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
      if (mustYield()) await yielded();
    }
  }
  try {
    await pipeline(Readable.from(pieces()), stream, async (source: AsyncIterable<Uint8Array>) => {
      for await (const piece of source) {
        total += piece.length;
        if (total > most) throw tooLarge(most);
        output.push(piece);
        spend(piece.length);
        if (mustYield()) await yielded();
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
