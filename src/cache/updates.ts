import type { Clock } from "../clock.ts";
import { listeners } from "../flow/source/feed.ts";
import { flag, number, oneOf, readOptions, type Rules, signal, text } from "../options.ts";
import { decodeKey, type Key } from "./keys.ts";
import type { Cursor, Found } from "./space.ts";
import { copyOut } from "./values.ts";

/** How updates are handed out. */
export interface UpdatesOptions {
  /** Ends the updates. */
  signal?: AbortSignal | undefined;
  /**
   * Whether the current entries come first: each entry present at the call once, then every change since the call. An
   * entry that changes before its turn comes with its changes.
   *
   * @default {false}
   */
  initial?: boolean | undefined;
  /**
   * What happens when they are read more slowly than written: `"latest"` keeps only the newest of each key, `"wait"`
   * keeps all and holds the writers back once `bound` of them are waiting. While that lasts, running apps get the
   * status event `"updates_waiting"`.
   *
   * @default {"latest"}
   */
  overflow?: "wait" | "latest" | undefined;
  /**
   * How many updates may wait with `overflow: "wait"`.
   *
   * @default {1_024}
   */
  bound?: number | undefined;
  /**
   * The name of the reader in status events.
   *
   * @default {"updates()"}
   */
  name?: string | undefined;
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

/** What updates need of their cache. */
export interface Updated {
  /** What it is called in status events. */
  readonly name: string;
  /** The time. */
  readonly clock: Clock;
  /** Walks through everything that is in it. */
  scan(): Cursor;
}

const DEFAULT_BOUND = 1_024;
/** How long writers wait for a reader before that is reported, and reported again. */
const TELL_MS = 5_000;

const RULES = {
  signal,
  initial: flag,
  overflow: oneOf("wait", "latest"),
  bound: number({ least: 1, integer: true }),
  name: text,
} as const satisfies Rules<UpdatesOptions>;
const END: IteratorReturnResult<undefined> = { done: true, value: undefined };

/** Who reads the updates of one cache. */
export class Updates<V> {
  readonly #cache: Updated;
  readonly #subscriptions = new Set<Subscription<V>>();
  readonly #closed = new AbortController();
  /** Writes that are not published yet and may be read already, by key. */
  readonly #writing = new Map<string, Promise<unknown>>();

  constructor(cache: Updated) {
    this.#cache = cache;
  }

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

