/** Turns values into bytes and back, as a topic needs it. A codec answers always, or never, with promises. */
export interface TopicCodec<T> {
  /** Returns the bytes of a value. */
  encode(value: T): Uint8Array | Promise<Uint8Array>;
  /** Returns the value of bytes. */
  decode(bytes: Uint8Array): T | Promise<T>;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** What a topic without a codec uses: UTF-8 text. */
export const text: TopicCodec<string> = {
  encode(value) {
    if (typeof value === "string") return encoder.encode(value);
    throw new TypeError(`Cannot encode a ${typeof value} as text: give the topic a codec`);
  },
  decode: (bytes) => decoder.decode(bytes),
};
