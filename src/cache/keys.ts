/** One part of a key. */
export type KeyPart = string | number | bigint | boolean | Uint8Array;

/**
 * A key: one part, or several in an array. A single part and an array of just that part are the same key.
 *
 * Keys have Deno KV's order: `Uint8Array` < string < bigint < number < boolean, part by part, strings by
 * their UTF-8 bytes. -0 and 0 are the same key, and so is every NaN.
 */
export type Key = KeyPart | readonly KeyPart[];

/** Bytes that an encoded key may have: Deno KV's 2,048 less what the cache puts before it. */
export const MAX_KEY_BYTES = 1_984;

// The type codes of Deno KV, which are those of FoundationDB's tuples.
const BYTES = "\x01";
const STRING = "\x02";
const BIGINT_ZERO = 0x14;
const BIGINT_LARGE_POSITIVE = 0x1d;
const BIGINT_LARGE_NEGATIVE = 0x0b;
const NUMBER = 0x21;
const FALSE = "\x26";
const TRUE = "\x27";

// deno-lint-ignore no-control-regex
const ASCII_WITHOUT_NUL = /^[\x01-\x7f]*$/;
const encoder = new TextEncoder();
const decoder = new TextDecoder();
const bits = new DataView(new ArrayBuffer(8));
// The last string: with a key of one part, what is read is mostly written next.
let lastText = "";
let lastEncoded = STRING + "\0";

/**
 * Encodes a key as Deno KV does, with each byte as one character: comparing two encoded keys as strings
 * is comparing the keys.
 *
 * @throws {TypeError} If a part is of another type, a string has a lone surrogate, or there is no part.
 * @throws {RangeError} If the key is longer than {@linkcode MAX_KEY_BYTES}.
 */
export function encodeKey(key: Key): string {
  const encoded = encodeParts(key);
  if (encoded === "") throw new TypeError("Cannot use [] as a key: a key has at least one part");
  if (encoded.length > MAX_KEY_BYTES) {
    throw new RangeError(
      `Cannot use key ${
        inspectKey(key)
      }: it has ${encoded.length} bytes, the limit is ${MAX_KEY_BYTES}`,
    );
  }
  return encoded;
}

/**
 * Returns the key of a message.
 *
 * @param doing What is done with the message, in words.
 * @throws {TypeError} If it has none.
 */
export function keyOf(message: unknown, doing: string): unknown {
  const key = (message as { key?: unknown } | null | undefined)?.key;
  if (key !== undefined && key !== null) return key;
  throw new TypeError(
    `Cannot ${doing} a message without a key: set option "by" to a function that returns one`,
  );
}

/** Encodes the parts of a key or of a prefix, which may be none. */
export function encodeParts(key: Key): string {
  if (!Array.isArray(key)) return encodePart(key as KeyPart);
  let encoded = "";
  for (const part of key) encoded += encodePart(part);
  return encoded;
}

/** Encodes a string without the end of a part, so that what it begins is what begins with it. */
export function encodeStringStart(text: string): string {
  return encodePart(text).slice(0, -1);
}

/** Decodes what {@linkcode encodeKey} made; a key of one part comes back as that part. */
export function decodeKey(encoded: string): Key {
  const parts = decodeParts(encoded);
  return parts.length === 1 ? parts[0]! : parts;
}

/** Decodes all parts of an encoded key. */
export function decodeParts(encoded: string): KeyPart[] {
  const parts: KeyPart[] = [];
  for (let at = 0; at < encoded.length;) {
    const [part, next] = decodePart(encoded, at);
    parts.push(part);
    at = next;
  }
  return parts;
}

/** Shows a key in an error message, shortened. */
export function inspectKey(key: Key): string {
  const text = Deno.inspect(key, {
    strAbbreviateSize: 60,
    iterableLimit: 10,
    breakLength: Infinity,
  });
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
}

function encodePart(part: KeyPart): string {
  switch (typeof part) {
    case "string":
      if (part !== lastText) {
        lastEncoded = encodeString(part);
        lastText = part;
      }
      return lastEncoded;
    case "number":
      return encodeNumber(part);
    case "bigint":
      return encodeBigint(part);
    case "boolean":
      return part ? TRUE : FALSE;
    case "object":
      if (part instanceof Uint8Array) return BYTES + escapeNuls(bytesToLatin1(part)) + "\0";
  }
  throw new TypeError(
    `Cannot use ${Deno.inspect(part, { depth: 1 })} as a key part: ` +
      "it must be a string, number, bigint, boolean or Uint8Array",
  );
}

function encodeString(text: string): string {
  if (ASCII_WITHOUT_NUL.test(text)) return STRING + text + "\0";
  if (!text.isWellFormed()) {
    throw new TypeError(`Cannot use key part ${Deno.inspect(text)}: it has a lone surrogate`);
  }
  return STRING + escapeNuls(bytesToLatin1(encoder.encode(text))) + "\0";
}

