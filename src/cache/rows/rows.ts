import { CacheStorageError } from "../errors.ts";
import { ROOT } from "../format.ts";
import { decodeKey, decodeParts, inspectKey, type KeyPart } from "../keys.ts";
import { MAX_INLINE_BYTES, type PieceList } from "../pieces.ts";
import { toRange } from "../range.ts";
import type { Cursor, Found, Put, Range, Space, Write } from "../space.ts";
import type { Calls } from "./calls.ts";
import { toExpiry } from "./expiry.ts";
import { RowCursor } from "./row_cursor.ts";
import type { RowPieces } from "./row_pieces.ts";
import type { Writer } from "./writer.ts";

/** The value of the row of an entry. */
export interface RowValue {
  /** Whether only `structuredClone` can copy the value. */
  cloned: boolean;
  /** When it expires; 0 for never. */
  expires: number;
  /** The value, unless it is in pieces. */
  value?: unknown;
  /** Where the value is when it is large. */
  pieces?: PieceList;
}

/** A row of a store that others use too. */
export interface RowStoreParts {
  /** The open store. */
  readonly kv: Deno.Kv;
  /** Calls to it. */
  readonly calls: Calls;
  /** Writes to it. */
  readonly writer: Writer;
  /** Its large values. */
  readonly pieces: RowPieces;
  /** Keys that an atomic write may check. */
  readonly maxChecks: number;
}

/** An entry with the row that it was made from, which a commit checks. */
interface RowFound extends Found {
  readonly row: Deno.KvEntry<RowValue>;
}

/** Rows that {@linkcode Rows.clear} reads at a time. */
const CLEAR_BATCH = 8;
/** Bytes that an atomic write may have, estimated; Deno KV takes 819,200, and a row may be twice its estimate. */
const MAX_COMMIT_BYTES = 380_000;
/** How often a value in pieces is read that is overwritten meanwhile. */
const MAX_READS = 10;

/** The entries of one space of a shared store: a row each, read and written where they are. */
export class Rows implements Space {
  readonly immediate = false;
  readonly evictions = 0;
  readonly #root: Deno.KvKeyPart[];
  readonly #store: RowStoreParts;

  /** Makes the space of a name. */
  constructor(name: string, store: RowStoreParts) {
    this.#root = [ROOT, "e", name];
    this.#store = store;
  }

  /** Not known: others write too. */
  get size(): number {
    throw new TypeError(
      "Cannot tell the size of a shared cache: others write to it; iterate over it",
    );
  }

  /** Not known: others write too. */
  get bytes(): number {
    throw new TypeError("Cannot tell the bytes of a shared cache: others write to it");
  }

  /**
   * Returns the entry of a key.
   *
   * @param listed Its row, if it was read already.
   * @throws {CacheStorageError} If a piece of its value is missing, or it is overwritten again and again.
   */
  async read(key: string, listed?: Deno.KvEntry<RowValue>): Promise<RowFound | undefined> {
    let row = listed ?? await this.#get(key);
    for (let attempt = 1; attempt <= MAX_READS; attempt++) {
      if (!this.#isThere(row)) return undefined;
      const whole = await this.#wholeOf(row.value);
      if (whole !== undefined) return { key, value: whole.value, cloned: row.value.cloned, row };
      // Others have overwritten it between the two reads, or its pieces are gone for good.
      const now = await this.#get(key);
      if (now.versionstamp === row.versionstamp) {
        // Deno KV deletes what has expired in no order, and by its own clock.
        if (row.value.expires !== 0) return undefined;
        throw cannotRead(key, "pieces of its value are missing; write it again", false);
      }
      row = now;
    }
    throw cannotRead(key, `it was overwritten ${MAX_READS} times meanwhile`, true);
  }

  /** Writes one row, whatever is in it. */
  write(write: Write): Promise<void> {
    return this.#store.writer.inTurn(async () => {
      const value = await this.#prepare(write.put);
      for (;;) {
        const old = await this.#get(write.key);
        if (await this.#replace([{ write, value, old }], [])) return;
      }
    });
  }

