import { type Attribution, currentMessage, onNobodysBehalf } from "../../flow/attribution.ts";
import type { Commit } from "../../flow/feed.ts";
import type { StateDriver, StateStore, StoredPosition } from "../../flow/state.ts";
import { encodeKey } from "../keys.ts";
import { copyIn, copyOut } from "../values.ts";
import type { Entry } from "./entry.ts";
import { TableChange } from "./table_change.ts";
import type { Table } from "./table.ts";

/** The space of the positions; no user can name it. */
const POSITIONS = "$positions";

/** What driving needs of the store. */
export interface DrivenStore {
  table(name: string): Table;
  /** Estimated bytes that wait for a cut. */
  readonly buffered: number;
  /** Takes all buffers as one group that is not sent before `save()`; returns its number. */
  cut(): number;
  /** Sends what was cut, up to a number. */
  save(cut: number): Promise<void>;
  /** Goes back to writing by its own timer. */
  undriven(): void;
}

/**
 * A resident store as one that holds exact state: the flows decide when it is cut, and what is not cut when
 * they end is dropped. Knows which message a write belongs to, by attribution.
 */
export class Driving implements StateStore {
  readonly #store: DrivenStore;
  readonly #maxBytes: number;
  #driver: StateDriver | undefined;
  #dropped = false;
  readonly #notes = new Set<() => void>();

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
  positions(flow: string, source: string): ReadonlyMap<number, unknown> {
    const found = new Map<number, unknown>();
    const table = this.#store.table(POSITIONS);
    for (const { value, cloned } of table.entries()) {
      const [ofFlow, ofSource, partition, position] = copyOut(value, cloned) as unknown[];
      if (ofFlow === flow && ofSource === source) found.set(partition as number, position);
    }
    return found;
  }

  /** Leaves the moments of the cuts to `driver`. */
  drive(driver: StateDriver): void {
    this.assertNotDropped();
    if (this.#driver !== undefined) {
      throw new TypeError("Cannot keep state of two apps in one cache: open one for each");
    }
    this.#driver = driver;
  }

  /** Has `note` write what belongs into every cut. */
  beforeCut(note: () => void): () => void {
    this.#notes.add(note);
    return () => void this.#notes.delete(note);
  }

  /** Takes what was written and these positions; the result brings it to disk, and no later cut. */
  cut(positions: readonly StoredPosition[]): Commit {
    for (const note of this.#notes) onNobodysBehalf(note);
    const table = this.#store.table(POSITIONS);
    for (const { flow, source, partition, position } of positions) {
      const { value, cloned, size } = copyIn([flow, source, partition, position]);
      const key = encodeKey([flow, source, partition]);
      table.put({ key, put: { value, cloned, size, expires: 0 } });
    }
    const cut = this.#store.cut();
    return () => this.#store.save(cut);
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
      "Cannot use a cache that a flow left within a message: what is not on disk is dropped; " +
        "close it, and open it again",
    );
  }

  /** Throws unless a write may be made now. */
  assertWritable(): void {
    this.assertNotDropped();
    if (this.#driver === undefined) return;
    if (this.#message()?.receipt?.done) {
      throw new TypeError(
        "Cannot write to a cache for a message that is done: await every call in the handler",
      );
    }
    if (this.#store.buffered > this.#maxBytes) {
      throw new RangeError(
        `Cannot write more to a cache before the message is done: ${this.#store.buffered} bytes wait, ` +
          `maxTransactionBytes is ${this.#maxBytes}`,
      );
    }
  }

  /** Notes what a message changes; returns the flow that does. */
  changing(table: Table, key: string, old: Entry | undefined): string | undefined {
    if (this.#driver === undefined) return undefined;
    const message = this.#message();
    message?.changes?.push(new TableChange(table, key, old, message.flow));
    return message?.flow;
  }

  /** Throws when a message waits for the disk, which waits for the message. */
  assertMayWait(what: string): void {
    const message = this.#driver && this.#message();
    if (message === undefined) return;
    throw new TypeError(
      `Cannot ${what} within a message of flow "${message.flow}": the cache keeps its state, and goes to ` +
        "disk only between messages; it does so by itself",
    );
  }

  /** The message that the caller works for, if it belongs to the cuts of this store. */
  #message(): Attribution | undefined {
    const message = currentMessage();
    return message?.receipt?.root?.drives(this.#driver!) ? message : undefined;
  }
}
