import type { BrokerRecord } from "./broker.ts";

/** A message that can be decoded before it is handed out. */
export interface Decodable {
  /** The record. */
  readonly record: BrokerRecord;
  /** Decodes it; undefined when no codec answered with a promise. */
  decoded(): Promise<void> | undefined;
}

/**
 * Decodes messages before they are handed out, one at a time, where the codecs answer with promises. The
 * first message that has a key and a value tells; if they do not, messages decode when they are read.
 */
export class Decoding {
  readonly #done: () => void;
  #needed: boolean | undefined;
  #message: Decodable | undefined;
  #pending = false;

  /** Calls `done` when a message was decoded. */
  constructor(done: () => void) {
    this.#done = done;
  }

  /** False when no message has to wait; read for every message. */
  get needed(): boolean {
    return this.#needed !== false;
  }

  /** Returns true while `message` has to wait. */
  waits(message: Decodable): boolean {
    if (this.#pending) return true;
    if (this.#message === message) return false;
    const decoded = message.decoded();
    if (!decoded) {
      const { key, value } = message.record;
      if (key !== null && value !== null) this.#needed ??= false;
      return false;
    }
    this.#needed = true;
    this.#pending = true;
    this.#message = message;
    decoded.then(() => {
      this.#pending = false;
      this.#done();
    });
    return true;
  }
}
