const FIRST_BYTES = 1 << 16;
/** A buffer larger than this is not kept for what is written next. */
const KEPT_BYTES = 1 << 22;
const HIGH = 2 ** 32;
/** Numbers up to here can be doubled and stay exact. */
const HALF_SAFE = 2 ** 52;

const encoder = new TextEncoder();

/**
 * A buffer that grows, written from its beginning: numbers are big-endian, and of variable length as in
 * the Kafka protocol guide, "Protocol Primitive Types" (zigzag, seven bits a byte, the lowest first).
 *
 * Only `reserve()` and `string()` grow it: what is to be written must have been reserved.
 */
export class ByteWriter {
  /** The bytes; what follows `at` is not written yet. Another one when the writer has grown. */
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(FIRST_BYTES);
  /** How many bytes are written. */
  at = 0;

  /** What is written; valid until the writer is written to again. */
  get written(): Uint8Array<ArrayBuffer> {
    return this.bytes.subarray(0, this.at);
  }

  /** Begins anew, and lets a large buffer go. */
  reset(): void {
    this.at = 0;
    if (this.bytes.length > KEPT_BYTES) this.bytes = new Uint8Array(FIRST_BYTES);
  }

  /** Makes room for so many bytes. */
  reserve(count: number): void {
    if (this.at + count <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.at + count));
    grown.set(this.written);
    this.bytes = grown;
  }

  /** Writes 8 bits. */
  int8(n: number): void {
    this.bytes[this.at++] = n;
  }

  /** Writes 16 bits. */
  int16(n: number): void {
    this.bytes[this.at++] = n >> 8;
    this.bytes[this.at++] = n;
  }

  /** Writes 32 bits. */
  int32(n: number): void {
    this.int32At(this.at, n);
    this.at += 4;
  }

  /** Writes 32 bits over what is at `at`. */
  int32At(at: number, n: number): void {
    const { bytes } = this;
    bytes[at] = n >> 24;
    bytes[at + 1] = n >> 16;
    bytes[at + 2] = n >> 8;
    bytes[at + 3] = n;
  }

  /** Writes 64 bits of a safe integer. */
  int64(n: number): void {
    this.int32(Math.floor(n / HIGH));
    this.int32(n);
  }

  /** Writes 64 bits of any integer. */
  bigInt64(n: bigint): void {
    this.int32(Number(BigInt.asIntN(32, n >> 32n)));
    this.int32(Number(BigInt.asIntN(32, n)));
  }

  /** Makes room for a text and writes it after its length of 16 bits; null has the length -1. */
  string(text: string | null): void {
    if (text === null) {
      this.reserve(2);
      return this.int16(-1);
    }
    const encoded = encoder.encode(text);
    if (encoded.length > 0x7fff) {
      throw new RangeError(`Cannot write a text of ${encoded.length} bytes: at most ${0x7fff}`);
    }
    this.reserve(2 + encoded.length);
    this.int16(encoded.length);
    this.raw(encoded);
  }

  /** Writes 0 <= n < 2^31 with variable length. */
  varint(n: number): void {
    const { bytes } = this;
    if (n < 64) {
      bytes[this.at++] = n << 1;
    } else if (n < 8192) {
      bytes[this.at++] = n << 1 | 128;
      bytes[this.at++] = n >> 6;
    } else {
      let rest = n << 1 >>> 0;
      for (; rest > 127; rest >>>= 7) bytes[this.at++] = rest | 128;
      bytes[this.at++] = rest;
    }
  }

  /** Writes a safe integer with variable length. */
  varlong(n: number): void {
    if (n >= 0 && n < 8192) return this.varint(n);
    const { bytes } = this;
    if (n >= HALF_SAFE || n < -HALF_SAFE) return this.#bigVarlong(BigInt(n));
    let rest = n < 0 ? -2 * n - 1 : 2 * n;
    for (; rest > 127; rest = Math.floor(rest / 128)) bytes[this.at++] = rest & 127 | 128;
    bytes[this.at++] = rest;
  }

  #bigVarlong(n: bigint): void {
    const { bytes } = this;
    let rest = n < 0n ? -2n * n - 1n : 2n * n;
    for (; rest > 127n; rest >>= 7n) bytes[this.at++] = Number(rest & 127n) | 128;
    bytes[this.at++] = Number(rest);
  }

  /** Writes bytes after their length of variable length; null has the length -1. */
  nullable(bytes: Uint8Array | null): void {
    if (bytes === null) {
      this.bytes[this.at++] = 1;
    } else {
      this.varint(bytes.length);
      this.raw(bytes);
    }
  }

  /** Writes bytes as they are. */
  raw(from: Uint8Array): void {
    const { bytes } = this;
    const { length } = from;
    let { at } = this;
    if (length > 24) {
      bytes.set(from, at);
      at += length;
    } else { // A call of `set` takes longer than these.
      for (let i = 0; i < length; i++) bytes[at++] = from[i]!;
    }
    this.at = at;
  }
}

/** Returns how many bytes {@linkcode ByteWriter.varint} writes. */
export function sizeOfVarint(n: number): number {
  return n < 64 ? 1 : n < 8192 ? 2 : n < 1048576 ? 3 : n < 134217728 ? 4 : 5;
}

/** Returns how many bytes {@linkcode ByteWriter.varlong} writes. */
export function sizeOfVarlong(n: number): number {
  if (n >= 0 && n < 64) return 1;
  let size = 1;
  // -1 - n is as long as n; a quotient has fewer bits, so that doubling it is exact.
  for (let rest = Math.floor((n < 0 ? -1 - n : n) / 64); rest >= 1; rest = Math.floor(rest / 128)) {
    size++;
  }
  return size;
}

/** Returns how many bytes {@linkcode ByteWriter.nullable} writes. */
export function sizeOfNullable(bytes: Uint8Array | null): number {
  return bytes === null ? 1 : sizeOfVarint(bytes.length) + bytes.length;
}
