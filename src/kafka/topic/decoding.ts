import type { Codecs } from "./message.ts";

/** A message that can be decoded before it is handed out. */
export interface Decodable {
  /** Decodes it; undefined when no codec answered with a promise. */
  decoded(): Promise<void> | undefined;
}

/**
 * Decodes messages before they are handed out, one at a time, unless the codecs say that they never answer
 * with a promise: one that did not so far may do so for the next message.
 */
export class Decoding {
  /** False when no message has to wait; read for every message. */
  readonly needed: boolean;
  readonly #done: () => void;
  #message: Decodable | undefined;
  #pending = false;

  /** Calls `done` when a message was decoded. */
  constructor({ key, value }: Codecs<unknown, unknown>, done: () => void) {
    this.needed = !key.synchronous || !value.synchronous;
    this.#done = done;
  }

  /** Returns true while `message` has to wait. */
  waits(message: Decodable): boolean {
    if (this.#pending) return true;
    if (this.#message === message) return false;
    const decoded = message.decoded();
    if (!decoded) return false;
    this.#pending = true;
    this.#message = message;
    decoded.then(() => {
      this.#pending = false;
      this.#done();
    });
    return true;
  }
}
