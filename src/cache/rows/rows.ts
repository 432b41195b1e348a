import { CacheDamagedError, CacheStorageError } from "../errors.ts";
import { ENTRIES, ROOT } from "../format.ts";
import { decodeKey, decodeParts, inspectKey, type KeyPart } from "../keys.ts";
import { MAX_INLINE_BYTES, type PieceList } from "../pieces.ts";
import { toRange } from "../range.ts";
import { NotAsWrittenError, seal, unseal } from "../sealed.ts";
import type { Cursor, Found, Put, Range, Space, Write } from "../space.ts";
import type { Calls } from "./calls.ts";
import { RowCursor } from "./row_cursor.ts";
import { type RowPieces, toExpiry } from "./row_pieces.ts";
import type { AtomicWriter } from "./atomic_writer.ts";

/** The content of the row of an entry, which is sealed. */
interface RowValue {
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
  readonly writer: AtomicWriter;
  /** Its large values. */
  readonly pieces: RowPieces;
  /** Keys that an atomic write may check. */
  readonly maxChecks: number;
}

/** The row of an entry. */
export type Row = Deno.KvEntryMaybe<Uint8Array>;

/** An entry with the row that it was made from, which a commit checks. */
interface RowFound extends Found {
  readonly row: Row;
}

/** A row to be written in place of another one. */
interface Replacement {
  readonly key: string;
  readonly value: RowValue | undefined;
  readonly old: Row;
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
  readonly #name: string;
  readonly #root: Deno.KvKeyPart[];
  readonly #store: RowStoreParts;

  /** Makes the space of a name. */
  constructor(name: string, store: RowStoreParts) {
    this.#name = name;
    this.#root = [...ENTRIES, name];
    this.#store = store;
  }

  /** Not known: others write too. */
  get size(): number {
    throw new TypeError(
      "Cannot tell the size of a shared cache: other processes write to it; iterate over it",
    );
  }

  /** Not known: others write too. */
  get bytes(): number {
    throw new TypeError("Cannot tell the bytes of a shared cache: other processes write to it");
  }