/** Big-endian IEEE 754: the sign bit set for positive numbers, all bits flipped for negative ones. */
function encodeNumber(value: number): string {
  // What is equal to a Map is one key: -0 and 0, and all that is NaN.
  bits.setFloat64(0, Number.isNaN(value) ? NaN : value + 0);
  const flip = bits.getUint8(0) & 0x80 ? 0xff : 0;
  return String.fromCharCode(
    NUMBER,
    bits.getUint8(0) ^ (flip || 0x80),
    bits.getUint8(1) ^ flip,
    bits.getUint8(2) ^ flip,
    bits.getUint8(3) ^ flip,
    bits.getUint8(4) ^ flip,
    bits.getUint8(5) ^ flip,
    bits.getUint8(6) ^ flip,
    bits.getUint8(7) ^ flip,
  );
}

/** The length in the type code up to 8 bytes, in a byte of its own above; negative ones complemented. */
function encodeBigint(value: bigint): string {
  if (value === 0n) return String.fromCharCode(BIGINT_ZERO);
  const negative = value < 0n;
  let hex = (negative ? -value : value).toString(16);
  if (hex.length % 2 === 1) hex = `0${hex}`;
  const length = hex.length / 2;
  if (length > 255) {
    throw new RangeError(`Cannot use a bigint of ${length} bytes as a key part: the limit is 255`);
  }
  const flip = negative ? 0xff : 0;
  let encoded: string;
  if (length <= 8) encoded = String.fromCharCode(BIGINT_ZERO + (negative ? -length : length));
  else {
    const code = negative ? BIGINT_LARGE_NEGATIVE : BIGINT_LARGE_POSITIVE;
    encoded = String.fromCharCode(code, length ^ flip);
  }
  for (let i = 0; i < hex.length; i += 2) {
    encoded += String.fromCharCode(parseInt(hex.slice(i, i + 2), 16) ^ flip);
  }
  return encoded;
}

function decodePart(encoded: string, at: number): [part: KeyPart, next: number] {
  const code = encoded[at]!;
  if (code === STRING || code === BYTES) {
    const end = endOfPart(encoded, at + 1);
    const raw = encoded.slice(at + 1, end);
    if (code === STRING && ASCII_WITHOUT_NUL.test(raw)) return [raw, end + 1];
    const bytes = latin1ToBytes(raw.replaceAll("\0\xff", "\0"));
    return [code === STRING ? decoder.decode(bytes) : bytes, end + 1];
  }
  if (code.charCodeAt(0) === NUMBER) return [decodeNumber(encoded, at + 1), at + 9];
  if (code === TRUE || code === FALSE) return [code === TRUE, at + 1];
  return decodeBigint(encoded, at);
}

function decodeNumber(encoded: string, at: number): number {
  const flip = encoded.charCodeAt(at) & 0x80 ? 0 : 0xff;
  bits.setUint8(0, encoded.charCodeAt(at) ^ (flip || 0x80));
  for (let i = 1; i < 8; i++) bits.setUint8(i, encoded.charCodeAt(at + i) ^ flip);
  return bits.getFloat64(0);
}

function decodeBigint(encoded: string, at: number): [part: bigint, next: number] {
  const code = encoded.charCodeAt(at);
  if (code < BIGINT_LARGE_NEGATIVE || code > BIGINT_LARGE_POSITIVE) {
    throw new TypeError(`Cannot decode a key: unknown type code ${code}`);
  }
  const negative = code < BIGINT_ZERO;
  const flip = negative ? 0xff : 0;
  const large = code === BIGINT_LARGE_NEGATIVE || code === BIGINT_LARGE_POSITIVE;
  const start = large ? at + 2 : at + 1;
  const length = large ? encoded.charCodeAt(at + 1) ^ flip : Math.abs(code - BIGINT_ZERO);
  let hex = "0x0";
  for (let i = start; i < start + length; i++) {
    hex += (encoded.charCodeAt(i) ^ flip).toString(16).padStart(2, "0");
  }
  return [negative ? -BigInt(hex) : BigInt(hex), start + length];
}

/** Finds the NUL that ends a part; a NUL of the content is followed by 0xff. */
function endOfPart(encoded: string, at: number): number {
  let end = encoded.indexOf("\0", at);
  while (encoded[end + 1] === "\xff") end = encoded.indexOf("\0", end + 2);
  return end;
}

function escapeNuls(text: string): string {
  return text.includes("\0") ? text.replaceAll("\0", "\0\xff") : text;
}

function bytesToLatin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

function latin1ToBytes(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}
