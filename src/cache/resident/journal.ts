import { type Clock, delay } from "../../clock.ts";
import { CacheStorageError } from "../errors.ts";
import { fromStateRow, STATE_KEY, type StateRow, toStateRow } from "../format.ts";
import { isLocked } from "../kv_errors.ts";

/** Bytes of rows that an atomic write is filled to; Deno KV takes 819,200 with the state and all keys. */
const ATOMIC_BYTES = 700_000;
/** Mutations that an atomic write is filled to; Deno KV takes 1,000. */
const ATOMIC_MUTATIONS = 500;
const RETRY_MS = 20;

/**
 * Where the content of a space begins, and what proves it complete: its name, a page, records of that one which
 * are passed; then of all pages from there on their number, that of their records, and the sum of their checksums.
 */
export type SpaceState = readonly [
  space: string,
  page: number,
  passed: number,
  pages: number,
  records: number,
  sum: number,
];

/** The content of the state row of a resident store. */
export interface State {
  /** A random id of who has the store open: the fence. */
  owner: string;
  /** Counts the batches. */
  sequence: number;
  /** Pages with a higher id are of a batch that was not completed. */
  last: number;
  /** Its spaces. */
  spaces: readonly SpaceState[];
}

/** A row to be written. */
export interface Row {
  /** Its key. */
  key: Deno.KvKey;
  /** Its value. */
  value: Uint8Array;
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
  readonly #path: string;
  #versionstamp: string | null;
  #sequence: number;
  #unsure = false;

  /** Goes on from a state that was read; its version is null where there was none. */
  constructor(
    kv: Deno.Kv,
    clock: Clock,
    options: { path: string; versionstamp: string | null; sequence: number; retryMs: number },
  ) {
    this.#path = options.path;
    this.#kv = kv;
    this.#clock = clock;
    this.#versionstamp = options.versionstamp;
    this.#sequence = options.sequence;
    this.#retryMs = options.retryMs;
  }

  /**
   * Makes the caller the owner of the store, so that no other process can write to it any more, and deletes rows
   * that its state does not need.
   *
   * @throws {CacheStorageError} If another process has written to it since the state was read.
   */
  async claim(state: State, garbage: readonly Deno.KvKey[]): Promise<void> {
    const fence = { key: STATE_KEY, versionstamp: this.#versionstamp };
    const atomic = this.#kv.atomic().check(fence).set(STATE_KEY, toStateRow("resident", state));
    const result = await atomic.commit();
    if (!result.ok) {
      const what = `Cannot open cache ${JSON.stringify(this.#path)}`;
      throw new CacheStorageError(what, "another process has written to it meanwhile", true);
    }
    this.#versionstamp = result.versionstamp;
    await this.delete(garbage);
  }

  /**
   * Writes a batch; may be called again with the same one after an error.
   *
   * @throws {CacheStorageError} If the disk does not accept it, or another process has taken the store over.
   */
  async send(batch: Batch, signal: AbortSignal): Promise<void> {
    const until = this.#clock.monotonic() + this.#retryMs;
    for (;;) {
      try {
        if (this.#unsure) await this.#lookUp(batch.state.owner);
        if (this.#sequence < batch.state.sequence) await this.#apply(batch);
        return await this.delete(batch.garbage);
      } catch (error) {
        if (error instanceof CacheStorageError) throw error;
        this.#unsure = true;
        if (!isLocked(error) || this.#clock.monotonic() >= until || signal.aborted) {
          const what = `${this.#what()}, it stays in memory and is tried again`;
          throw new CacheStorageError(what, error, true);
        }
      }
      await delay(this.#clock, RETRY_MS, signal).catch(() => {});
    }
  }

  /** Deletes rows, if the store is still ours. */
  async delete(keys: readonly Deno.KvKey[]): Promise<void> {
    for (let at = 0; at < keys.length; at += ATOMIC_MUTATIONS) {
      const atomic = this.#kv.atomic();
      for (const key of keys.slice(at, at + ATOMIC_MUTATIONS)) atomic.delete(key);
      await this.#commit(atomic);
    }
  }

  /** Finds out how far a write came that threw: its last part may have been applied all the same. */
  async #lookUp(owner: string): Promise<void> {
    const { value, versionstamp } = await this.#kv.get<StateRow>(STATE_KEY);
    if (value === null) throw this.#takenOver();
    const state = fromStateRow(value, "resident", this.#path) as State;
    if (state.owner !== owner) throw this.#takenOver();
    this.#sequence = state.sequence;
    this.#versionstamp = versionstamp;
    this.#unsure = false;
  }

  async #apply(batch: Batch): Promise<void> {
    let atomic = this.#kv.atomic();
    let bytes = 0;
    let mutations = 0;
    for (const { key, value } of batch.rows) {
      if (bytes + value.length > ATOMIC_BYTES || mutations >= ATOMIC_MUTATIONS) {
        await this.#commit(atomic);
        atomic = this.#kv.atomic();
        bytes = mutations = 0;
      }
      atomic.set(key, value);
      bytes += value.length;
      mutations++;
    }
    for (const key of batch.removed) atomic.delete(key);
    const state = toStateRow("resident", batch.state);
    this.#versionstamp = await this.#commit(atomic.set(STATE_KEY, state));
    this.#sequence = batch.state.sequence;
  }

  /** Commits if the store is still ours. */
  async #commit(atomic: Deno.AtomicOperation): Promise<string> {
    const result = await atomic.check({ key: STATE_KEY, versionstamp: this.#versionstamp })
      .commit();
    if (!result.ok) throw this.#takenOver();
    return result.versionstamp;
  }

  #takenOver(): CacheStorageError {
    const cause = "another process has taken the store over; this one can only be closed";
    return new CacheStorageError(this.#what(), cause, false);
  }

  /** What an error begins with. */
  #what(): string {
    return `Cannot write cache ${JSON.stringify(this.#path)} to disk`;
  }
}
