import { AsyncLocalStorage } from "node:async_hooks";
import { delay, withDeadline } from "../clock.ts";
import { decodeKey, encodeKey, inspectKey, type Key } from "./keys.ts";
import type { KeyLock } from "./key_locks.ts";
import type { Duration } from "../duration.ts";
import { duration, readOptions, type Rules, signal } from "../options.ts";
import type { Found, Write } from "./space.ts";
import { copyOut } from "./values.ts";
import type { Committed, Writes } from "./writes.ts";

/** How a transaction runs. */
export interface TransactionOptions {
  /**
   * How long it may take, including the wait for its keys. After that its function is not stopped, but cannot
   * write any more.
   *
   * @default {30_000}
   */
  timeout?: Duration | undefined;
  /** Cancels it: nothing is written then. */
  signal?: AbortSignal | undefined;
}

/** How long an entry written in a transaction lives. */
export interface TransactionSetOptions {
  /**
   * How long the entry lives, at least 1 ms.
   *
   * @default {the `ttl` of the cache}
   */
  ttl?: Duration | undefined;
}

/** The argument of a transaction's function, which it reads and writes with. */
export interface Transaction<V> {
  /** Returns the value of a key, or `fallback`; sees what this transaction wrote. */
  get(key: Key): Promise<V | undefined>;
  /** Returns the value of a key, or `fallback`; sees what this transaction wrote. */
  get<F>(key: Key, fallback: F): Promise<V | F>;
  /** Returns the values of several keys. */
  getMany(keys: readonly Key[]): Promise<(V | undefined)[]>;
  /** Returns whether a key is there. */
  has(key: Key): Promise<boolean>;
  /** Writes a key that the transaction has declared. */
  set(key: Key, value: V, options?: TransactionSetOptions): void;
  /** Deletes a key that the transaction has declared. */
  delete(key: Key): void;
}

const RULES = { timeout: duration(), signal } as const satisfies Rules<TransactionOptions>;
const SET_RULES = { ttl: duration({ least: 1 }) } as const satisfies Rules<TransactionSetOptions>;
const MAX_PAUSE_MS = 50;
/** Keys that an error names. */
const MAX_NAMED = 3;
/** The lock of the transaction whose function runs. */
const held = new AsyncLocalStorage<KeyLock>();

/** Runs a transaction; see `Cache.transaction`. */
export async function runTransaction<V, R>(
  cache: Writes<V>,
  keys: readonly Key[],
  run: (tx: Transaction<V>) => R | Promise<R>,
  options: TransactionOptions = {},
): Promise<R> {
  const { result, readers } = await runHolding(cache, keys, run, options);
  // No key is held any more: a reader may be waiting for one.
  await readers;
  return result;
}

async function runHolding<V, R>(
  cache: Writes<V>,
  keys: readonly Key[],
  run: (tx: Transaction<V>) => R | Promise<R>,
  options: TransactionOptions,
): Promise<Committed & { result: R }> {
  const { timeout = 30_000, signal } = readOptions("a transaction", options, RULES);
  signal?.throwIfAborted();
  const declared = new Set(keys.map(encodeKey));
  const lock = cache.locks.request(declared, held.getStore());
  const { clock } = cache;
  const end = clock.monotonic() + timeout;
  let reason = "another one holds a key of it";
  const late = () => {
    const what = `Cannot finish a transaction on ${inspectKeys(keys)} within ${timeout} ms`;
    return new DOMException(`${what}: ${reason}`, "TimeoutError");
  };
  try {
    assertNoDeadlock(lock);
    for (let attempt = 1;; attempt++) {
      const draft = new Draft<V>(cache, declared);
      const work = async () => {
        await lock.acquired;
        if (attempt === 1) reason = "its function has not ended";
        return await held.run(lock, () => run(draft));
      };
      try {
        const result = await withDeadline(clock, end - clock.monotonic(), work(), late, signal);
        draft.end();
        const committed = await draft.commit();
        if (committed) return { ...committed, result };
      } finally {
        draft.end();
      }
      reason = `ran ${attempt} times, each time what it had read was changed`;
      // Others are writing to the same keys: in a store that is shared they need a moment.
      if (attempt > 1) await delay(clock, clock.random() * Math.min(attempt, MAX_PAUSE_MS), signal);
      signal?.throwIfAborted();
      if (clock.monotonic() >= end) throw late();
    }
  } finally {
    lock.release();
  }
}

