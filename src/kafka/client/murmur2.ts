const SEED = 0x9747b28c;
const MIX = 0x5bd1e995;

/**
 * Hashes bytes as the Java client hashes the keys of records: MurmurHash2, 32 bits, signed.
 *
 * Source: `org.apache.kafka.common.utils.Utils.murmur2`.
 */
export function murmur2(bytes: Uint8Array): number {
  const { length } = bytes;
  const whole = length & ~3;
  let hash = SEED ^ length;
  for (let at = 0; at < whole; at += 4) {
    let word = bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24;
    word = Math.imul(word, MIX);
    word ^= word >>> 24;
    hash = Math.imul(hash, MIX) ^ Math.imul(word, MIX);
  }
  if (length > whole) {
    for (let at = length - 1; at >= whole; at--) hash ^= bytes[at]! << 8 * (at - whole);
    hash = Math.imul(hash, MIX);
  }
  hash = Math.imul(hash ^ hash >>> 13, MIX);
  return hash ^ hash >>> 15;
}

/** Returns the partition that the Java client gives to a key. */
export function partitionOf(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions;
}
