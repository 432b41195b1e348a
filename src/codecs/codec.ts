/**
 * Turns values into bytes and back: what a Topic does with its values and keys.
 *
 * - Both ways may be synchronous or return a promise; a synchronous codec costs no microtask.
 * - What cannot be encoded or decoded is thrown (or rejected) as a plain `TypeError`, `RangeError` or
 *   `SyntaxError` that says why. A Topic wraps it in a `CodecError` with the message's position.
 * - A codec keeps no state between calls, so one object may serve any number of topics.
 *
 * @typeParam T The values.
 *
 * @example A codec of one's own
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
   * Says that `decode` never answers with a promise. A Topic then decodes a message when somebody reads it;
   * else before it hands the message out, to wait for promises.
   *
   * @default {false}
   */
  readonly synchronous?: boolean | undefined;
  /** Makes the bytes of `value`. */
  encode(value: T): Uint8Array | Promise<Uint8Array>;
  /** Makes the value of `bytes`, which it neither changes nor keeps. */
  decode(bytes: Uint8Array): T | Promise<T>;
}

/** Throws a `TypeError` unless `bytes` is a `Uint8Array`; `what` begins the message. */
export function assertBytes(bytes: unknown, what: string): asserts bytes is Uint8Array {
  if (bytes instanceof Uint8Array) return;
  const kind = bytes === null ? "null" : typeof bytes;
  throw new TypeError(`${what} as a Uint8Array is needed: current value is of type ${kind}`);
}
