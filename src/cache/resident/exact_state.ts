import {
  type Attribution,
  currentMessage,
  DONE,
  isDuringCommitOf,
} from "../../flow/run/attribution.ts";
import { runDetached } from "../../flow/run/current.ts";
import type { Commit } from "../../flow/source/host.ts";
import type {
  Change,
  KnownPosition,
  StateDriver,
  StateRows,
  StateStore,
  StoredPosition,
  Writer,
} from "../../flow/state/state.ts";
import { encodeKey } from "../keys.ts";
import { toRange } from "../range.ts";
import { copyIn, copyOut } from "../values.ts";
import type { Entry } from "./entry.ts";
import { TableChange } from "./table_change.ts";
import type { Table } from "./table.ts";

/** The space of the positions; no user can name it. */
const POSITIONS = "$positions";
/** The space of the rows of flows. */
const ROWS = "$rows";
/** Above every character of an encoded key. */
const ABOVE = "\xff";
/** What replaces the positions once the content no longer matches them. */
const SALVAGED = encodeKey("salvaged");

/** Writers that are kept before it is asked which of them cannot take anything back any more. */
const MIN_SWEEP = 64;

/** Thrown into a call that has met what another one may take back; it is run again, and nobody is told. */
class ConflictError extends Error {
  override readonly name = "ConflictError";

  constructor() {
    super("another message has changed the entry, and may take that back: the call is run again");
  }
}

/** What exact state needs of the store. */
export interface DrivenStore {
  /** What it is called in errors. */
  readonly name: string;
  table(name: string): Table;
  /** Estimated bytes that wait for a cut. */
  readonly buffered: number;
  /** Takes all buffers as one group that is not sent before `save()`; returns its number. */
  cut(): number;
  /** Sends what was cut, up to a number. */
  save(cut: number): Promise<void>;
  /** Goes back to writing by its own timer. */
  undriven(): void;
  /** Whether something may expire. */
  readonly expiring: boolean;
}

/**
 * A resident store as one that holds exact state: the flows decide when it is cut, and what is not cut when
 * they end is dropped. Knows which message a write belongs to, by attribution.
 */
export class ExactState implements StateStore {
  readonly #store: DrivenStore;
  readonly #maxBytes: number;
  /** Those whose changes may be taken back. */
  readonly #changed = new Set<Writer>();
  /** From so many of them on, those are forgotten whose changes stay. */
  #sweepAt = MIN_SWEEP;
  #driver: StateDriver | undefined;
  /** True once flows have kept their state here. */
  #kept = false;
  #dropped = false;
  /** Counts the changes. */
  #changes = 0;
  readonly #notes = new Set<() => void | (() => void)>();
  /** Whom to tell once a cut is on disk. */
  #unsaved: { readonly cut: number; readonly saved: () => void }[] = [];

  /** Begins undriven; a driven store takes up to `maxBytes` between two cuts. */
  constructor(store: DrivenStore, maxBytes: number) {
    this.#store = store;
    this.#maxBytes = maxBytes;
  }

  /** Who decides when it is cut. */
  get driver(): StateDriver | undefined {
    return this.#driver;
  }

  /** True when half of a message was left in memory: nothing of it goes to disk any more. */
  get dropped(): boolean {
    return this.#dropped;
  }

  /** The positions of a flow at a source, by partition. */
  positions(flow: string, source: string): ReadonlyMap<number, KnownPosition> {
    const found = new Map<number, KnownPosition>();
    const table = this.#store.table(POSITIONS);
    for (const { value, cloned } of table.entries()) {
      const row = copyOut(value, cloned) as unknown[];
      const [ofFlow, ofSource, partition, position, done = []] = row;
      if (ofFlow !== flow || ofSource !== source) continue;
      found.set(partition as number, { position, done: done as readonly unknown[] });
    }
    return found;
  }

  /** Drops the positions for good, since a part of the content that they belong to is lost. */
  forbid(): void {
    const table = this.#store.table(POSITIONS);
    void table.clear(() => {});
    table.put({ key: SALVAGED, put: { ...copyIn([]), expires: 0 } });
  }

