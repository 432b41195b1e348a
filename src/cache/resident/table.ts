import type { Writer } from "../../flow/state/state.ts";
import type { Cursor, Found, Range, Write } from "../space.ts";
import type { SpaceLimits } from "../store.ts";
import { Deadlines } from "./deadlines.ts";
import { DeletedKeys } from "./deleted_keys.ts";
import { Entry } from "./entry.ts";
import { FifoEviction } from "./fifo_eviction.ts";
import { OrderedMap } from "./ordered_map.ts";
import { Page } from "./page.ts";
import { TableCursor } from "./table_cursor.ts";
import { WriteBuffer } from "./write_buffer.ts";

/** Knows who changes a table, where that may be taken back. */
interface ChangeWatch {
  /** Told of the entry that a write is about to replace; returns the step that writes. */
  changing(table: Table, key: string, old: Entry | undefined): Writer | undefined;
  /** Told that something is read which a step wrote or deleted, and may take back. */
  reading(writer: Writer): void;
  /** Told that the keys from `low` (included) to `high` (excluded) are read; true when some were taken back. */
  scanning(table: Table, low: string, high: string): boolean;
  /** Who drives the store: then what flows changed may be taken back. */
  readonly driver: object | undefined;
  /** Whether the caller works for a message beside others: then what it replaces counts as read. */
  readonly isolates: boolean;
  /** Throws where the entries of a table could not be put back one by one. */
  assertMayClear(): void;
}

/** What a table needs of the store that it belongs to. */
export interface TableHost {
  readonly exactState: ChangeWatch;
  /** The time of day, for expiry. */
  now(): number;
  /** Told after each step that changed the table; the buffer grew by `bytes`. A promise is backpressure. */
  wrote(bytes: number): void | Promise<void>;
  /** Told of the pieces of a value that is not there any more. */
  discard(entry: Entry): void;
  /** Throws when the store cannot take writes. */
  assertWritable(): void;
}

/**
 * The entries of one space, in memory: an ordered map of them, the buffer of what is not on disk yet, and
 * the eviction of what is, first in, first out.
 *
 * Every change is one synchronous step, in which nothing can be read and no cut be taken.
 */
export class Table {
  readonly immediate = true;
  /** The name of the space. */
  readonly name: string;
  /** Pages and what is dropped of them. */
  readonly eviction: FifoEviction;
  /** Estimated bytes of all entries. */
  bytes = 0;
  /** Who deleted what has left nothing behind, while flows drive the store. */
  readonly deletedKeys = new DeletedKeys();
  /** Told of each write that puts back what was there before. */
  onRestore: ((write: Write) => void) | undefined;
  readonly #host: TableHost;
  readonly #entries = new OrderedMap<Entry>();
  /** Tombstones of keys that have older records on disk. */
  readonly #graves = new Map<string, Entry>();
  readonly #buffer = new WriteBuffer();
  readonly #deadlines = new Deadlines();

  /** Makes an empty table. */
  constructor(name: string, host: TableHost) {
    this.name = name;
    this.#host = host;
    this.eviction = new FifoEviction(this);
  }

  /** How many entries there are. */
  get size(): number {
    return this.#entries.size;
  }

  /** How many entries were evicted. */
  get evictions(): number {
    return this.eviction.evictions;
  }