  /**
   * Returns the entry of a key.
   *
   * @param listed Its row, if it was read already.
   * @throws {CacheDamagedError} If it is not as it was written.
   * @throws {CacheStorageError} If it is overwritten again and again.
   */
  async read(key: string, listed?: Row): Promise<RowFound | undefined> {
    let row = listed ?? await this.#get(key);
    for (let attempt = 1; attempt <= MAX_READS; attempt++) {
      const content = this.#contentOf(key, row);
      if (content === undefined || this.#expired(content)) return undefined;
      let missing: unknown;
      try {
        return { key, value: await this.#valueOf(content), cloned: content.cloned, row };
      } catch (error) {
        missing = error;
      }
      if (!(missing instanceof NotAsWrittenError)) throw missing;
      // Others have overwritten it between the two reads, or its pieces are gone for good.
      const now = await this.#get(key);
      if (now.versionstamp === row.versionstamp) {
        // Deno KV deletes what has expired in no order, and by its own clock.
        if (content.expires !== 0) return undefined;
        throw damaged(key, missing.message);
      }
      row = now;
    }
    const cause = `it was overwritten ${MAX_READS} times meanwhile`;
    throw new CacheStorageError(cannotRead(key), cause, true);
  }

  /** Writes one row, whatever is in it. */
  write(write: Write): Promise<void> {
    return this.#store.writer.inTurn(async () => {
      const { pieces, calls } = this.#store;
      let value = await this.#prepare(write.put);
      for (let attempt = 1;; attempt++) {
        const old = await this.#get(write.key);
        if (await this.#replace([{ key: write.key, value, old }], [])) return;
        if (value?.pieces && !await pieces.keepable(value.pieces)) {
          await pieces.collect(value.pieces);
          value = await this.#prepare(write.put);
        }
        await calls.pause(attempt);
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
      const rows = new Map<string, Row>();
      for (const key of new Set([...read, ...writes.map((write) => write.key)])) {
        const found = reads.get(key) as RowFound | undefined;
        const row = found?.row ?? await this.#get(key);
        rows.set(key, row);
        // What was not there must still not be there; the rest is checked by the atomic write.
        if (found === undefined && reads.has(key) && await this.read(key, row)) return false;
      }
      const changes: Replacement[] = [];
      for (const { key, put } of writes) {
        changes.push({ key, value: await this.#prepare(put), old: rows.get(key)! });
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
    return this.#walk(range);
  }

  #walk(range: Range): RowCursor {
    return new RowCursor(this.#store, this.#root, range, (key, row) => this.read(key, row));
  }

  /** Deletes all rows that are there at the call, some at a time. */
  async clear(removed: (key: string) => void): Promise<void> {
    const walk = (range: Range) => this.#walk(range);
    const last = await walk(toRange({ reverse: true })).nextKey();
    if (last === undefined) return;
    // Not up to the end: who writes ever higher keys would have it go on for ever.
    const cursor = walk({ ...toRange(), high: `${last}\0` });
    for (;;) {
      const keys: string[] = [];
      while (keys.length < CLEAR_BATCH) {
        const key = await cursor.nextKey();
        if (key === undefined) break;
        keys.push(key);
      }
      if (keys.length === 0) return;
      const writes = keys.map((key) => ({ key, put: undefined }));
      for (let attempt = 1; !await this.commit(new Map(), writes); attempt++) {
        await this.#store.calls.pause(attempt);
      }
      for (const key of keys) removed(key);
    }
  }

  #get(key: string): Promise<Row> {
    const { kv, calls } = this.#store;
    return calls.call(() => kv.get<Uint8Array>([...this.#root, ...decodeParts(key)]));
  }

  #expired({ expires }: RowValue): boolean {
    return expires !== 0 && expires <= this.#store.calls.now();
  }

  /** What is in a row; undefined if there is none. */
  #contentOf(key: string, { value, versionstamp }: Row): RowValue | undefined {
    if (versionstamp === null) return undefined;
    try {
      return unseal(value, this.#placeOf(key)) as RowValue;
    } catch (error) {
      throw error instanceof NotAsWrittenError ? damaged(key, error.message) : error;
    }
  }

  /** The pieces that a row refers to, as far as that is known. */
  #piecesOf(key: string, row: Row): PieceList | undefined {
    try {
      return this.#contentOf(key, row)?.pieces;
    } catch (error) {
      // What is damaged can be overwritten.
      if (error instanceof CacheDamagedError) return undefined;
      throw error;
    }
  }

  async #valueOf({ value, pieces }: RowValue): Promise<unknown> {
    return pieces === undefined ? value : await this.#store.pieces.read(pieces);
  }

  /** Where the row of a key belongs, in its checksum. */
  #placeOf(key: string): string {
    return `${ROOT} entry ${this.#name} ${key}`;
  }

  async #prepare(put: Put | undefined): Promise<RowValue | undefined> {
    if (put === undefined) return undefined;
    const { value, cloned, expires, size } = put;
    if (size <= MAX_INLINE_BYTES) return { cloned, expires, value };
    return { cloned, expires, pieces: await this.#store.pieces.write(value, expires) };
  }

  async #replace(changes: readonly Replacement[], checked: readonly Row[]): Promise<boolean> {
    const { writer, pieces, calls } = this.#store;
    const discarded = changes.map(({ key, old }) => this.#piecesOf(key, old))
      .filter((list) => list !== undefined);
    const done = await writer.commit((atomic) => {
      atomic.check(...checked);
      for (const list of discarded) pieces.discard(atomic, list);
      for (const { key, value, old } of changes) {
        atomic.check(old);
        if (value === undefined) atomic.delete(old.key);
        else {
          if (value.pieces) pieces.keep(atomic, value.pieces);
          const sealed = seal(value, this.#placeOf(key));
          atomic.set(old.key, sealed, toExpiry(value.expires, calls.now()));
        }
      }
    });
    if (!done) return false;
    for (const list of discarded) await pieces.collect(list);
    return true;
  }

  /** Throws when Deno KV would not take the transaction, before anything is written. */
  #assertPossible(read: readonly string[], writes: readonly Write[]): void {
    const keys = new Set([...read, ...writes.map((write) => write.key)]);
    const large = writes.filter(({ put }) => put && put.size > MAX_INLINE_BYTES).length;
    const limit = this.#store.maxChecks - 1;
    if (keys.size + large > limit) {
      const [first] = decodeParts(writes[0]?.key ?? read[0]!) as [KeyPart];
      const twice = large === 0 ? "" : `, where ${large} with a large value count twice`;
      throw new RangeError(
        `Cannot commit a transaction on ${keys.size} keys (${inspectKey(first)}, ...)${twice}: ` +
          `a shared store takes ${limit}`,
      );
    }
    let bytes = 0;
    for (const { key, put } of writes) {
      bytes += key.length + (put && put.size <= MAX_INLINE_BYTES ? put.size : 100);
    }
    if (bytes > MAX_COMMIT_BYTES) {
      throw new RangeError(
        `Cannot commit a transaction of ${bytes} bytes: a shared store takes at most ${MAX_COMMIT_BYTES}`,
      );
    }
  }
}

function cannotRead(key: string): string {
  return `Cannot read key ${inspectKey(decodeKey(key))} of a shared cache`;
}

function damaged(key: string, detail: string): CacheDamagedError {
  const damage = { pages: 0, entries: 1, details: [detail] };
  return new CacheDamagedError(cannotRead(key), damage, "write it again, or delete it");
}
