import { encodeParts } from "../cache/keys.ts";
import type { StateRows } from "../flow/state/state.ts";
import { toMapKey } from "./window_key.ts";
import type { Share } from "./windows.ts";

/** A message that may be handled again: counted, late or filtered out. */
export interface PositionRow {
  readonly partition: number;
  readonly offset: number;
  /** The watermark of its partition before it: by that it is judged again. */
  readonly watermark: number;
  share: Share | undefined;
}

/**
 * The messages from the first one on that a checkpoint may have handled again: by them a replay finds what was added
 * for it, and windows know how long they must be kept.
 */
export class Positions {
  readonly #prefix: string;
  readonly #partitions = new Map<number, Map<number, PositionRow>>();
  readonly #unsaved = new Set<PositionRow>();
  readonly #saved = new Set<PositionRow>();

  /** Rows begin with `prefix`. */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** Reads what was stored. */
  load(rows: StateRows): void {
    for (const [, value] of rows.scan(this.#prefix)) {
      const [partition, offset, watermark, share] = value as [
        number,
        number,
        number,
        [unknown, number, number, unknown] | null,
      ];
      const row: PositionRow = { partition, offset, watermark, share: undefined };
      if (share !== null) {
        const [key, start, end, read] = share;
        row.share = { key, mapKey: toMapKey(key), start, end, read };
      }
      this.#of(partition).set(offset, row);
      this.#saved.add(row);
    }
  }

  /** Writes what has changed. */
  save(rows: StateRows): void {
    for (const row of this.#unsaved) {
      const { partition, offset, watermark, share } = row;
      const stored = this.#prefix + encodeParts([partition, offset]);
      if (this.find(partition, offset) === row) {
        const part = share === undefined ? null : [share.key, share.start, share.end, share.read];
        rows.set(stored, [partition, offset, watermark, part]);
        this.#saved.add(row);
      } else if (this.#saved.delete(row)) rows.delete(stored);
    }
    this.#unsaved.clear();
  }

  /** Returns the row of a message. */
  find(partition: number, offset: number): PositionRow | undefined {
    return this.#partitions.get(partition)?.get(offset);
  }

  /** Makes the row of a message that is handled for the first time. */
  add(partition: number, offset: number, watermark: number): PositionRow {
    const row = { partition, offset, watermark, share: undefined };
    this.#of(partition).set(offset, row);
    this.#unsaved.add(row);
    return row;
  }

  /** What was added for a message is another now. */
  changed(row: PositionRow): void {
    this.#unsaved.add(row);
  }

  /** Forgets the rows before a position; returns whether there were any. */
  forget(partition: number, before: number): boolean {
    const rows = this.#of(partition);
    let any = false;
    for (const [offset, row] of rows) {
      if (offset >= before) break;
      rows.delete(offset);
      this.#unsaved.add(row);
      any = true;
    }
    return any;
  }

  /** The least watermark by which a message may be judged again. */
  least(partition: number): number {
    for (const { watermark } of this.#partitions.get(partition)?.values() ?? []) return watermark;
    return Infinity;
  }

  #of(partition: number): Map<number, PositionRow> {
    return this.#partitions.getOrInsertComputed(partition, () => new Map());
  }
}
