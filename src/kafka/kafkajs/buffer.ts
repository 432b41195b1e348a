import { Buffer } from "node:buffer";

/** Returns the same bytes as one of Node's buffers: kafkajs sends anything else as its text. */
export function toBuffer(bytes: Uint8Array): Buffer {
  if (Buffer.isBuffer(bytes)) return bytes;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
