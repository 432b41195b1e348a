import type { Change, Writer } from "../../flow/state/state.ts";
import { decodeKey, inspectKey } from "../keys.ts";
import type { Put } from "../space.ts";
import type { Entry } from "./entry.ts";
import type { Table } from "./table.ts";

/** A change of one key of a table: all that one writer has written there since somebody else did. */
export class TableChange implements Change {
  readonly table: Table;
  readonly key: string;
  readonly by: Writer;
  readonly order: number;
  readonly #put: Put | undefined;
  readonly #before: Writer | undefined;

  /** Notes the entry that is being replaced, before it lets its value go; `by` replaces it. */
  constructor(table: Table, key: string, old: Entry | undefined, by: Writer, order: number) {
    this.order = order;
    this.table = table;
    this.key = key;
    this.by = by;
    this.#before = (old ?? table.deletedKeys.find(key))?.by;
    this.#put = toPut(old);
  }

  /**
   * Puts back what was there.
   *
   * @throws {TypeError} If somebody else has written the key since.
   */
  undo(): void {
    const { table, key, by } = this;
    const writer = table.latest(key) ?? table.deletedKeys.find(key);
    if (writer !== undefined && writer.by !== by) {
      const other = writer.by === undefined ? "code outside of it" : `flow "${writer.by.flow}"`;
      throw new TypeError(
        `Cannot undo the writes of flow "${by.flow}" after an error: key ` +
          `${inspectKey(decodeKey(key))} has since been written by ${other}; ` +
          'use onError "stop", or keys that only one flow writes',
      );
    }
    const write = { key, put: this.#put };
    table.put(write, this.#before);
    table.onRestore?.(write);
  }

  /** Puts back for a moment what was there, unless somebody else has written the key since; see `Change`. */
  withdraw(): () => void {
    const { table, key, by } = this;
    const last = table.latest(key);
    if ((last ?? table.deletedKeys.find(key))?.by !== by) return () => {};
    const put = toPut(last);
    table.put({ key, put: this.#put }, this.#before);
    return () => table.put({ key, put }, by);
  }
}

/** What writes an entry again; undefined where there is none. */
function toPut(entry: Entry | undefined): Put | undefined {
  if (entry === undefined || entry.tombstone) return undefined;
  const { value, cloned, expires, valueSize: size } = entry;
  return { value, cloned, expires, size };
}
