import { type Clock, delay } from "../../clock.ts";
import { CacheStorageError } from "../errors.ts";
import { STATE_KEY } from "../format.ts";
import { isLocked } from "../kv_errors.ts";

/** Bytes that an atomic write is filled to; Deno KV takes 819,200, and a row may be twice its estimate. */
const ATOMIC_BYTES = 350_000;
/** Mutations that an atomic write is filled to; Deno KV takes 1,000. */
const ATOMIC_MUTATIONS = 500;
const RETRY_MS = 20;

/** The content of the state row of a resident store. */
export interface State {
  /** The version of the format. */
  format: number;
  /** Which layout the rows have. */
  layout: "resident";
  /** A random id of who has the store open: the fence. */
  owner: string;
  /** Counts the batches. */
  sequence: number;
  /** Pages with a higher id are of a batch that was not completed. */
  last: number;
  /** Where the content of each space begins: its name, a page, records of it that are passed. */
  heads: [space: string, page: number, passed: number][];
}

/** A row to be written, with its size, estimated. */
export interface Row {
  /** Its key. */
  key: Deno.KvKey;
  /** Its value. */
  value: unknown;
  /** Its size in bytes, estimated. */
  bytes: number;
}

/**
 * What becomes durable at once: it may take several atomic writes, and exists when the last of them, the
 * one with the state row, does.
 */
export interface Batch {
  /** Rows that mean nothing until the state says so. */
  rows: Row[];
  /** Rows deleted together with the change of the state. */
  removed: Deno.KvKey[];
  /** The state afterwards. */
  state: State;
  /** Rows that the new state does not need. */
  garbage: Deno.KvKey[];
}

/** Writes batches to Deno KV, one after the other. */
export class Journal {
  readonly #kv: Deno.Kv;
  readonly #clock: Clock;
  readonly #retryMs: number;
  /** What an error begins with. */
  readonly #what: string;
  #versionstamp: string;
  #sequence: number;
  #unsure = false;

  /** Goes on from a state that was read or written. */
  constructor(
    kv: Deno.Kv,
    clock: Clock,
    options: { path: string; versionstamp: string; sequence: number; retryMs: number },
  ) {
    this.#what = `Cannot write cache ${JSON.stringify(options.path)} to disk`;
    this.#kv = kv;
    this.#clock = clock;
    this.#versionstamp = options.versionstamp;
    this.#sequence = options.sequence;
    this.#retryMs = options.retryMs;
  }

  /**
   * Writes a batch; may be called again with the same one after an error.
   *
   * @throws {CacheStorageError} If the disk does not take it, or another process has taken the store over.
   */
  async send(batch: Batch, signal: AbortSignal): Promise<void> {
    const until = this.#clock.monotonic() + this.#retryMs;
    for (;;) {
      try {
        if (this.#unsure) await this.#lookUp(batch.state.owner);
        if (this.#sequence < batch.state.sequence) await this.#apply(batch);
        return await this.#delete(batch.garbage);
      } catch (error) {
        if (error instanceof CacheStorageError) throw error;
        this.#unsure = true;
        if (!isLocked(error) || this.#clock.monotonic() >= until || signal.aborted) {
          const what = `${this.#what}, it stays in memory and is tried again`;
          throw new CacheStorageError(what, error, true);
        }
      }
      await delay(this.#clock, RETRY_MS, signal).catch(() => {});
    }
  }

  /** Finds out how far a write came that threw: its last part may have been applied all the same. */
  async #lookUp(owner: string): Promise<void> {
    const { value, versionstamp } = await this.#kv.get<State>(STATE_KEY);
    if (value?.owner !== owner || versionstamp === null) throw this.#takenOver();
    this.#sequence = value.sequence;
    this.#versionstamp = versionstamp;
    this.#unsure = false;
  }

  async #apply(batch: Batch): Promise<void> {
    let atomic = this.#kv.atomic();
    let bytes = 0;
    let mutations = 0;
    for (const row of batch.rows) {
      if (bytes + row.bytes > ATOMIC_BYTES || mutations >= ATOMIC_MUTATIONS) {
        await this.#commit(atomic);
        atomic = this.#kv.atomic();
        bytes = mutations = 0;
      }
      atomic.set(row.key, row.value);
      bytes += row.bytes;
      mutations++;
    }
    for (const key of batch.removed) atomic.delete(key);
    this.#versionstamp = await this.#commit(atomic.set(STATE_KEY, batch.state));
    this.#sequence = batch.state.sequence;
  }

  /** Commits if the store is still ours. */
  async #commit(atomic: Deno.AtomicOperation): Promise<string> {
    const result = await atomic.check({ key: STATE_KEY, versionstamp: this.#versionstamp })
      .commit();
    if (!result.ok) throw this.#takenOver();
    return result.versionstamp;
  }

  async #delete(keys: readonly Deno.KvKey[]): Promise<void> {
    for (let at = 0; at < keys.length; at += ATOMIC_MUTATIONS) {
      const atomic = this.#kv.atomic();
      for (const key of keys.slice(at, at + ATOMIC_MUTATIONS)) atomic.delete(key);
      await this.#commit(atomic);
    }
  }

  #takenOver(): CacheStorageError {
    const cause = "another process has taken the store over; this one can only be closed";
    return new CacheStorageError(this.#what, cause, false);
  }
}
