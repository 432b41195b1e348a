import type { Cursor, Range } from "../space.ts";
import type { Entry } from "./entry.ts";
import type { OrderedMap } from "./ordered_map.ts";

/** The first chunk of a walk is small, for those that want the nearest key only; later ones grow. */
const FIRST_CHUNK = 16;
const LAST_CHUNK = 256;

/** What a cursor walks through. */
interface Walked {
  read(key: string): Entry | undefined;
  /** Told what was read in one step; true when it must be read again. */
  scanned(low: string, high: string): boolean;
}

/** Walks through a range of a table chunk by chunk, finding its place again by key after each. */
export class TableCursor implements Cursor {
  readonly #table: Walked;
  readonly #order: OrderedMap<Entry>;
  readonly #clock: { now(): number };
  readonly #reverse: boolean;
  #low: string;
  #high: string;
  #left: number;
  #chunk: Entry[] = [];
  #index = 0;
  #chunkSize = FIRST_CHUNK;

  /** Stands before the first entry of the range. */
  constructor(
    table: Walked,
    order: OrderedMap<Entry>,
    range: Range,
    clock: { now(): number },
  ) {
    this.#table = table;
    this.#order = order;
    this.#clock = clock;
    this.#reverse = range.reverse;
    this.#low = range.low;
    this.#high = range.high;
    this.#left = range.limit;
  }

  /** Returns the next entry, or undefined at the end. */
  next(): Entry | undefined {
    while (this.#left > 0) {
      if (this.#index === this.#chunk.length && !this.#fill()) return undefined;
      let entry: Entry | undefined = this.#chunk[this.#index++]!;
      // Overwritten since the chunk was taken: the newer one counts. Deleted: none does.
      if (!entry.live) entry = this.#table.read(entry.key);
      else if (entry.expires !== 0 && entry.expired(this.#clock.now())) continue;
      if (entry === undefined) continue;
      this.#left--;
      return entry;
    }
    return undefined;
  }

  #fill(): boolean {
    const count = Math.min(this.#chunkSize, this.#left);
    this.#chunkSize = Math.min(this.#chunkSize * 4, LAST_CHUNK);
    this.#index = 0;
    for (;;) {
      const chunk: Entry[] = this.#chunk = [];
      let low = this.#low;
      let high = this.#high;
      if (this.#reverse) this.#order.downwards(low, high, count, chunk);
      else this.#order.upwards(low, high, count, chunk);
      const last = chunk[chunk.length - 1];
      if (last !== undefined) {
        if (this.#reverse) low = last.key;
        else high = last.key + "\0";
      }
      if (this.#table.scanned(low, high)) continue;
      if (last === undefined) return false;
      if (this.#reverse) this.#high = low;
      else this.#low = high;
      return true;
    }
  }
}
