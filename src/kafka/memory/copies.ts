/** How many bytes a block has; what is larger than a part of it has a block of its own. */
const BLOCK_BYTES = 1 << 13, LARGE_BYTES = BLOCK_BYTES / 8;

/** Copies bytes, small ones into blocks that they share: a buffer for each takes longer than all else. */
export class Copies {
  #block = new Uint8Array();
  #used = 0;

  /** Returns a copy of bytes; null for null. */
  of(bytes: Uint8Array | null): Uint8Array | null {
    if (bytes === null) return null;
    if (bytes.length > LARGE_BYTES) return new Uint8Array(bytes);
    if (this.#used + bytes.length > this.#block.length) {
      this.#block = new Uint8Array(BLOCK_BYTES);
      this.#used = 0;
    }
    this.#block.set(bytes, this.#used);
    return this.#block.subarray(this.#used, this.#used += bytes.length);
  }
}
