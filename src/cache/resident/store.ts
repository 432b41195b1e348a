import type { StoreView } from "../../flow/source/feed.ts";
import { PAGES, PIECES } from "../format.ts";
import { ExactState } from "./exact_state.ts";
import type { Entry } from "./entry.ts";
import { type BufferedWrites, GroupCommit, type GroupCommitOptions } from "./group_commit.ts";
import type { Journal, Row, SpaceState, State } from "./journal.ts";
import { type Page, rowsOfPage } from "./page.ts";
import { Table, type TableHost } from "./table.ts";

/** How a resident store writes. */
export interface StoreOptions extends GroupCommitOptions {
  /** The most that may wait for a cut while flows decide when it is taken, in estimated bytes. */
  maxTransactionBytes: number;
  /** The file; none where nothing outlives the process. */
  path?: string | undefined;
}

/** Estimated bytes in the buffer from which on a writer waits for the disk. */
const MAX_BUFFER_BYTES = 4_000_000;
/** Without a disk the buffer only becomes pages, at this size. */
const MAX_MEMORY_BUFFER_BYTES = 64_000;
/** Every so many writes the clock is looked at: awaited writes starve the timers. */
const WRITES_PER_LOOK = 256;
/** Runs of pages that are merged at a cut, beside two for each row that it writes. */
const MIN_RUNS = 16;
/** Spaces of a store: the row of the state, which Deno KV takes up to 65,536 bytes, names them all. */
const MAX_TABLES = 500;
const SWEEP_MS = 1_000;
/** Expired entries that are removed in one step. */
const SWEEP_ENTRIES = 10_000;

/**
 * The tables of one store, and the cuts: a cut takes what all tables buffer at one instant, and becomes
 * durable as a whole or not at all.
 */
export class ResidentStore implements TableHost, BufferedWrites {
  readonly #options: StoreOptions;
  readonly #journal: Journal | undefined;
  /** Undefined where there is no disk. */
  readonly #commits: GroupCommit | undefined;
  readonly #tables = new Map<string, Table>();
  #state: State;
  #discarded: Entry[] = [];
  /** Whether anything was written since the last cut. */
  #dirty = false;
  /** When the first of that was written. */
  #since = 0;
  #buffered = 0;
  #writes = 0;
  #cancelSweep: (() => void) | undefined;
  #closed = false;

  /** The store as one that holds exact state. */
  readonly exactState: ExactState;

  /** Makes a store that goes on from `state`; without a journal nothing of it outlives the process. */
  constructor(options: StoreOptions, state: State, journal?: Journal) {
    this.#options = options;
    this.#state = state;
    this.#journal = journal;
    if (journal) this.#commits = new GroupCommit(this, journal, options);
    this.exactState = new ExactState(this, options.maxTransactionBytes);
  }

  /** Takes the disk over, as it was read, and deletes rows that are not needed. */
  async claim(garbage: readonly Deno.KvKey[]): Promise<void> {
    await this.#journal?.claim({ ...this.#state, spaces: this.#spaces() }, garbage);
  }

  /** What it is called in errors. */
  get name(): string {
    const { path } = this.#options;
    return path === undefined ? "a cache in memory" : `cache ${JSON.stringify(path)}`;
  }

