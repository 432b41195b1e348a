/**
 * CRC-32C (Castagnoli, RFC 3720 appendix B.4), slicing-by-8 (Kounavis and Berry, "Novel Table
 * Lookup-Based Algorithms for High-Performance CRC Generation", 2008): eight tables of 256 words, eight
 * bytes a step.
 */
const POLYNOMIAL = 0x82f63b78;
const TABLES = new Int32Array(8 * 256);

for (let n = 0; n < 256; n++) {
  let crc = n;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >>> 1 ^ POLYNOMIAL : crc >>> 1;
  TABLES[n] = crc;
}
for (let i = 256; i < TABLES.length; i++) {
  const before = TABLES[i - 256]!;
  TABLES[i] = before >>> 8 ^ TABLES[before & 255]!;
}

/** Returns the checksum of the bytes from `from` to `to`, as a signed 32-bit number. */
export function crc32c(bytes: Uint8Array, from = 0, to: number = bytes.length): number {
  let crc = -1;
  let at = from;
  for (const whole = from + ((to - from) & ~7); at < whole; at += 8) {
    crc ^= bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24;
    crc = TABLES[1792 + (crc & 255)]! ^ TABLES[1536 + (crc >>> 8 & 255)]! ^
      TABLES[1280 + (crc >>> 16 & 255)]! ^ TABLES[1024 + (crc >>> 24)]! ^
      TABLES[768 + bytes[at + 4]!]! ^ TABLES[512 + bytes[at + 5]!]! ^
      TABLES[256 + bytes[at + 6]!]! ^ TABLES[bytes[at + 7]!]!;
  }
  for (; at < to; at++) crc = crc >>> 8 ^ TABLES[(crc ^ bytes[at]!) & 255]!;
  return ~crc;
}
