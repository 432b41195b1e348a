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

/**
 * Results that are part of a cut before anybody sees them: what a crash takes back was never given to anybody. An item
 * leaves once its cut is on disk, and is deleted in the same cut as what was made of it.
 */
export class Outbox {
  readonly #prefix: string;
  readonly #items: OutboxItem[] = [];
  #head = 0;
  #next = 0;
  /** Items up to this number, excluded, may leave. */
  #durable = 0;
  /** Items up to this number, excluded, are rows. */
  #saved = 0;
  #left: number[] = [];

  /** Rows begin with `prefix`; without `stored` items may leave at once. */
  constructor(prefix: string, readonly stored: boolean) {
    this.#prefix = prefix;
  }

  /** Reads what was stored. */
  load(rows: StateRows): void {
    for (const [, value] of rows.scan(this.#prefix)) {
      const [number, type, content] = value as [number, OutboxItem["type"], unknown];
      this.#items.push({ number, type, value: content });
      this.#next = number + 1;
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

  /** True while items wait for a cut. */
  get waits(): boolean {
    return this.stored && this.#durable < this.#next;
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
    const { number } = this.#items[this.#head++]!;
    if (this.stored) this.#left.push(number);
    if (this.#head < 1024 && this.#head < this.#items.length) return;
    this.#items.splice(0, this.#head);
    this.#head = 0;
  }

  /** Writes what has changed; what it returns is called when that is on disk. */
  save(rows: StateRows): () => void {
    for (const number of this.#left) rows.delete(this.#prefix + encodeParts(number));
    this.#left = [];
    for (let at = this.#items.length - 1; at >= this.#head; at--) {
      const { number, type, value } = this.#items[at]!;
      if (number < this.#saved) break;
      rows.set(this.#prefix + encodeParts(number), [number, type, value]);
    }
    const next = this.#saved = this.#next;
    return () => this.#durable = Math.max(this.#durable, next);
  }
}
