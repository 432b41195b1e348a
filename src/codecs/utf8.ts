import { Buffer } from "node:buffer";

/** Several times as fast as a TextDecoder, but what is not UTF-8 becomes U+FFFD. */
const { utf8Slice } = Buffer.prototype as unknown as {
  utf8Slice(this: Uint8Array, from: number, to: number): string;
};
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** Short texts share a buffer of this size, since a buffer of its own takes longer to make than its bytes. */
const POOL_BYTES = 8_192, SHORT = POOL_BYTES / 8;
/** Up to so many characters a loop takes less than a call of the encoder, by more than half up to 32. */
const LOOPED = 48;
/** Texts of up to so many bytes, as most keys are, are looked up among those decoded before: in half of the time. */
const KNOWN_BYTES = 16;
/** The last text decoded for each value of a hash. */
const known: string[] = new Array(2 ** 12).fill("");
let pool = new Uint8Array(POOL_BYTES);
let used = 0;

/**
 * Returns the text of bytes, a byte order mark included.
 *
 * @throws {TypeError} If they are not UTF-8.
 */
export function decodeUtf8(bytes: Uint8Array): string {
  if (bytes.length > KNOWN_BYTES) return decode(bytes);
  let hash = bytes.length;
  for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash, 31) + bytes[i]!;
  const place = (hash ^ hash >>> 12) & known.length - 1;
  const text = known[place]!;
  return isAsciiOf(text, bytes) ? text : known[place] = decode(bytes);
}

/** Returns whether `bytes` are those of `text`, and ASCII; what is not ASCII is decoded each time. */
function isAsciiOf(text: string, bytes: Uint8Array): boolean {
  if (text.length !== bytes.length) return false;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if (byte > 127 || byte !== text.charCodeAt(i)) return false;
  }
  return true;
}

function decode(bytes: Uint8Array): string {
  const text = utf8Slice.call(bytes, 0, bytes.length);
  // It may be in the text itself.
  return text.includes("\ufffd") ? decoder.decode(bytes) : text;
}

/** Returns the bytes of a well-formed text; they may be a view of a buffer of a few kilobytes. */
export function encodeUtf8(text: string): Uint8Array {
  if (text.length > SHORT) return encoder.encode(text);
  if (used + 3 * text.length > POOL_BYTES) {
    pool = new Uint8Array(POOL_BYTES);
    used = 0;
  }
  const written = text.length <= LOOPED && writeAscii(text) ||
    encoder.encodeInto(text, pool.subarray(used)).written;
  return pool.subarray(used, used += written);
}

/** Returns the number of bytes; 0 if there are none, or the text has other characters than those of ASCII. */
function writeAscii(text: string): number {
  const bytes = pool, from = used;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 127) return 0;
    bytes[from + i] = code;
  }
  return text.length;
}