function assertNoDeadlock(lock: KeyLock): void {
  const deadlock = lock.deadlock();
  if (deadlock === undefined) return;
  const what = `Cannot start a transaction on key ${inspectKey(decodeKey(deadlock.key))}`;
  throw new TypeError(
    deadlock.owner === "outer"
      ? `${what}: it is called inside a transaction that holds the key and would wait for itself`
      : `${what}: the transaction that holds the key is waiting for one that encloses this one, ` +
        "and they would wait for each other; declare all keys in the outer ones",
  );
}

/** One run of a transaction's function: what it read, and what it wants to write. */
class Draft<V> implements Transaction<V> {
  readonly #cache: Writes<V>;
  readonly #declared: ReadonlySet<string>;
  readonly #reads = new Map<string, Found | undefined>();
  readonly #writes = new Map<string, Write>();
  #bytes = 0;
  #ended = false;

  constructor(cache: Writes<V>, declared: ReadonlySet<string>) {
    this.#cache = cache;
    this.#declared = declared;
  }

  async get<F>(key: Key, fallback?: F): Promise<V | F | undefined> {
    const found = await this.#find(key);
    return found === undefined ? fallback : copyOut(found.value, found.cloned) as V;
  }

  getMany(keys: readonly Key[]): Promise<(V | undefined)[]> {
    return Promise.all(keys.map((key) => this.get<undefined>(key)));
  }

  async has(key: Key): Promise<boolean> {
    return await this.#find(key) !== undefined;
  }

  set(key: Key, value: V, options?: TransactionSetOptions): void {
    const ttl = options && readOptions("set in a transaction", options, SET_RULES).ttl;
    this.#write(key, this.#cache.toWrite(encodeKey(key), value, ttl));
  }

  delete(key: Key): void {
    this.#write(key, { key: encodeKey(key), put: undefined });
  }

  /** Writes everything, or nothing when something that was read has changed. */
  commit(): Promise<Committed | undefined> {
    return this.#cache.commit(this.#reads, [...this.#writes.values()]);
  }

  end(): void {
    this.#ended = true;
  }

  async #find(key: Key): Promise<{ value: unknown; cloned: boolean } | undefined> {
    this.#assertRunning();
    const encoded = encodeKey(key);
    const written = this.#writes.get(encoded);
    if (written) return written.put;
    // What was read once is read again: a run sees one version of each key.
    if (this.#reads.has(encoded)) return this.#reads.get(encoded);
    const found = await this.#cache.space.read(encoded);
    if (!this.#reads.has(encoded)) this.#reads.set(encoded, found);
    return found;
  }

  #write(key: Key, write: Write): void {
    this.#assertRunning();
    if (!this.#declared.has(write.key)) {
      throw new TypeError(
        `Cannot write key ${inspectKey(key)} in this transaction: it is not among its keys`,
      );
    }
    this.#bytes += (write.put?.size ?? 0) - (this.#writes.get(write.key)?.put?.size ?? 0);
    this.#cache.assertFits(this.#bytes);
    this.#writes.set(write.key, write);
  }

  #assertRunning(): void {
    if (this.#ended) throw new TypeError("Cannot use a transaction that has ended");
    this.#cache.assertOpen();
  }
}

function inspectKeys(keys: readonly Key[]): string {
  if (keys.length === 0) return "no key";
  const named = keys.slice(0, MAX_NAMED).map((key) => inspectKey(key)).join(", ");
  const more = keys.length > MAX_NAMED ? ` and ${keys.length - MAX_NAMED} more` : "";
  return keys.length === 1 ? `key ${named}` : `keys ${named}${more}`;
}
