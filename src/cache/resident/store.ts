import type { Clock } from "../../clock.ts";
import type { CacheStorageError } from "../errors.ts";
import { Driving } from "./driving.ts";
import type { Entry } from "./entry.ts";
import { FORMAT, ROOT } from "../format.ts";
import type { Batch, Journal, Row, State } from "./journal.ts";
import { addRows } from "./rows_of_page.ts";
import { Table, type TableHost } from "./table.ts";

/** How a resident store writes. */
export interface StoreOptions {
  /** The time. */
  clock: Clock;
  /** How long a write may wait for company, in milliseconds. */
  flushIntervalMs: number;
  /** The most that may wait for a cut while flows decide when it is taken, in estimated bytes. */
  maxTransactionBytes: number;
}

/** Estimated bytes in the buffer from which on a writer waits for the disk. */
const MAX_BUFFER_BYTES = 4_000_000;
/** Without a disk the buffer only becomes pages, at this size. */
const MAX_MEMORY_BUFFER_BYTES = 64_000;
/** Every so many writes the clock is looked at: awaited writes starve the timers. */
const WRITES_PER_LOOK = 256;
/** After an error the disk is tried again after this time, doubled each time up to the second one. */
const MIN_RETRY_MS = 100;
const MAX_RETRY_MS = 5_000;
/** Runs of pages that are merged at a cut, beside two for each row that it writes. */
const MIN_RUNS = 16;
/** Spaces of a store: the row of the state, which Deno KV takes up to 65,536 bytes, names them all. */
const MAX_TABLES = 500;
const SWEEP_MS = 1_000;
const SWEEP_ENTRIES = 10_000;

/**
 * The tables of one store, and the group commit that brings what they buffer to disk: a cut takes all
 * buffers at one instant, and becomes durable as a whole or not at all.
 */
export class ResidentStore implements TableHost {
  readonly #options: StoreOptions;
  readonly #journal: Journal | undefined;
  readonly #tables = new Map<string, Table>();
  readonly #closing = new AbortController();
  #state: State;
  #batches: Batch[] = [];
  #discarded: Entry[] = [];
  #buffered = 0;
  #dirty = false;
  #since = 0;
  #writes = 0;
  #job: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #failure: CacheStorageError | undefined;
  #retryMs = MIN_RETRY_MS;
  #cancelTimer: (() => void) | undefined;
  #cancelSweep: (() => void) | undefined;
  /** What was cut and must not be sent yet. */
  #cuts: Batch[] = [];

  /** The store as one that holds exact state. */
  readonly driving: Driving;

  /** Makes a store that goes on from `state`; without a journal nothing of it outlives the process. */
  constructor(options: StoreOptions, state: State, journal?: Journal) {
    this.#options = options;
    this.#state = state;
    this.#journal = journal;
    this.driving = new Driving(this, options.maxTransactionBytes);
  }

