import { decodeKey, type Key } from "./keys.ts";
import { checkOptions } from "../options.ts";
import { copyOut } from "./values.ts";

/** How updates are handed out. */
export interface UpdatesOptions {
  /** Ends the updates. */
  signal?: AbortSignal | undefined;
  /**
   * What happens when they are read more slowly than written: `"wait"` holds the writers back once `bound`
   * of them wait, `"latest"` keeps only the newest of each key.
   *
   * @default {"wait"}
   */
  overflow?: "wait" | "latest" | undefined;
  /**
   * How many updates may wait with `overflow: "wait"`.
   *
   * @default {1024}
   */
  bound?: number | undefined;
}

/** One update: an encoded key, and its new value; undefined when it was deleted. */
export interface Update {
  /** The encoded key. */
  readonly key: string;
  /** The value, as the cache holds it. */
  readonly value: unknown;
  /** Whether only `structuredClone` can copy the value. */
  readonly cloned: boolean;
}

const NAMES = ["signal", "overflow", "bound"] as const;
const END: IteratorReturnResult<undefined> = { done: true, value: undefined };

/** Who reads the updates of one cache. */
export class Updates<V> {
  readonly #subscriptions = new Set<Subscription<V>>();
  readonly #closed = new AbortController();

  /** Whether anyone reads them; asked for every write. */
  get read(): boolean {
    return this.#subscriptions.size > 0;
  }

  /** Hands an update to everyone; a promise is backpressure. */
  publish(update: Update): void | Promise<void> {
    let full: Promise<unknown> | undefined;
    for (const subscription of this.#subscriptions) {
      const room = subscription.push(update);
      if (room) full = full ? Promise.all([full, room]) : room;
    }
    return full?.then(() => {});
  }

  /**
   * Makes updates, counted from their first read.
   *
   * @throws {TypeError} If an option is unknown or of a wrong type.
   */
  subscribe(options: UpdatesOptions): AsyncIterableIterator<[Key, V | undefined]> {
    checkOptions("updates", options, NAMES);
    const { overflow = "wait", bound = 1024, signal } = options;
    if (overflow !== "wait" && overflow !== "latest") {
      throw new TypeError(`Cannot use overflow ${Deno.inspect(overflow)}: "wait" or "latest"`);
    }
    if (!(Number.isInteger(bound) && bound >= 1)) {
      throw new RangeError(`Cannot use bound ${bound}: it must be a whole number >= 1`);
    }
    const limit = overflow === "wait" ? bound : Infinity;
    return new Subscription<V>(this.#subscriptions, limit, signal, this.#closed.signal);
  }

  /** Ends them all: what waits is still handed out. */
  end(): void {
    this.#closed.abort();
    for (const subscription of this.#subscriptions) subscription.end();
  }
}

/** The updates that one reader has not read yet. */
class Subscription<V> implements AsyncIterableIterator<[Key, V | undefined]> {
  readonly #all: Set<Subscription<V>>;
  readonly #bound: number;
  readonly #signal: AbortSignal | undefined;
  readonly #closed: AbortSignal;
  /** By number, or by key where only the newest of each counts; in the order of writing. */
  readonly #waiting = new Map<number | string, Update>();
  readonly #readers: ((result: IteratorResult<[Key, V | undefined]>) => void)[] = [];
  #room: PromiseWithResolvers<void> | undefined;
  #count = 0;
  #state: "new" | "open" | "ended" = "new";

  constructor(
    all: Set<Subscription<V>>,
    bound: number,
    signal: AbortSignal | undefined,
    closed: AbortSignal,
  ) {
    this.#closed = closed;
    this.#all = all;
    this.#bound = bound;
    this.#signal = signal;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<[Key, V | undefined]>> {
    if (this.#state === "new") this.#begin();
    for (const [id, update] of this.#waiting) {
      this.#waiting.delete(id);
      this.#makeRoom();
      return Promise.resolve({ done: false, value: toPair<V>(update) });
    }
    if (this.#state === "ended") return Promise.resolve(END);
    return new Promise((resolve) => this.#readers.push(resolve));
  }

  return(): Promise<IteratorResult<[Key, V | undefined]>> {
    this.#abort();
    return Promise.resolve(END);
  }

  /** Takes an update; a promise resolves when there is room for more. */
  push(update: Update): void | Promise<void> {
    const reader = this.#readers.shift();
    if (reader) return reader({ done: false, value: toPair<V>(update) });
    if (this.#bound === Infinity) {
      this.#waiting.delete(update.key);
      this.#waiting.set(update.key, update);
      return;
    }
    this.#waiting.set(this.#count++, update);
    if (this.#waiting.size < this.#bound) return;
    return (this.#room ??= Promise.withResolvers<void>()).promise;
  }

  end(): void {
    this.#state = "ended";
    this.#all.delete(this);
    this.#signal?.removeEventListener("abort", this.#abort);
    this.#room?.resolve();
    this.#room = undefined;
    for (const reader of this.#readers.splice(0)) reader(END);
  }

  #begin(): void {
    if (this.#signal?.aborted || this.#closed.aborted) return this.end();
    this.#state = "open";
    this.#all.add(this);
    this.#signal?.addEventListener("abort", this.#abort, { once: true });
  }

  readonly #abort = () => {
    this.#waiting.clear();
    this.end();
  };

  #makeRoom(): void {
    if (this.#waiting.size >= this.#bound) return;
    this.#room?.resolve();
    this.#room = undefined;
  }
}

function toPair<V>({ key, value, cloned }: Update): [Key, V | undefined] {
  return [decodeKey(key), copyOut(value, cloned) as V | undefined];
}
