import { PIECES, TRASH } from "../format.ts";
import { fromPieces, type PieceList, toPieces } from "../pieces.ts";
import type { Calls } from "./calls.ts";
import type { AtomicWriter } from "./atomic_writer.ts";

/** Pieces in one atomic write, and deletions. */
const PIECES_PER_WRITE = 8;
const DELETES_PER_WRITE = 400;
/** More pieces than a value can have. */
const MAX_PIECES = 100_000;
/** Pieces whose value was not written after this time are collected. */
const ABANDONED_MS = 3_600_000;

/**
 * Large values of a shared store. A row in the trash names the pieces that no entry refers to, yet or any
 * more, so that whoever opens the store later can collect what a crash left. Pieces of an entry that expires
 * expire with it.
 */
export class RowPieces {
  readonly #kv: Deno.Kv;
  readonly #calls: Calls;
  readonly #writer: AtomicWriter;
  /** The versions of the rows in the trash that name what was written here and has no entry yet. */
  readonly #versions = new WeakMap<PieceList, string>();

  /** Reads and writes the pieces of a store. */
  constructor(kv: Deno.Kv, calls: Calls, writer: AtomicWriter) {
    this.#kv = kv;
    this.#calls = calls;
    this.#writer = writer;
  }

  /**
   * Writes a value in pieces, which are in the trash until {@linkcode RowPieces.keep}.
   *
   * @param expires When they are of no use any more; 0 for never.
   */
  async write(value: unknown, expires: number): Promise<PieceList> {
    const { list, pieces } = toPieces(value);
    const version = await this.#writer.commit((atomic) => this.discard(atomic, list));
    this.#versions.set(list, version!);
    for (let at = 0; at < pieces.length; at += PIECES_PER_WRITE) {
      await this.#writer.commit((atomic) => {
        const expiry = toExpiry(expires, this.#calls.now());
        for (const [n, piece] of pieces.slice(at, at + PIECES_PER_WRITE).entries()) {
          atomic.set([...PIECES, list[0], at + n], piece, expiry);
        }
      });
    }
    return list;
  }

  /**
   * Returns a value from its pieces.
   *
   * @throws {NotAsWrittenError} If they are not all there as they were written.
   */
  async read(list: PieceList): Promise<unknown> {
    const pieces = await this.#calls.call(() => {
      const rows = this.#kv.list({ prefix: [...PIECES, list[0]] }, { batchSize: 10 });
      return Array.fromAsync(rows, (row) => row.value);
    });
    return fromPieces(list, pieces);
  }

  /**
   * Takes pieces that were written here out of the trash, in the atomic write of the entry that refers to them, which
   * fails if others have begun to collect them.
   */
  keep(atomic: Deno.AtomicOperation, list: PieceList): void {
    const key = trashOf(list[0]);
    atomic.check({ key, versionstamp: this.#versions.get(list)! }).delete(key);
  }

  /** Whether pieces that were written here can still be kept. */
  async keepable(list: PieceList): Promise<boolean> {
    const { versionstamp } = await this.#calls.call(() => this.#kv.get(trashOf(list[0])));
    return versionstamp === this.#versions.get(list);
  }

  /** Puts pieces into the trash, in the atomic write that ends the reference to them. */
  discard(atomic: Deno.AtomicOperation, list: PieceList): void {
    atomic.set(trashOf(list[0]), [list[1], this.#calls.now()]);
  }

  /** Deletes pieces that are in the trash. */
  async collect([id, count]: readonly [id: string, count: number, ...unknown[]]): Promise<void> {
    for (let at = 0; at < count; at += DELETES_PER_WRITE) {
      await this.#writer.commit((atomic) => {
        for (let n = at; n < Math.min(count, at + DELETES_PER_WRITE); n++) {
          atomic.delete([...PIECES, id, n]);
        }
      });
    }
    await this.#writer.commit((atomic) => void atomic.delete(trashOf(id)));
  }

  /** Collects what was left in the trash by a process that did not come back. */
  async collectAbandoned(): Promise<void> {
    const rows = await this.#calls.call(() => Array.fromAsync(this.#kv.list({ prefix: TRASH })));
    for (const row of rows) {
      if (!isTrash(row.value)) continue; // damaged: nobody knows what it was about
      const [count, since] = row.value;
      if (this.#calls.now() - since <= ABANDONED_MS) continue;
      // It may be a clock that is wrong: who still writes them is not to keep them from here on.
      const taken = await this.#writer.commit((atomic) =>
        void atomic.check(row).set(row.key, row.value)
      );
      if (taken !== undefined) await this.collect([row.key[2] as string, count]);
    }
  }
}

/** The row in the trash that names the pieces of an id. */
function trashOf(id: string): Deno.KvKey {
  return [...TRASH, id];
}

function isTrash(value: unknown): value is [count: number, since: number] {
  return Array.isArray(value) && value.length === 2 && value.every(Number.isSafeInteger) &&
    value[0] <= MAX_PIECES;
}

/** A hundred years: Deno KV refuses a moment that is too far away. */
const MAX_EXPIRE_MS = 100 * 365 * 24 * 3_600_000;

/** Tells Deno KV when it may delete a row: from `expires` on, which is 0 for never. */
export function toExpiry(expires: number, now: number): { expireIn?: number } {
  if (expires === 0) return {};
  return { expireIn: Math.min(Math.max(1, expires - now), MAX_EXPIRE_MS) };
}