  /** Notes that keys are being written until `published` is settled. */
  writing(keys: readonly string[], published: Promise<unknown>): void {
    const settled = published.catch(() => {}).then(() => {
      for (const key of keys) if (this.#writing.get(key) === settled) this.#writing.delete(key);
    });
    for (const key of keys) this.#writing.set(key, settled);
  }

  /**
   * Makes updates, counted from this call.
   *
   * @throws {TypeError} If an option is unknown or of a wrong type.
   */
  subscribe(options: UpdatesOptions): AsyncIterableIterator<[Key, V | undefined]> {
    const { signal, overflow = "latest", bound, initial = false, name = "updates()" } = readOptions(
      "updates",
      options,
      RULES,
    );
    if (bound !== undefined && overflow === "latest") {
      throw new TypeError(
        'Cannot use bound without overflow "wait": it limits how many updates wait',
      );
    }
    if (signal?.aborted || this.#closed.signal.aborted) return new Subscription<V>();
    const wait = new SlowReader(this.#cache, name);
    const subscription: Subscription<V> = new Subscription<V>({
      limit: overflow === "wait" ? { bound: bound ?? DEFAULT_BOUND, wait } : undefined,
      walk: initial ? this.#cache.scan() : undefined,
      writing: this.#writing,
      signal,
      leave: () => void this.#subscriptions.delete(subscription),
    });
    this.#subscriptions.add(subscription);
    return subscription;
  }

  /** Ends them all: what waits is still handed out. */
  end(): void {
    this.#closed.abort();
    for (const subscription of this.#subscriptions) subscription.end();
  }
}

/** How a subscription reads. */
interface Reading {
  /** How many updates may wait, and who tells when writers wait for that. */
  readonly limit: { readonly bound: number; readonly wait: SlowReader } | undefined;
  /** A walk through the current entries. */
  readonly walk: Cursor | undefined;
  /** Writes that are not published yet. */
  readonly writing: ReadonlyMap<string, Promise<unknown>>;
  readonly signal: AbortSignal | undefined;
  /** Ends it for the writers. */
  leave(): void;
}

type Result<V> = IteratorResult<[Key, V | undefined]>;

/** The updates that one reader has not read yet. */
class Subscription<V> implements AsyncIterableIterator<[Key, V | undefined]> {
  readonly #reading: Reading | undefined;
  /** By number, or by key where only the newest of each counts; in the order of writing. */
  readonly #waiting = new Map<number | string, Update>();
  readonly #readers: ((result: Result<V>) => void)[] = [];
  /** The walk through what was there, until it is at its end. */
  #walk: Cursor | undefined;
  /** Keys that were changed since the walk began: their changes come after it. */
  readonly #changed = new Set<string>();
  /** The step of the walk that was asked for last, and how many of them have no answer yet. */
  #step: Promise<unknown> = Promise.resolve();
  #steps = 0;
  #room: PromiseWithResolvers<void> | undefined;
  #count = 0;
  #ended = false;

  /** Begins; without anything to read it has ended. */
  constructor(reading?: Reading) {
    this.#reading = reading;
    this.#walk = reading?.walk;
    if (reading === undefined) this.#ended = true;
    reading?.signal?.addEventListener("abort", this.#abort, { once: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Result<V>> {
    if (this.#walk === undefined && this.#steps === 0) return this.#take();
    this.#steps++;
    const step = this.#step.then(() => this.#walkOn());
    this.#step = step.catch(() => {});
    return step.then((found) => {
      this.#steps--;
      return found === undefined ? this.#take() : { done: false, value: toPair<V>(found) };
    }, (error) => {
      this.#steps--;
      this.#abort(); // `for await` returns no iterator that has thrown
      throw error;
    });
  }

  return(): Promise<Result<V>> {
    this.#abort();
    return Promise.resolve(END);
  }

  /** Takes an update; a promise resolves when there is room for more. */
  push(update: Update): void | Promise<void> {
    if (this.#walk !== undefined) this.#changed.add(update.key);
    const reader = this.#readers.shift();
    if (reader) return reader({ done: false, value: toPair<V>(update) });
    const limit = this.#reading!.limit;
    if (limit === undefined) {
      this.#waiting.delete(update.key);
      this.#waiting.set(update.key, update);
      return;
    }
    this.#waiting.set(this.#count++, update);
    if (this.#waiting.size < limit.bound) return;
    limit.wait.begin(() => this.#waiting.size);
    return (this.#room ??= Promise.withResolvers<void>()).promise;
  }

  end(): void {
    this.#ended = true;
    this.#walk = undefined;
    this.#reading?.leave();
    this.#reading?.signal?.removeEventListener("abort", this.#abort);
    this.#letWritersGo();
    for (const reader of this.#readers.splice(0)) reader(END);
  }

  /** Returns the next entry that was there and was not changed since. */
  async #walkOn(): Promise<Found | undefined> {
    while (this.#walk !== undefined) {
      const step = this.#walk.next();
      const found = step instanceof Promise ? await step : step;
      if (found === undefined) this.#walk = undefined;
      else {
        const written = this.#reading!.writing.get(found.key);
        if (written !== undefined) await written;
        if (this.#walk === undefined) break; // ended meanwhile
        if (!this.#changed.has(found.key)) return found;
      }
    }
    this.#changed.clear();
    return undefined;
  }

  #take(): Promise<Result<V>> {
    for (const [id, update] of this.#waiting) {
      this.#waiting.delete(id);
      if (this.#waiting.size < (this.#reading!.limit?.bound ?? 0)) this.#letWritersGo();
      return Promise.resolve({ done: false, value: toPair<V>(update) });
    }
    if (this.#ended) return Promise.resolve(END);
    return new Promise((resolve) => this.#readers.push(resolve));
  }

  readonly #abort = () => {
    this.#waiting.clear();
    this.end();
  };

  #letWritersGo(): void {
    this.#reading?.limit?.wait.end();
    this.#room?.resolve();
    this.#room = undefined;
  }
}

/** Tells running apps when writers of a cache wait long for one reader of its updates. */
class SlowReader {
  readonly #cache: Updated;
  readonly #name: string;
  #cancel: (() => void) | undefined;

  constructor(cache: Updated, name: string) {
    this.#cache = cache;
    this.#name = name;
  }

  /** Writers begin to wait until `count` updates are less; may be called again. */
  begin(count: () => number): void {
    if (this.#cancel === undefined && listeners.size > 0) this.#arm(count, 0);
  }

  /** They wait no longer. */
  end(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #arm(count: () => number, waitedMs: number): void {
    this.#cancel = this.#cache.clock.timer(() => {
      this.#cancel = undefined;
      const ms = waitedMs + TELL_MS;
      const [cache, reader, updates] = [this.#cache.name, this.#name, count()];
      for (const tell of [...listeners]) {
        tell({ type: "updates_waiting", cache, reader, updates, waitedMs: ms });
      }
      // Where no app runs any more, nothing keeps the process alive for this.
      if (listeners.size > 0) this.#arm(count, ms);
    }, TELL_MS);
  }
}

function toPair<V>({ key, value, cloned }: Update | Found): [Key, V | undefined] {
  return [decodeKey(key), copyOut(value, cloned) as V | undefined];
}