  /** Whether flows drive the store. */
  get #driven(): boolean {
    return this.#host.exactState.driver !== undefined;
  }

  /** Whether something may expire. */
  get expiring(): boolean {
    return this.#deadlines.size > 0;
  }

  /** Returns an entry that has not expired. */
  read(key: string): Entry | undefined {
    let entry = this.#entries.get(key);
    const by = entry === undefined ? this.#deleter(key) : entry.by;
    if (by?.open) {
      this.#host.exactState.reading(by);
      entry = this.#entries.get(key); // it may have been taken back
    }
    if (entry === undefined || entry.expires === 0) return entry;
    return entry.expired(this.#host.now()) ? undefined : entry;
  }

  /** Told that a walk has read these keys; true when something was taken back there, so that it must read again. */
  scanned(low: string, high: string): boolean {
    return this.#driven && this.#host.exactState.scanning(this, low, high);
  }

  /** Writes one key. */
  write(write: Write): void | Promise<void> {
    this.#host.assertWritable();
    this.eviction.assertFits(write);
    if (this.#driven) this.#touch([write]);
    return this.#wrote(this.#apply(write));
  }

  /** Sets how much is kept, and drops what is too much. */
  limit(limits: SpaceLimits): void {
    const { evictions } = this;
    try {
      this.eviction.limit(limits);
    } finally {
      if (this.evictions > evictions) this.#host.wrote(0);
    }
  }

  /** Writes one key for the store itself, whatever the state of the disk; `by` is the step it counts as. */
  put(write: Write, by?: Writer): void {
    this.#host.wrote(this.#apply(write, { by }));
  }

  /** The newest record of a key, a tombstone too. */
  latest(key: string): Entry | undefined {
    return this.#entries.get(key) ?? this.#graves.get(key);
  }

  /** Applies all writes if what was read is still there. */
  commit(
    reads: ReadonlyMap<string, Found | undefined>,
    writes: readonly Write[],
  ): boolean | Promise<boolean> {
    this.#host.assertWritable();
    for (const [key, found] of reads) if (this.read(key) !== found) return false;
    for (const write of writes) this.eviction.assertFits(write);
    if (this.#driven) this.#touch(writes);
    let bytes = 0;
    for (const write of writes) bytes += this.#apply(write);
    const room = this.#wrote(bytes);
    return room === undefined ? true : room.then(() => true);
  }

  /** Walks through a range. */
  scan(range: Range): Cursor {
    return new TableCursor(this, this.#entries, range, this.#host);
  }

  /** Removes all entries in one step. */
  clear(removed: (key: string) => void): void | Promise<void> {
    this.#host.assertWritable();
    this.#host.exactState.assertMayClear();
    const entries = this.#entries.values();
    for (const entry of entries) this.#die(entry);
    if (this.#driven) {
      this.deletedKeys.leaveAll([...entries.map(({ key }) => key), ...this.#graves.keys()]);
    }
    this.#entries.clear();
    this.#graves.clear();
    this.#buffer.clear();
    this.bytes = 0;
    this.eviction.dropPages();
    for (const { key } of entries) removed(key);
    return this.#host.wrote(0);
  }

  /** Takes an entry out: evicted, so nothing older is left of it either. */
  drop(entry: Entry): void {
    this.bytes -= entry.size;
    this.#entries.delete(entry.key);
    this.#die(entry);
  }

  /** Returns the oldest live value of the buffer that was not returned before. */
  nextBuffered(): Entry | undefined {
    return this.#buffer.next();
  }

  /** Removes up to `count` entries that have expired; returns whether there may be more. */
  sweep(count: number): boolean {
    const expired = this.#deadlines.take(this.#host.now(), count);
    if (expired.length === 0) return false;
    let bytes = 0;
    for (const { key } of expired) bytes += this.#apply({ key, put: undefined });
    void this.#host.wrote(bytes);
    return expired.length === count;
  }

  /** Nothing that was written so far is taken back any more. */
  settle(): void {
    this.deletedKeys.clear();
    this.#buffer.settle();
  }

  /** Empties the buffer into new pages, which are to be pushed to the eviction; `nextId` numbers them. */
  takeBuffer(nextId: () => number): Page[] {
    return this.#buffer.take(nextId);
  }

  /** Takes a page that was read from the disk, in the order of their ids; later records win. */
  restore(id: number, records: readonly Entry[], sum: number): void {
    const page = new Page(id);
    page.sum = sum;
    const passed = this.eviction.passed(id);
    for (let index = 0; index < records.length; index++) {
      const entry = records[index]!;
      page.add(entry);
      if (index < passed) {
        entry.live = false;
        page.bury(entry);
        continue;
      }
      if (!entry.tombstone) this.#put(entry);
      else {
        const old = this.#entries.delete(entry.key) ?? this.#grave(entry.key);
        if (old) this.#supersede(old, entry);
        this.#graves.set(entry.key, entry);
      }
    }
    this.eviction.push(page);
  }

  /** Ends restoring: lets go of tombstones that hide nothing, and of what has expired. */
  restored(): void {
    for (const entry of this.#graves.values()) if (entry.older === 0) this.#bury(entry);
    if (this.expiring) this.sweep(Infinity);
  }

  /** All entries, expired ones too. */
  entries(): Entry[] {
    return this.#entries.values();
  }

  /** Told that a dead record is not on disk any more: a tombstone that hid it may go too. */
  forget(record: Entry): void {
    if (record.live) return void this.#graves.delete(record.key);
    // A tombstone that was let go of is hidden by nothing.
    if (!record.hidden) return;
    const current = this.latest(record.key);
    if (current !== undefined && --current.older === 0 && current.tombstone) this.#bury(current);
  }

  /** Tells what is about to be replaced, before anything is. */
  #touch(writes: readonly Write[]): void {
    if (!this.#host.exactState.isolates) return;
    for (const { key } of writes) {
      const { by } = this.latest(key) ?? this.deletedKeys.find(key) ?? {};
      if (by?.open) this.#host.exactState.reading(by);
    }
  }

  /** Tells of a step that is done; an error of `onEvict` takes nothing of it back. */
  #wrote(bytes: number): void | Promise<void> {
    const room = this.#host.wrote(bytes);
    try {
      this.eviction.shrink();
    } catch (error) {
      return Promise.all([Promise.reject(error), room]).then(() => {});
    }
    return room;
  }

  /** Applies one write to the maps and the buffer; returns by how many bytes the buffer grew. */
  #apply({ key, put }: Write, own?: { by: Writer | undefined }): number {
    const entry = new Entry(key, put);
    let replaced: number;
    if (put !== undefined) replaced = this.#put(entry, own);
    else {
      const old = this.#entries.delete(key);
      if (old === undefined) return 0;
      replaced = this.#replace(old, entry, own);
      // What was never written, and has nothing older on disk, leaves no trace.
      if (entry.older === 0) {
        if (this.#driven) this.deletedKeys.leave(key, entry.by);
        return -replaced;
      }
      this.#graves.set(key, entry);
    }
    this.#buffer.push(entry);
    return entry.size - replaced;
  }

  /** Adds an entry in place of the one, or the tombstone, that its key has; see `#replace`. */
  #put(entry: Entry, own?: { by: Writer | undefined }): number {
    const old = this.#entries.set(entry.key, entry) ?? this.#grave(entry.key);
    const replaced = this.#replace(old, entry, own);
    this.bytes += entry.size;
    if (entry.expires !== 0) this.#deadlines.add(entry);
    return replaced;
  }

  /** Ends an old record; returns the bytes that the buffer had of it. */
  #replace(old: Entry | undefined, by: Entry, own?: { by: Writer | undefined }): number {
    by.by = own ? own.by : this.#host.exactState.changing(this, by.key, old);
    if (old === undefined) return 0;
    const buffered = old.page === undefined ? old.size : 0;
    this.#supersede(old, by);
    return buffered;
  }

  /** The tombstone of a key; asked for every new one, and there are seldom any. */
  #grave(key: string): Entry | undefined {
    return this.#graves.size > 0 ? this.#graves.get(key) : undefined;
  }

  /** Who deleted a key that is not there, while flows drive the store. */
  #deleter(key: string): Writer | undefined {
    return this.#driven ? (this.#grave(key) ?? this.deletedKeys.find(key))?.by : undefined;
  }

  #supersede(old: Entry, by: Entry): void {
    // What was never written hides nothing by itself, but passes on what it hid.
    old.hidden = old.page !== undefined;
    by.older = old.older + (old.hidden ? 1 : 0);
    if (old.tombstone) this.#graves.delete(old.key);
    else this.bytes -= old.size;
    this.#die(old);
  }

  #bury(tombstone: Entry): void {
    this.#graves.delete(tombstone.key);
    this.#die(tombstone);
  }

  #die(entry: Entry): void {
    entry.live = false;
    entry.value = undefined;
    if (entry.expires !== 0) this.#deadlines.bury();
    if (entry.page) entry.page.bury(entry);
    else this.#buffer.bury();
    if (entry.pieces) this.#host.discard(entry);
  }
}
