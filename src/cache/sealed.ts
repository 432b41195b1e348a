import v8 from "node:v8";
import { crc32 } from "node:zlib";

/** Bytes are not those that were written. */
export class NotAsWrittenError extends Error {
  /** The name of the class. */
  override readonly name = "NotAsWrittenError";
}

/** Bytes of the checksum that sealed bytes begin with. */
const HEAD = 4;
const NO_SUM = new Uint8Array(HEAD);

/**
 * Serializes a value as Deno KV does: views keep the buffer that they share. (`v8.serialize` copies them one
 * by one, and a `DataView` comes back from it with other bytes.)
 */
export function serialize(value: unknown): Uint8Array<ArrayBuffer> {
  return write(value, new v8.Serializer());
}

/** Makes again what was given to {@linkcode serialize}. */
export function deserialize(bytes: Uint8Array): unknown {
  const deserializer = new v8.Deserializer(bytes);
  deserializer.readHeader();
  return deserializer.readValue();
}

/**
 * Serializes a value behind a checksum, CRC-32, of it and of the place that it belongs to: a row that turns up
 * under another key is as damaged as one with other bytes.
 */
export function seal(value: unknown, place: string): Uint8Array<ArrayBuffer> {
  const serializer = new v8.Serializer();
  serializer.writeRawBytes(NO_SUM);
  const bytes = write(value, serializer);
  viewOf(bytes).setUint32(0, sumOf(bytes.subarray(HEAD), place));
  return bytes;
}

/**
 * Returns what was sealed for a place.
 *
 * @throws {NotAsWrittenError} If these are other bytes.
 */
export function unseal(bytes: unknown, place: string): unknown {
  if (!(bytes instanceof Uint8Array) || bytes.length <= HEAD) {
    throw new NotAsWrittenError("it is not as it was written");
  }
  const content = bytes.subarray(HEAD);
  if (sealOf(bytes) !== sumOf(content, place)) {
    throw new NotAsWrittenError("its checksum is wrong");
  }
  return deserialize(content);
}

/** The checksum that sealed bytes carry. */
export function sealOf(bytes: Uint8Array): number {
  return viewOf(bytes).getUint32(0);
}

/** The checksum of bytes that belong to a place. */
export function sumOf(bytes: Uint8Array, place: string): number {
  return crc32(bytes, crc32(place));
}

function write(value: unknown, serializer: v8.Serializer): Uint8Array<ArrayBuffer> {
  serializer.writeHeader();
  serializer.writeValue(value);
  const { buffer, byteOffset, byteLength } = serializer.releaseBuffer();
  // Not the Buffer that it is: Deno KV stores the class of a value, too.
  return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
