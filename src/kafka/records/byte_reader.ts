const HIGH = 2 ** 32;

/**
 * Reads numbers from bytes, in the formats that {@linkcode ByteWriter} writes. Nothing is read outside of
 * the bytes: what would be is a `RangeError`.
 */
export class ByteReader {
  /** The bytes. */
  readonly bytes: Uint8Array;
  /** Where the next number begins. */
  at: number;

  /** Begins at `at`. */
  constructor(bytes: Uint8Array, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  /** Reads a number of 32 bits of variable length. */
  varint(): number {
    const byte = this.bytes[this.at]!;
    if (byte < 128) {
      this.at++;
      return byte >>> 1 ^ -(byte & 1);
    }
    return this.#longVarint();
  }

  #longVarint(): number {
    let n = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#byte();
      n |= (byte & 127) << shift;
      if (byte < 128) return n >>> 1 ^ -(n & 1);
    }
    const last = this.#byte();
    if (last > 15) throw new RangeError("a number has more than 32 bits");
    n |= last << 28;
    return n >>> 1 ^ -(n & 1);
  }

  /** Reads a number of 64 bits of variable length; one that is not a safe integer is refused. */
  varlong(): number {
    const byte = this.bytes[this.at]!;
    if (byte < 128) {
      this.at++;
      return byte >>> 1 ^ -(byte & 1);
    }
    const begin = this.at;
    let n = 0, unit = 1;
    for (let i = 0; i < 9; i++, unit *= 128) {
      const byte = this.#byte();
      n += (byte & 127) * unit;
      if (byte >= 128) continue;
      if (n > Number.MAX_SAFE_INTEGER) return this.#bigVarlong(begin);
      return n % 2 === 1 ? -(n + 1) / 2 : n / 2;
    }
    if (this.#byte() > 1) throw new RangeError("a number has more than 64 bits");
    return this.#bigVarlong(begin);
  }

  #bigVarlong(begin: number): number {
    let n = 0n;
    for (let at = this.at - 1; at >= begin; at--) n = n << 7n | BigInt(this.bytes[at]! & 127);
    return safe(Number(n & 1n ? -(n + 1n) / 2n : n / 2n));
  }

  /** Passes bytes that follow their length of variable length, none when it is -1; returns the length. */
  pass(): number {
    const length = this.varint();
    if (length < -1) throw new RangeError(`bytes have the length ${length}`);
    if (length > 0) this.at += length;
    return length;
  }

  #byte(): number {
    if (this.at >= this.bytes.length) throw new RangeError("the bytes end within a number");
    return this.bytes[this.at++]!;
  }
}

/** Reads a number of 64 bits of a view; one that is not a safe integer is refused. */
export function safeInt64(view: DataView, at: number): number {
  return safe(view.getInt32(at) * HIGH + view.getUint32(at + 4));
}

function safe(n: number): number {
  if (!Number.isSafeInteger(n)) throw new RangeError(`it has a number past 2^53: ${n}`);
  return n;
}
