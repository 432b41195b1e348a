import type { Change } from "../../flow/state.ts";
import { decodeKey, inspectKey } from "../keys.ts";
import type { Put } from "../space.ts";
import type { Entry } from "./entry.ts";
import type { Table } from "./table.ts";

/** A change that a message made to one key of a table. */
export class TableChange implements Change {
  readonly #table: Table;
  readonly #key: string;
  readonly #put: Put | undefined;
  readonly #by: string | undefined;
  readonly #flow: string;

  /** Notes the entry that is being replaced, before it lets its value go; `flow` replaces it. */
  constructor(table: Table, key: string, old: Entry | undefined, flow: string) {
    this.#table = table;
    this.#key = key;
    this.#flow = flow;
    this.#by = (old ?? table.traces.find(key))?.by;
    if (old !== undefined && !old.tombstone) {
      const { value, cloned, expires, valueSize: size } = old;
      this.#put = { value, cloned, expires, size };
    }
  }

  /**
   * Puts back what was there.
   *
   * @throws {TypeError} If somebody else has written the key since.
   */
  undo(): void {
    const writer = this.#table.latest(this.#key) ?? this.#table.traces.find(this.#key);
    if (writer !== undefined && writer.by !== this.#flow) {
      const other = writer.by === undefined ? "code outside of it" : `flow "${writer.by}"`;
      throw new TypeError(
        `Cannot take back what flow "${this.#flow}" wrote before an error: key ` +
          `${inspectKey(decodeKey(this.#key))} was written by ${other} meanwhile; ` +
          'use onError "stop", or keys that one flow writes',
      );
    }
    const write = { key: this.#key, put: this.#put };
    this.#table.put(write, this.#by);
    this.#table.onRestore?.(write);
  }
}
