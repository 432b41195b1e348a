import { decodeKey, inspectKey } from "../keys.ts";
import type { Write } from "../space.ts";
import type { SpaceLimits } from "../store.ts";
import { copyOut } from "../values.ts";
import { type Compacted, compactFrom, isWorthwhile } from "./compaction.ts";
import { type Entry, entrySize } from "./entry.ts";
import type { SpaceState } from "./journal.ts";
import type { Page } from "./page.ts";

/** A table, as far as entries are evicted from it. */
export interface EvictedTable {
  readonly name: string;
  /** Estimated bytes of all entries. */
  readonly bytes: number;
  /** The oldest entry that is not in a page. */
  nextBuffered(): Entry | undefined;
  /** Takes an entry out. */
  drop(entry: Entry): void;
  /** A record is not on disk any more. */
  forget(record: Entry): void;
}

/**
 * Evicts the oldest entries of a table: its pages in the order of writing, and a head that moves over them, record
 * by record. What the head has passed is not part of the content any more, on disk either.
 */
export class FifoEviction {
  /** How many entries were dropped. */
  evictions = 0;
  readonly #table: EvictedTable;
  #limits: SpaceLimits = { maxBytes: Infinity, onEvict: undefined };
  #pages: Page[] = [];
  /** How many records of the first page the head has passed. */
  #passed = 0;
  /** One more than the id of the newest page. */
  #end = 0;
  /** Pages that the head has passed and that are still on disk. */
  #gone: number[] = [];
  /** Of all pages together: how many records they have, and the sum of their checksums. */
  #records = 0;
  #sum = 0;

  /** Evicts nothing until it has a limit. */
  constructor(table: EvictedTable) {
    this.#table = table;
  }

  /** Sets how much is kept, and drops what is too much. */
  limit(limits: SpaceLimits): void {
    this.#limits = limits;
    this.shrink();
  }

  /** Throws when the entry of a write would not fit even alone. */
  assertFits({ key, put }: Write): void {
    const { maxBytes } = this.#limits;
    if (put === undefined || maxBytes === Infinity) return;
    const size = entrySize(key, put.size);
    if (size <= maxBytes) return;
    throw new RangeError(
      `Cannot write key ${inspectKey(decodeKey(key))}: the entry has ${size} bytes, ` +
        `maxBytes is ${maxBytes}`,
    );
  }

  /** Where the content begins, and what proves that it is complete. */
  get state(): SpaceState {
    const first = this.#pages[0]?.id ?? this.#end;
    const { name } = this.#table;
    return [name, first, this.#passed, this.#pages.length, this.#records, this.#sum];
  }

  /** Puts the head where it was, before the pages behind it are added. */
  restoreHead([, page, passed]: SpaceState): void {
    this.#end = page;
    this.#passed = passed;
  }

  /** How many records of a page, as it is restored, the head has passed. */
  passed(page: number): number {
    if (this.#pages.length > 0) return 0;
    // The page in which it was is lost.
    if (page !== this.#end) this.#passed = 0;
    return this.#passed;
  }

  /** Adds the newest page. */
  push(page: Page): void {
    this.#pages.push(page);
    this.#end = page.id + 1;
    this.count(page);
  }

  /** Counts a page that is on disk as it is, or will be. */
  count({ records, sum }: Page, sign: 1 | -1 = 1): void {
    this.#records += sign * records.length;
    this.#sum = (this.#sum + sign * sum) >>> 0;
  }

  /** Drops the oldest entries until the rest fits; throws the first error of `onEvict` after all calls. */
  shrink(): void {
    const { maxBytes, onEvict } = this.#limits;
    if (this.#table.bytes <= maxBytes) return;
    const evicted: [string, unknown][] = [];
    while (this.#table.bytes > maxBytes) {
      const entry = this.#next() ?? this.#table.nextBuffered();
      if (entry === undefined) break;
      if (onEvict) evicted.push([entry.key, copyOut(entry.value, entry.cloned)]);
      this.#table.drop(entry);
      this.evictions++;
    }
    // Called last, when all is consistent: it may write to the cache.
    const errors: unknown[] = [];
    for (const [key, value] of evicted) {
      try {
        onEvict!(decodeKey(key), value);
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }

  /** Passes over everything. */
  dropPages(): void {
    for (const page of this.#pages) this.#gone.push(page.id);
    this.#pages = [];
    this.#passed = this.#records = this.#sum = 0;
  }

  /** Hands over the ids of the pages that need not be on disk any more. */
  takeGone(): number[] {
    const gone = this.#gone;
    this.#gone = [];
    return gone;
  }

  /**
   * Merges the next run of sparse pages from page `from` on; undefined when there is none. The result is to be
   * counted when it has its checksum.
   */
  compact(from: number): Compacted | undefined {
    // The head counts records of the first page, so that one stays as it is once it is entered.
    const start = this.#passed > 0 ? 1 : 0;
    const forget = (record: Entry) => this.#table.forget(record);
    const compacted = compactFrom(this.#pages, start, from, forget);
    for (const page of compacted?.run ?? []) this.count(page, -1);
    return compacted;
  }

  /** Whether enough is dead, or in crumbs, to be worth merging. */
  get sparse(): boolean {
    return isWorthwhile(this.#pages);
  }

  /** Moves the head behind the next live value and returns that. */
  #next(): Entry | undefined {
    for (let page = this.#pages[0]; page !== undefined; page = this.#pages[0]) {
      while (this.#passed < page.records.length) {
        const record = page.records[this.#passed++]!;
        if (record.live && !record.tombstone) return record;
        this.#table.forget(record);
      }
      this.#gone.push(page.id);
      this.count(page, -1);
      this.#pages.shift();
      this.#passed = 0;
    }
    return undefined;
  }
}
