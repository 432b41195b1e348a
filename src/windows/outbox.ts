import { encodeParts } from "../cache/keys.ts";
import type { StateRows } from "../flow/state/state.ts";

/** What waits to be given on. */
export interface OutboxItem {
  /** Counts the items. */
  readonly number: number;
  /** A result goes to the handler, what is late to its sink. */
  readonly type: "result" | "late";
  readonly value: unknown;
}

/** So many items may wait: no message begins, and no window closes, while there are more. */
const MOST_ITEMS = 10_000;
/** So many items are one row. */
const ITEMS_PER_ROW = 64;
/** The part of a key under which the number of the first item that has not left is stored. */
const FIRST = "first";

/** Items of one row, by number: from the first to the end, excluded. */
interface OutboxRow {
  readonly stored: string;
  readonly end: number;
}

/**
 * Results that are part of a cut before anybody sees them: what a crash takes back was never given to anybody. An item
 * leaves once its cut is on disk, and the cut that stores what was made of it stores it no longer.
 */
export class Outbox {
  readonly #prefix: string;
  readonly #items: OutboxItem[] = [];
  #head = 0;
  #next = 0;
  /** Items up to this number, excluded, may leave. */
  #durable = 0;
  /** Items up to this number, excluded, are in rows. */
  #saved = 0;
  /** The rows, in order. */
  readonly #rows: OutboxRow[] = [];
  /** The number of the first item that has not left, as it is stored. */
  #first = 0;

  /** Rows begin with `prefix`; without `stored` items may leave at once. */
  constructor(prefix: string, readonly stored: boolean) {
    this.#prefix = prefix;
  }

  /** Reads what was stored. */
  load(rows: StateRows): void {
    for (const [stored, value] of rows.scan(this.#prefix)) {
      if (typeof value === "number") {
        this.#first = this.#next = value; // its key comes before numbers
        continue;
      }
      const [first, items] = value as [number, [OutboxItem["type"], unknown][]];
      this.#next = first;
      for (const [type, content] of items) {
        const number = this.#next++;
        if (number >= this.#first) this.#items.push({ number, type, value: content });
      }
      this.#rows.push({ stored, end: this.#next });
    }
    this.#durable = this.#saved = this.#next;
  }

  /** How many items there are. */
  get size(): number {
    return this.#items.length - this.#head;
  }

  /** True while no more should be added. */
  get full(): boolean {
    return this.size >= MOST_ITEMS;
  }

  /** The next item that may leave. */
  get first(): OutboxItem | undefined {
    const first = this.#items[this.#head];
    if (first === undefined || (this.stored && first.number >= this.#durable)) return undefined;
    return first;
  }

  /** Adds an item. */
  add(type: OutboxItem["type"], value: unknown): void {
    this.#items.push({ number: this.#next++, type, value });
  }

  /** The first item has left. */
  shift(): void {
    this.#head++;
    if (this.#head < 1024 && this.#head < this.#items.length) return;
    this.#items.splice(0, this.#head);
    this.#head = 0;
  }

  /** Writes what has changed; what it returns is called when that is on disk. */
  save(rows: StateRows): () => void {
    const first = this.#items[this.#head]?.number ?? this.#next;
    while (this.#rows.length > 0 && this.#rows[0]!.end <= first) {
      rows.delete(this.#rows.shift()!.stored);
    }
    if (first !== this.#first) rows.set(this.#prefix + encodeParts(FIRST), this.#first = first);
    let at = this.#items.length - (this.#next - this.#saved);
    while (at < this.#items.length) {
      const items = this.#items.slice(at, at += ITEMS_PER_ROW);
      const { number } = items[0]!;
      const stored = this.#prefix + encodeParts(number);
      rows.set(stored, [number, items.map(({ type, value }) => [type, value])]);
      this.#rows.push({ stored, end: number + items.length });
    }
    const next = this.#saved = this.#next;
    return () => this.#durable = Math.max(this.#durable, next);
  }
}
