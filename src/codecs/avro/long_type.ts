import { Buffer } from "node:buffer";
import { types } from "avsc";

/** Up to this many encoded bytes (7 bits each) a long fits into a number exactly. */
const EXACT_BYTES = 7;

/** Below this, twice a long is an exact number. */
const EXACT_LONG = 2 ** 52;

/** Where a long is encoded; avsc copies it from there at once. */
const SCRATCH = Buffer.alloc(10);

/**
 * Makes avsc's type for 64-bit integers, which alone would refuse those past 2^53.
 *
 * - `"auto"`: reads a number where it is exact, else a bigint.
 * - `"bigint"`: always reads a bigint.
 *
 * Both write numbers and bigints.
 */
export function makeLongType(longs: "auto" | "bigint"): types.LongType {
  const made = longs === "bigint" ? BigInt : shrink;
  const copy = (value: number | bigint) => made(value);
  return types.LongType.__with({
    fromBuffer: (bytes: Uint8Array) => made(decodeLong(bytes)),
    toBuffer: encodeLong,
    fromJSON: copy,
    toJSON: copy,
    isValid: isLong,
    compare: (a: number | bigint, b: number | bigint) => a === b ? 0 : a < b ? -1 : 1,
  }, true);
}

/** Whether a value is an exact 64-bit integer. */
export function isLong(value: unknown): value is number | bigint {
  if (typeof value === "bigint") return BigInt.asIntN(64, value) === value;
  return Number.isSafeInteger(value);
}

function shrink(value: number | bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** Undoes the zigzag variable-length encoding: 7 bits a byte, least first, the sign in the lowest bit. */
function decodeLong(bytes: Uint8Array): number | bigint {
  if (bytes.length > EXACT_BYTES) return decodeBigLong(bytes);
  let value = 0;
  for (let i = bytes.length - 1; i >= 0; i--) value = value * 128 + (bytes[i]! & 0x7f);
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}

function decodeBigLong(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 7n) | BigInt(bytes[i]! & 0x7f);
  return (value >> 1n) ^ -(value & 1n);
}

function encodeLong(value: number | bigint): Buffer {
  const length = typeof value === "number" && Math.abs(value) < EXACT_LONG
    ? writeNumber(value < 0 ? -2 * value - 1 : 2 * value)
    : writeBigint(BigInt(value));
  return SCRATCH.subarray(0, length);
}

function writeNumber(zigzag: number): number {
  let length = 0;
  for (; zigzag >= 0x80; zigzag = Math.floor(zigzag / 0x80)) {
    SCRATCH[length++] = (zigzag % 0x80) | 0x80;
  }
  SCRATCH[length++] = zigzag;
  return length;
}

function writeBigint(value: bigint): number {
  let length = 0;
  let zigzag = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
  for (; zigzag >= 0x80n; zigzag >>= 7n) SCRATCH[length++] = Number(zigzag & 0x7fn) | 0x80;
  SCRATCH[length++] = Number(zigzag);
  return length;
}
