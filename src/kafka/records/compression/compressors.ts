import type { Compression } from "../../client/broker.ts";
import type { Compressor } from "./compressor.ts";
import { lz4 } from "./lz4.ts";
import { snappy } from "./snappy.ts";
import { gzip, zstd } from "./zlib.ts";

/** The compressors of all compressions. */
export const compressors: Readonly<Record<Exclude<Compression, "none">, Compressor>> = {
  gzip,
  snappy,
  lz4,
  zstd,
};