  /** Throws when another space would make the row of the state larger than Deno KV takes. */
  assertRoomFor(name: string): void {
    if (this.#tables.has(name) || this.#tables.size < MAX_TABLES) return;
    throw new RangeError(
      `Cannot open space ${JSON.stringify(name)}: the store has ${this.#tables.size}, and takes ` +
        `${MAX_TABLES}; put what they are called into the keys`,
    );
  }

  /** Returns the table of a space. */
  table(name: string): Table {
    let table = this.#tables.get(name);
    if (table === undefined) this.#tables.set(name, table = new Table(name, this));
    return table;
  }

  /** The time. */
  now(): number {
    return this.#options.clock.now();
  }

  /** Whether the last attempt to write to the disk failed. */
  get failure(): CacheStorageError | undefined {
    return this.#failure;
  }

  /** Throws while the disk does not take writes: what was accepted stays in memory and is tried again. */
  assertWritable(): void {
    this.driving.assertWritable();
    // While it is driven nothing waits for the disk but barriers, which meet the failure.
    if (this.#failure && this.driving.driver === undefined) throw this.#failure;
  }

  /** Notes what a write replaces. */
  changing(table: Table, key: string, old: Entry | undefined): string | undefined {
    return this.driving.changing(table, key, old);
  }

  /** Whether flows decide when it is cut. */
  get driven(): boolean {
    return this.driving.driver !== undefined;
  }

  /** How many entries the windows of all tables have dropped. */
  get evictions(): number {
    let sum = 0;
    for (const table of this.#tables.values()) sum += table.evictions;
    return sum;
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
      this.#since = this.now();
    }
    this.#setSweep();
    if (this.#journal === undefined) {
      if (this.#buffered > MAX_MEMORY_BUFFER_BYTES) this.#turnOver();
      return;
    }
    const full = this.#buffered > MAX_BUFFER_BYTES;
    const { driver } = this.driving;
    if (driver !== undefined) return full ? driver.full() : undefined;
    if (full) return this.flush();
    if (++this.#writes % WRITES_PER_LOOK === 0 && this.#overdue()) return this.#job ?? this.flush();
    if (this.#job === undefined) this.#setTimer(this.#options.flushIntervalMs);
  }

  /**
   * Resolves when everything written so far is on disk.
   *
   * @throws {CacheStorageError} If it cannot get there; it stays in memory, and is tried again.
   */
  flush(): Promise<void> {
    this.driving.assertNotDropped();
    return this.driving.driver?.flush() ?? this.save();
  }

  /** Sends what may be sent: undriven everything written so far, else the cuts up to the one of a number. */
  save(cut = 0): Promise<void> {
    if (this.#journal === undefined || this.driving.dropped) return Promise.resolve();
    const later = this.#cuts.findIndex(({ state }) => state.sequence > cut);
    this.#batches.push(...this.#cuts.splice(0, later < 0 ? this.#cuts.length : later));
    if (this.#job === undefined) return this.#start();
    // What is under way may have been cut before the last write: one more round is certain to have it.
    return this.#next ??= this.#job.catch(() => {}).then(() => {
      this.#next = undefined;
      return this.save();
    });
  }

  /** Flushes and lets go of all timers. */
  async close(): Promise<void> {
    try {
      await this.save();
    } finally {
      this.#closing.abort();
      this.#cancelTimer?.();
      this.#cancelSweep?.();
      await this.#job;
    }
  }

  /** Goes back to writing by its own timer. */
  undriven(): void {
    if (this.#dirty && this.#journal !== undefined && this.#job === undefined) {
      this.#setTimer(this.#options.flushIntervalMs);
    }
  }

  /**
   * Takes the buffers of all tables, now, as one group that {@linkcode ResidentStore.save} sends, and returns
   * its number.
   */
  cut(): number {
    for (const table of this.#tables.values()) table.traces.clear();
    if (!this.#dirty || this.#journal === undefined) return this.#state.sequence;
    const rows: Row[] = [];
    const garbage = this.#takeDiscarded();
    const state = this.#nextState();
    for (const table of this.#tables.values()) {
      for (const page of table.takeBuffer(() => ++state.last)) addRows(rows, table.name, page);
      for (const id of table.window.takeGone()) garbage.push([ROOT, "l", id]);
    }
    state.heads = this.#heads();
    this.#buffered = 0;
    this.#dirty = false;
    this.#cuts.push({ rows, removed: [], state, garbage });
    this.#compact(MIN_RUNS + 2 * rows.length);
    return this.#state.sequence;
  }

  /**
   * Merges runs of sparse pages, each in a batch of its own. This is done at a cut only: nothing is
   * buffered then, so that what is dead in memory is dead on the disk as soon as the group is there.
   */
  #compact(runs: number): void {
    for (const table of this.#tables.values()) {
      if (!table.window.sparse) continue;
      for (let from = 0; runs > 0; runs--) {
        const compacted = table.window.compact(from);
        if (compacted === undefined) break;
        const rows: Row[] = [];
        if (compacted.page) addRows(rows, table.name, compacted.page);
        const removed = compacted.removed.map((id) => [ROOT, "l", id]);
        this.#cuts.push({ rows, removed, state: this.#nextState(), garbage: [] });
        from = compacted.next;
      }
    }
  }

  #start(): Promise<void> {
    if (this.#journal === undefined) return Promise.resolve();
    if (!this.#unsaved && this.#batches.length === 0) return Promise.resolve();
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const job = this.#commit().then(() => {
      this.#job = undefined;
      if (this.#unsaved) this.#setTimer(this.#options.flushIntervalMs);
    }, (error) => {
      this.#job = undefined;
      this.#setTimer(this.#retryMs);
      this.#retryMs = Math.min(this.#retryMs * 2, MAX_RETRY_MS);
      throw error;
    });
    // Whoever waits for it sees the error, and so does the next write.
    job.catch(() => {});
    return this.#job = job;
  }

  async #commit(): Promise<void> {
    await this.#send();
    if (!this.#unsaved) return;
    this.cut();
    this.#batches.push(...this.#cuts.splice(0));
    await this.#send();
  }

  /** Whether something was written that the store itself is to bring to disk. */
  get #unsaved(): boolean {
    return this.#dirty && this.driving.driver === undefined;
  }

  async #send(): Promise<void> {
    for (let batch = this.#batches[0]; batch !== undefined; batch = this.#batches[0]) {
      if (this.driving.dropped) return;
      try {
        await this.#journal!.send(batch, this.#closing.signal);
      } catch (error) {
        this.#failure = error as CacheStorageError;
        throw error;
      }
      this.#batches.shift();
      this.#failure = undefined;
      this.#retryMs = MIN_RETRY_MS;
    }
  }

  /** What stands in for the group commit when there is no disk. */
  #turnOver(): void {
    this.#takeDiscarded();
    for (const table of this.#tables.values()) {
      table.takeBuffer(() => ++this.#state.last);
      table.window.takeGone();
      if (!table.window.sparse) continue;
      let compacted = table.window.compact(0);
      while (compacted !== undefined) compacted = table.window.compact(compacted.next);
    }
    this.#buffered = 0;
  }

  #nextState(): State {
    const { owner, sequence, last } = this.#state;
    return this.#state = {
      format: FORMAT,
      layout: "resident",
      owner,
      sequence: sequence + 1,
      last,
      heads: this.#heads(),
    };
  }

  #heads(): State["heads"] {
    return [...this.#tables.values()].map((table) => [table.name, ...table.window.head]);
  }

  #takeDiscarded(): Deno.KvKey[] {
    const keys: Deno.KvKey[] = [];
    for (const { pieces } of this.#discarded) {
      for (let n = 0; n < pieces![1]; n++) keys.push([ROOT, "p", pieces![0], n]);
    }
    this.#discarded = [];
    return keys;
  }

  #overdue(): boolean {
    return this.now() - this.#since > this.#options.flushIntervalMs;
  }

  #setTimer(ms: number): void {
    if (this.#closing.signal.aborted) return;
    this.#cancelTimer ??= this.#options.clock.timer(() => {
      this.#cancelTimer = undefined;
      if (this.#job === undefined) this.#start();
    }, ms);
  }

  #setSweep(): void {
    if (this.#cancelSweep !== undefined || this.#closing.signal.aborted) return;
    if (![...this.#tables.values()].some((table) => table.expiring)) return;
    this.#cancelSweep = this.#options.clock.timer(() => {
      this.#cancelSweep = undefined;
      for (const table of this.#tables.values()) if (table.expiring) table.sweep(SWEEP_ENTRIES);
      this.#setSweep();
    }, SWEEP_MS);
  }
}
