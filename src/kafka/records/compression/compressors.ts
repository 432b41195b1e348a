import type { Compression } from "../../client/broker.ts";
import { lz4 } from "./lz4.ts";
import { snappy } from "./snappy.ts";
import { gzip, zstd } from "./zlib.ts";

/** Compresses and decompresses; a promise where that takes long. */
export interface Compressor {
  /** Compresses bytes, which must not change until it is done. */
  compress(bytes: Uint8Array): Uint8Array | Promise<Uint8Array>;
  /**
   * Decompresses bytes.
   *
   * @throws {Error} If they are damaged, or would have more than `most` bytes; no more are allocated.
   */
  decompress(bytes: Uint8Array, most: number): Uint8Array | Promise<Uint8Array>;
}

/** The compressors of all compressions. */
export const compressors: Readonly<Record<Exclude<Compression, "none">, Compressor>> = {
  gzip,
  snappy,
  lz4,
  zstd,
};