  /** Writes several rows at once, unless what was read has changed. */
  commit(
    reads: ReadonlyMap<string, Found | undefined>,
    writes: readonly Write[],
  ): Promise<boolean> {
    const read = [...reads.keys()];
    this.#assertPossible(read, writes);
    if (read.length + writes.length === 0) return Promise.resolve(true);
    return this.#store.writer.inTurn(async () => {
      const rows = new Map<string, Deno.KvEntryMaybe<RowValue>>();
      for (const key of new Set([...read, ...writes.map((write) => write.key)])) {
        const found = reads.get(key) as RowFound | undefined;
        const row = found?.row ?? await this.#get(key);
        rows.set(key, row);
        // What was not there must still not be there; the rest is checked by the atomic write.
        if (found === undefined && reads.has(key) && await this.#isWhole(row)) return false;
      }
      const changes = [];
      for (const write of writes) {
        changes.push({ write, value: await this.#prepare(write.put), old: rows.get(write.key)! });
      }
      const written = new Set(writes.map((write) => write.key));
      const checked = read.filter((key) => !written.has(key)).map((key) => rows.get(key)!);
      if (await this.#replace(changes, checked)) return true;
      for (const { value } of changes) {
        if (value?.pieces) await this.#store.pieces.collect(value.pieces);
      }
      return false;
    });
  }

  /** Walks through the rows of a range. */
  scan(range: Range): Cursor {
    return new RowCursor(this.#store, this.#root, range, this);
  }

  /** Deletes all rows, some at a time. */
  async clear(removed: (key: string) => void): Promise<void> {
    const cursor = new RowCursor(this.#store, this.#root, toRange(), this);
    for (;;) {
      const keys: string[] = [];
      while (keys.length < CLEAR_BATCH) {
        const key = await cursor.nextKey();
        if (key === undefined) break;
        keys.push(key);
      }
      if (keys.length === 0) return;
      while (!await this.commit(new Map(), keys.map((key) => ({ key, put: undefined }))));
      for (const key of keys) removed(key);
    }
  }

  #get(key: string): Promise<Deno.KvEntryMaybe<RowValue>> {
    const { kv, calls } = this.#store;
    return calls.call(() => kv.get<RowValue>([...this.#root, ...decodeParts(key)]));
  }

  #expired({ expires }: RowValue): boolean {
    return expires !== 0 && expires <= this.#store.calls.now();
  }

  /** Whether there is an entry to be read. */
  async #isWhole(row: Deno.KvEntryMaybe<RowValue>): Promise<boolean> {
    return this.#isThere(row) && await this.#wholeOf(row.value) !== undefined;
  }

  /** The value of a row; undefined if it is in pieces that are not all there. */
  async #wholeOf({ value, pieces }: RowValue): Promise<{ value: unknown } | undefined> {
    return pieces === undefined ? { value } : await this.#store.pieces.read(pieces);
  }

  #isThere(row: Deno.KvEntryMaybe<RowValue>): row is Deno.KvEntry<RowValue> {
    return row.versionstamp !== null && !this.#expired(row.value);
  }

  async #prepare(put: Put | undefined): Promise<RowValue | undefined> {
    if (put === undefined) return undefined;
    const { value, cloned, expires, size } = put;
    if (size <= MAX_INLINE_BYTES) return { cloned, expires, value };
    return { cloned, expires, pieces: await this.#store.pieces.write(value, expires) };
  }

  async #replace(
    changes: { write: Write; value: RowValue | undefined; old: Deno.KvEntryMaybe<RowValue> }[],
    checked: Deno.KvEntryMaybe<RowValue>[],
  ): Promise<boolean> {
    const { writer, pieces, calls } = this.#store;
    const done = await writer.commit((atomic) => {
      atomic.check(...checked);
      for (const { value, old } of changes) {
        atomic.check(old);
        if (old.value?.pieces) pieces.discard(atomic, old.value.pieces);
        if (value === undefined) atomic.delete(old.key);
        else {
          if (value.pieces) pieces.keep(atomic, value.pieces);
          atomic.set(old.key, value, toExpiry(value.expires, calls.now()));
        }
      }
    });
    if (!done) return false;
    for (const { old } of changes) if (old.value?.pieces) await pieces.collect(old.value.pieces);
    return true;
  }

  /** Throws when Deno KV would not take the transaction, before anything is written. */
  #assertPossible(read: readonly string[], writes: readonly Write[]): void {
    const keys = new Set([...read, ...writes.map((write) => write.key)]);
    const limit = this.#store.maxChecks - 1;
    if (keys.size > limit) {
      const [first] = decodeParts(writes[0]?.key ?? read[0]!) as [KeyPart];
      throw new RangeError(
        `Cannot commit a transaction on ${keys.size} keys (${inspectKey(first)}, ...): ` +
          `a shared store takes ${limit}`,
      );
    }
    let bytes = 0;
    for (const { key, put } of writes) {
      bytes += key.length + (put && put.size <= MAX_INLINE_BYTES ? put.size : 100);
    }
    if (bytes > MAX_COMMIT_BYTES) {
      throw new RangeError(
        `Cannot commit a transaction of ${bytes} bytes: a shared store takes ${MAX_COMMIT_BYTES}`,
      );
    }
  }
}

function cannotRead(key: string, cause: string, retriable: boolean): CacheStorageError {
  const what = `Cannot read key ${inspectKey(decodeKey(key))} of a shared cache`;
  return new CacheStorageError(what, cause, retriable);
}
