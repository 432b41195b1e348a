/** Which batch an {@linkcode UndecodableBatchError} is about. */
export interface UndecodablePlace {
  /** The first offset that is lost with it, and not below the position that was read from. */
  readonly firstOffset: number;
  /** The last one. */
  readonly lastOffset: number;
  /** The batch as it came. */
  readonly bytes: Uint8Array;
  /** The reason. */
  readonly cause: unknown;
}

/** A record batch cannot be decoded: it is damaged, too large, or in an unknown format. */
export class UndecodableBatchError extends Error {
  /** The name of the class. */
  override readonly name = "UndecodableBatchError";
  /** The first offset that is lost with it, and not below the position that was read from. */
  readonly firstOffset: number;
  /**
   * The last one: who passes the batch fetches anew from the offset after it. Where the checksum is wrong it
   * is as sure as a damaged head can be, but always below the batch that follows.
   */
  readonly lastOffset: number;
  /** A copy of the batch as it came. */
  readonly bytes: Uint8Array;

  /** Makes the error. */
  constructor({ firstOffset, lastOffset, bytes, cause }: UndecodablePlace) {
    const offsets = firstOffset === lastOffset
      ? `${firstOffset}`
      : `${firstOffset} to ${lastOffset}`;
    const why = cause instanceof Error ? cause.message : String(cause);
    super(`Cannot decode the record batch of offsets ${offsets}: ${why}`, { cause });
    this.firstOffset = firstOffset;
    this.lastOffset = lastOffset;
    this.bytes = bytes.slice();
  }
}