  /** Throws when another space would make the row of the state larger than Deno KV takes. */
  assertRoomFor(name: string): void {
    if (this.#tables.has(name) || this.#tables.size < MAX_TABLES) return;
    throw new RangeError(
      `Cannot open space ${JSON.stringify(name)}: the store has ${this.#tables.size}, and takes ` +
        `${MAX_TABLES}; put their names into the keys instead`,
    );
  }

  /** Returns the table of a space. */
  table(name: string): Table {
    let table = this.#tables.get(name);
    if (table === undefined) this.#tables.set(name, table = new Table(name, this));
    return table;
  }

  /** The time of day, which TTLs are counted by. */
  now(): number {
    return this.#options.clock.now();
  }

  /** Throws while the disk does not take writes: what was accepted stays in memory and is tried again. */
  assertWritable(): void {
    this.exactState.assertWritable();
    // While it is driven nothing waits for the disk but commits, which meet the failure.
    const failure = this.#commits?.failure;
    if (failure && this.exactState.driver === undefined) throw failure;
  }

  /** How many entries of all tables were evicted. */
  get evictions(): number {
    let sum = 0;
    for (const table of this.#tables.values()) sum += table.evictions;
    return sum;
  }

  /** Tells what is in it, for whoever looks. */
  look(): StoreView {
    const spaces = Array.from(
      this.#tables.values(),
      ({ name, size, bytes, evictions }) => ({ name, entries: size, bytes, evictions }),
    );
    return { savedAt: this.#commits?.savedAt, failure: this.#commits?.failure, spaces };
  }

  /** Estimated bytes that wait for a cut. */
  get buffered(): number {
    return this.#buffered;
  }

  /** Takes over the pieces of a value that is not there any more. */
  discard(entry: Entry): void {
    this.#discarded.push(entry);
  }

  /** Told after each step that changed a table. */
  wrote(bytes: number): void | Promise<void> {
    this.#buffered += bytes;
    if (!this.#dirty) {
      this.#dirty = true;
      this.#since = this.#options.clock.monotonic();
    }
    this.#setSweep();
    const looks = ++this.#writes % WRITES_PER_LOOK === 0;
    // More expires than is written at no time for long, so whoever writes keeps the content small.
    if (looks) this.#sweep(4 * WRITES_PER_LOOK);
    const commits = this.#commits;
    if (commits === undefined) {
      if (this.#buffered > MAX_MEMORY_BUFFER_BYTES) this.#turnOver();
      return;
    }
    const full = this.#buffered > MAX_BUFFER_BYTES;
    const { driver } = this.exactState;
    if (driver !== undefined) return full ? driver.full() : undefined;
    if (full) return this.flush();
    if (looks && this.#overdue()) {
      return commits.job ?? this.flush();
    }
    commits.schedule();
  }

  /**
   * Resolves when everything written so far is on disk.
   *
   * @throws {CacheStorageError} If it cannot get there; it stays in memory, and is tried again.
   */
  flush(): Promise<void> {
    this.exactState.assertNotDropped();
    return this.exactState.driver?.flush() ?? this.save();
  }

  /** Sends what may be sent: undriven everything written so far, else the cuts up to the one of a number. */
  save(cut?: number): Promise<void> {
    return this.#commits?.save(cut) ?? Promise.resolve();
  }

  /** Flushes and lets go of all timers. */
  async close(): Promise<void> {
    try {
      await this.#commits?.close();
    } finally {
      this.#closed = true;
      this.#cancelSweep?.();
    }
  }

  /** Goes back to writing by its own timer. */
  undriven(): void {
    if (this.#dirty) this.#commits?.schedule();
  }

  /** Whether something was written that the store itself is to bring to disk. */
  get due(): boolean {
    return this.#dirty && this.exactState.driver === undefined;
  }

  /** True when a flow left half a message in it: nothing goes to disk any more. */
  get dropped(): boolean {
    return this.exactState.dropped;
  }

  /**
   * Takes the buffers of all tables, now, as one group that {@linkcode ResidentStore.save} sends, and returns
   * its number.
   */
  cut(): number {
    for (const table of this.#tables.values()) table.settle();
    if (!this.#dirty || this.#commits === undefined) return this.#state.sequence;
    const rows: Row[] = [];
    const garbage = this.#takeDiscarded();
    const state = this.#nextState();
    const written: [Table, Page][] = [];
    for (const table of this.#tables.values()) {
      for (const page of table.takeBuffer(() => ++state.last)) written.push([table, page]);
      for (const id of table.eviction.takeGone()) garbage.push([...PAGES, id]);
    }
    for (const [index, [table, page]] of written.entries()) {
      const ends = index === written.length - 1;
      rows.push(...rowsOfPage(table.name, page, { sequence: state.sequence, ends }));
      table.eviction.push(page);
    }
    state.spaces = this.#spaces();
    this.#buffered = 0;
    this.#dirty = false;
    this.#commits.add({ rows, removed: [], state, garbage });
    this.#compact(this.#commits, MIN_RUNS + 2 * rows.length);
    return this.#state.sequence;
  }

  /**
   * Merges runs of sparse pages, each in a batch of its own. This is done at a cut only: nothing is
   * buffered then, so that what is dead in memory is dead on the disk as soon as the group is there.
   */
  #compact(commits: GroupCommit, runs: number): void {
    for (const table of this.#tables.values()) {
      if (!table.eviction.sparse) continue;
      for (let from = 0; runs > 0; runs--) {
        const compacted = table.eviction.compact(from);
        if (compacted === undefined) break;
        const { page, removed: ids, next } = compacted;
        const rows: Row[] = [];
        const state = this.#nextState();
        if (page !== undefined) {
          rows.push(...rowsOfPage(table.name, page, { sequence: state.sequence, ends: true }));
          table.eviction.count(page);
        }
        state.spaces = this.#spaces();
        const removed = ids.map((id) => [...PAGES, id]);
        commits.add({ rows, removed, state, garbage: [] });
        from = next;
      }
    }
  }

  /** What stands in for the group commit when there is no disk. */
  #turnOver(): void {
    this.#takeDiscarded();
    for (const table of this.#tables.values()) {
      for (const page of table.takeBuffer(() => ++this.#state.last)) table.eviction.push(page);
      table.eviction.takeGone();
      if (!table.eviction.sparse) continue;
      let compacted = table.eviction.compact(0);
      while (compacted !== undefined) compacted = table.eviction.compact(compacted.next);
    }
    this.#buffered = 0;
  }

  /** The state of the next batch, but for its spaces. */
  #nextState(): State {
    const { sequence } = this.#state;
    return this.#state = { ...this.#state, sequence: sequence + 1 };
  }

  #spaces(): SpaceState[] {
    return Array.from(this.#tables.values(), ({ eviction }) => eviction.state);
  }

  #takeDiscarded(): Deno.KvKey[] {
    const keys: Deno.KvKey[] = [];
    for (const { pieces } of this.#discarded) {
      for (let n = 0; n < pieces![1]; n++) keys.push([...PIECES, pieces![0], n]);
    }
    this.#discarded = [];
    return keys;
  }

  #overdue(): boolean {
    return this.#options.clock.monotonic() - this.#since > this.#options.flushIntervalMs;
  }

  /** Whether something may expire; asked for every write. */
  get expiring(): boolean {
    for (const table of this.#tables.values()) if (table.expiring) return true;
    return false;
  }

  #setSweep(ms: number = SWEEP_MS): void {
    if (this.#cancelSweep !== undefined || this.#closed) return;
    if (!this.expiring) return;
    this.#cancelSweep = this.#options.clock.timer(() => {
      const more = this.#sweep(SWEEP_ENTRIES);
      this.#cancelSweep = undefined;
      this.#setSweep(more ? 0 : SWEEP_MS); // others have their turn in between
    }, ms);
  }

  /** Removes up to `count` entries of each table that have expired; returns whether there may be more. */
  #sweep(count: number): boolean {
    let more = false;
    for (const table of this.#tables.values()) {
      if (table.expiring && table.sweep(count)) more = true;
    }
    return more;
  }
}