  /** Leaves the moments of the cuts to `driver`. */
  drive(driver: StateDriver): void {
    this.assertNotDropped();
    if (this.#store.table(POSITIONS).read(SALVAGED) !== undefined) {
      throw new TypeError(
        `Cannot keep exact state in ${this.#store.name}: it was damaged and salvaged, so its content ` +
          "no longer matches its positions; start again with another file",
      );
    }
    if (this.#driver !== undefined) {
      throw new TypeError("Cannot keep the state of two apps in one cache: open one for each");
    }
    if (this.#store.expiring) {
      throw new TypeError(
        `Cannot keep exact state in ${this.#store.name} while entries of it expire: its content would ` +
          "depend on timing; delete the entries that were written with ttl",
      );
    }
    this.#driver = driver;
    this.#kept = true;
  }

  /** Has `note` write what belongs into every cut. */
  beforeCut(note: () => void | (() => void)): () => void {
    this.#notes.add(note);
    return () => void this.#notes.delete(note);
  }

  /** Takes what was written and these positions; the result brings it to disk, and no later cut. */
  cut(positions: readonly StoredPosition[], without: readonly Change[] = []): Commit {
    // The caller may still run for a message that is done, and the notes must not.
    return runDetached(() => this.#cut(positions, without));
  }

  #cut(positions: readonly StoredPosition[], without: readonly Change[]): Commit {
    const again = without.toSorted((a, b) => b.order - a.order).map((change) => change.withdraw());
    const told = Array.from(this.#notes, (note) => note()).filter((saved) => saved !== undefined);
    const table = this.#store.table(POSITIONS);
    for (const { flow, source, partition, position, done = [] } of positions) {
      const row = [flow, source, partition, position, ...done.length > 0 ? [done] : []];
      const key = encodeKey([flow, source, partition]);
      table.put({ key, put: { ...copyIn(row), expires: 0 } });
    }
    const cut = this.#store.cut();
    for (const make of again.toReversed()) make();
    this.#changed.clear();
    for (const { by } of without) this.#changed.add(by);
    this.#unsaved.push(...told.map((saved) => ({ cut, saved })));
    return async () => {
      await this.#store.save(cut);
      const saved = this.#unsaved.filter((each) => each.cut <= cut);
      this.#unsaved = this.#unsaved.filter((each) => each.cut > cut);
      for (const each of saved) runDetached(each.saved);
    };
  }

  /** Rows of flows, beside the content. */
  get rows(): StateRows {
    const table = this.#store.table(ROWS);
    return {
      *scan(prefix) {
        const range = { ...toRange(), low: prefix, high: prefix + ABOVE };
        const cursor = table.scan(range);
        for (let entry = cursor.next(); entry !== undefined; entry = cursor.next()) {
          const { key, value, cloned } = entry as Entry;
          yield [key, copyOut(value, cloned)];
        }
      },
      set(key, value) {
        table.put({ key, put: { ...copyIn(value), expires: 0 } });
      },
      delete(key) {
        table.put({ key, put: undefined });
      },
    };
  }

  /** Is driven no longer. */
  release(): void {
    this.#driver = undefined;
    this.#store.undriven();
  }

  /** Is driven no longer, and forgets what is not on disk. */
  drop(): void {
    this.#driver = undefined;
    this.#dropped = true;
  }

  /** Throws when half of a message was left in memory. */
  assertNotDropped(): void {
    if (!this.#dropped) return;
    throw new TypeError(
      "Cannot use a cache whose flow ended within a message: writes not yet on disk are dropped; " +
        "close it and open it again",
    );
  }

  /** Throws unless a write may be made now. */
  assertWritable(): void {
    this.assertNotDropped();
    this.#assertMayWrite(currentMessage());
    if (this.#driver === undefined) return;
    if (this.#store.buffered > this.#maxBytes) {
      throw new RangeError(
        `Cannot write more to a cache before the message is done: ${this.#store.buffered} bytes are waiting, ` +
          `maxTransactionBytes is ${this.#maxBytes}`,
      );
    }
  }

  /** Notes what is changed; returns who does it. */
  changing(table: Table, key: string, old: Entry | undefined): Writer | undefined {
    const writer = this.#writer();
    if (writer === undefined || !writer.open) return writer;
    const last = old ?? table.deletedKeys.find(key);
    if (last?.by !== writer) {
      this.#note(new TableChange(table, key, old, writer, this.#changes++));
    }
    return writer;
  }

  /**
   * Notes that something is read, or about to be replaced, which `writer` has changed and may take back; true when it
   * was taken back for that.
   *
   * @throws {ConflictError} If the caller's call must be run again after that.
   */
  reading(writer: Writer): boolean {
    const reader = this.#writer();
    if (reader === undefined) return false;
    if (reader.message === undefined || writer.message === undefined) {
      if (reader.flow !== writer.flow) writer.wasRead(reader.flow);
    } else if (reader.message !== writer.message) {
      reader.message.buildsOn(writer.message);
      if (!writer.revocable) return false;
      const what = reader.meets(writer);
      if (what === "yield") throw new ConflictError();
      if (what === "go on") return true;
      writer.wasRead(reader.flow);
    } else if (reader.flow !== writer.flow) writer.wasRead(reader.flow);
    return false;
  }

  /** True where several messages are handled at the same time: then what is replaced counts as read. */
  get isolates(): boolean {
    return this.#writer()?.message !== undefined;
  }

  /** Throws where the entries of a table could not be put back one by one. */
  assertMayClear(): void {
    if (!this.isolates) return;
    throw new TypeError(
      "Cannot clear a cache for a message of a flow that handles several at the same time, and keeps its state " +
        "there: delete its entries one by one",
    );
  }

  /** Notes that keys are read; what was deleted there may be put back. True when some were taken back for that. */
  scanning(table: Table, low: string, high: string): boolean {
    const isRead = (change: Change) => {
      const { table: of, key } = change as TableChange;
      return of === table && key >= low && key < high;
    };
    let takenBack = false;
    for (const writer of this.#changed) {
      if (writer.hasChanged(isRead) && this.reading(writer)) takenBack = true;
    }
    return takenBack;
  }

  /** Throws when the caller waits for the disk, which waits for the caller. */
  assertMayWait(what: string): void {
    const driver = this.#driver;
    if (driver === undefined) return;
    const message = currentMessage();
    if (message?.receipt?.root?.drives(driver)) {
      throw new TypeError(
        `Cannot ${what} within a message of flow "${message.flow}": the cache keeps its state, and is ` +
          "written to disk only between messages, by itself",
      );
    }
    if (isDuringCommitOf(driver)) {
      throw new TypeError(
        `Cannot ${what} within a commit, as the flush() of a sink does: the cache keeps the state of ` +
          "flows, and the commit writes it to disk after the sinks; use a cache in another store",
      );
    }
  }

  #note(change: TableChange): void {
    this.#changed.add(change.by);
    if (this.#changed.size >= this.#sweepAt) {
      for (const writer of this.#changed) if (!writer.open) this.#changed.delete(writer);
      this.#sweepAt = Math.max(MIN_SWEEP, 2 * this.#changed.size);
    }
    change.by.changed(change);
  }

  /** Throws when the caller works for a message to which a write does not belong. */
  #assertMayWrite(message: Attribution | undefined): void {
    if (
      message === DONE ? this.#kept : message?.state === this && message.receipt?.done
    ) {
      throw new TypeError(
        "Cannot write to a cache for a message that is done: await every call in the handler",
      );
    }
    if (message?.undoLog === undefined) return; // code outside of flows, or what it has sent to one
    const { flow, undoLog } = message;
    if (message.state === this && undoLog.failed) {
      throw new TypeError(
        `Cannot write to a cache for a call of flow "${flow}" that has failed: its writes have been ` +
          "undone; await every call in the handler, even when another one fails",
      );
    }
    if (this.#driver === undefined || this.#keeps(message, this.#driver)) return;
    throw new TypeError(
      `Cannot write to ${this.#store.name} in flow "${flow}": it keeps the state of other flows, and is ` +
        "written to disk without the positions of this one; give the flow this cache as its state, or " +
        "write to a cache in another store",
    );
  }

  /** Returns whether the position of a message is held here. */
  #keeps({ state, receipt }: Attribution, driver: StateDriver): boolean {
    return state === this && receipt?.root?.drives(driver) === true;
  }

  /** Whom the caller works for, if that belongs to the cuts of this store. */
  #writer(): Writer | undefined {
    if (this.#driver === undefined) return undefined;
    const message = currentMessage();
    return message && this.#keeps(message, this.#driver) ? message.undoLog : undefined;
  }
}
