import { isUtf8 } from "node:buffer";
import type { Walk } from "./walk.ts";

/** Strings up to this length are looked at byte by byte first: most are ASCII. */
const SHORT = 32;

/** Goes through encoded bytes without making values of them, and fails where they are not Avro. */
export class ByteReader {
  /** Where in the message it is, and what it has met. */
  readonly walk: Walk;
  readonly #bytes: Uint8Array;
  #position = 0;

  /** Starts at the first byte. */
  constructor(bytes: Uint8Array, walk: Walk) {
    this.#bytes = bytes;
    this.walk = walk;
  }

  /** The number of bytes read. */
  get position(): number {
    return this.#position;
  }

  /**
   * Reads a zigzag variable-length integer of at most 64 bits. Past 2^53 the result is rounded: enough to refuse
   * it as a count, a length or an index, and not used otherwise.
   */
  long(): number {
    const bytes = this.#bytes;
    let value = 0;
    let factor = 1;
    for (let i = 0; i < 10; i++) {
      const byte = bytes[this.#position];
      if (byte === undefined) this.walk.fail("the bytes end within a number", RangeError);
      this.#position++;
      value += (byte & 0x7f) * factor;
      factor *= 128;
      if (byte >= 0x80) continue;
      if (i === 9 && byte > 1) break;
      return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
    }
    this.walk.fail("a number has more than 64 bits", RangeError);
  }

  /** Reads a number of 32 bits. */
  int(): void {
    const value = this.long();
    if (value !== (value | 0)) this.walk.fail(`${value} is no 32-bit number`, RangeError);
  }

  /** Reads an index into `count` things called `what`. */
  index(count: number, what: string): number {
    const index = this.long();
    if (index < 0 || index >= count) {
      this.walk.fail(`${what} ${index} does not exist: there are ${count}`, RangeError);
    }
    return index;
  }

  /** Reads a boolean. */
  boolean(): void {
    const byte = this.#bytes[this.#position];
    this.skip(1);
    if (byte! > 1) this.walk.fail(`a boolean is 0 or 1: current byte is ${byte}`, RangeError);
  }

  /** Skips `length` bytes. */
  skip(length: number): void {
    const missing = length - (this.#bytes.length - this.#position);
    if (missing > 0) this.walk.fail(`the bytes end ${missing} too early`, RangeError);
    this.#position += length;
  }

  /** Reads the length of bytes, text or a block. */
  length(): number {
    const length = this.long();
    if (length < 0) this.walk.fail(`a length is negative: current value is ${length}`, RangeError);
    return length;
  }

  /** Reads text and returns where it begins. */
  text(): number {
    const length = this.length();
    const start = this.#position;
    this.skip(length);
    if (length <= SHORT && this.#isAscii(start)) return start;
    if (!isUtf8(this.#bytes.subarray(start, this.#position))) {
      this.walk.fail("the text is not valid UTF-8");
    }
    return start;
  }

  /** Reads the key of a map. */
  key(): string {
    const start = this.text();
    return decoder.decode(this.#bytes.subarray(start, this.#position));
  }

  /** Fails when there are bytes left. */
  end(): void {
    const left = this.#bytes.length - this.#position;
    if (left > 0) this.walk.fail(`${left} bytes are left over after it`, RangeError);
  }

  #isAscii(start: number): boolean {
    for (let i = start; i < this.#position; i++) {
      if (this.#bytes[i]! >= 0x80) return false;
    }
    return true;
  }
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
