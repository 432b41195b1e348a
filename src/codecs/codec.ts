/**
 * Turns values into bytes and back: the values and keys of a Topic.
 *
 * - Both ways may be synchronous or return a promise; a synchronous codec costs no microtask.
 * - On a value that cannot be encoded or decoded it throws (or rejects with) a plain `TypeError`, `RangeError` or
 *   `SyntaxError` that says why. A Topic wraps it in a `CodecError` with the message's position.
 * - A codec keeps no state between calls, so one object may serve any number of topics.
 *
 * @typeParam T The values.
 *
 * @example A codec of your own
 * ```ts
 * import type { Codec } from "@slipstream/slipstream";
 * import { assertEquals } from "@std/assert";
 *
 * const hex: Codec<string> = {
 *   encode: (value) => Uint8Array.fromHex(value),
 *   decode: (bytes) => bytes.toHex(),
 * };
 *
 * assertEquals(await hex.encode("cafe"), new Uint8Array([0xca, 0xfe]));
 * ```
 */
export interface Codec<T> {
  /**
   * Whether `decode` never returns a promise. If so, a Topic decodes a message when it is first read; otherwise
   * before it delivers the message, so that it can wait for promises.
   *
   * @default {false}
   */
  readonly synchronous?: boolean | undefined;
  /** Returns the bytes of `value`. */
  encode(value: T): Uint8Array | Promise<Uint8Array>;
  /** Returns the value of `bytes`, which it neither changes nor keeps. */
  decode(bytes: Uint8Array): T | Promise<T>;
}

/** Throws a `TypeError` unless `bytes` is a `Uint8Array`; `what` begins the message. */
export function assertBytes(bytes: unknown, what: string): asserts bytes is Uint8Array {
  if (bytes instanceof Uint8Array) return;
  const kind = bytes === null ? "null" : typeof bytes;
  throw new TypeError(`${what} as a Uint8Array is needed: current value is of type ${kind}`);
}
