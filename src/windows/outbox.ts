import { encodeParts } from "../cache/keys.ts";
import { RootMessage } from "../flow/state/root_message.ts";
import type { StateRows } from "../flow/state/state.ts";

/** What waits to be given on. */
export interface OutboxItem {
  /** Counts the items. */
  readonly number: number;
  /** A result goes to the handler, what is late to its sink. */
  readonly type: "result" | "late";
  value: unknown;
  /** True once it has left, and what was made of it is done. */
  left: boolean;
  /** What it left with: it is gone once that is in a cut; undefined where it is gone at once. */
  with: Cuttable | undefined;
}

/** Something that is in a cut, or not yet. */
interface Cuttable {
  readonly cut: boolean;
}

/** So many items may wait: no message begins, and no window closes, while there are more. */
const MOST_ITEMS = 10_000;
/** So many items are one row. */
const ITEMS_PER_ROW = 64;
/** The part of a key under which the number of the first item that is not gone is stored, and of the gone ones behind. */
const FIRST = "first";

/** Items of one row, by number: from the first to the end, excluded. */
interface OutboxRow {
  readonly stored: string;
  readonly end: number;
}

/**
 * Results that are part of a cut before anybody sees them: what a crash takes back was never given to anybody. An item
 * leaves once its cut is on disk, and the cut that stores what was made of it no longer stores it. Several may be on
 * their way at the same time, and be done in any order.
 */
export class Outbox {
  readonly #prefix: string;
  /** From the first one that is not gone on; their numbers have no gaps. */
  readonly #items: OutboxItem[] = [];
  #head = 0;
  #next = 0;
  /** The number of the next item to leave. */
  #leaving = 0;
  /** How many have not left. */
  #size = 0;
  /** Items up to this number, excluded, may leave. */
  #durable = 0;
  /** Items up to this number, excluded, are in rows. */
  #saved = 0;
  /** The rows, in order. */
  readonly #rows: OutboxRow[] = [];
  /** The first item that is not gone, and those behind it that are, as they are stored. */
  #gone = "";

  /** Rows begin with `prefix`; without `stored` items may leave at once. */
  constructor(prefix: string, readonly stored: boolean) {
    this.#prefix = prefix;
  }

  /** Reads what was stored. */
  load(rows: StateRows): void {
    let first = 0;
    const gone = new Set<number>();
    for (const [stored, value] of rows.scan(this.#prefix)) {
      if (stored === this.#prefix + encodeParts(FIRST)) { // it comes before numbers
        const numbers = [value].flat() as number[];
        this.#gone = numbers.join();
        first = this.#next = this.#leaving = numbers.shift()!;
        for (const number of numbers) gone.add(number);
        continue;
      }
      const [number, items] = value as [number, [OutboxItem["type"], unknown][]];
      this.#next = number;
      for (const [type, content] of items) {
        if (this.#next < first) this.#next++;
        else this.add(type, content);
        if (!gone.has(this.#next - 1)) continue;
        this.left(this.#items.at(-1)!, undefined);
      }
      this.#rows.push({ stored, end: this.#next });
    }
    this.#durable = this.#saved = this.#next;
  }

  /** How many items have not left. */
  get size(): number {
    return this.#size;
  }

  /** True while no more should be added. */
  get full(): boolean {
    return this.size >= MOST_ITEMS;
  }

  /** The next item that may leave. */
  get first(): OutboxItem | undefined {
    let item = this.#at(this.#leaving);
    while (item?.left) item = this.#at(++this.#leaving);
    if (item === undefined || (this.stored && item.number >= this.#durable)) return undefined;
    return item;
  }

  #at(number: number): OutboxItem | undefined {
    const first = this.#items[this.#head];
    return first && this.#items[this.#head + number - first.number];
  }

  /** Adds an item. */
  add(type: OutboxItem["type"], value: unknown): void {
    this.#items.push({ number: this.#next++, type, value, left: false, with: undefined });
    this.#size++;
  }

  /** Takes the next item that may leave. */
  take(): OutboxItem {
    const item = this.first!;
    this.#leaving++;
    return item;
  }

  /** An item has left with what is in a cut once `root` is. */
  left(item: OutboxItem, root: unknown): void {
    item.left = true;
    item.value = undefined;
    item.with = root instanceof RootMessage ? root : undefined;
    this.#size--;
    this.#shrink();
  }

  #shrink(): void {
    while (isGone(this.#items[this.#head])) this.#head++;
    this.#leaving = Math.max(this.#leaving, this.#items[this.#head]?.number ?? this.#next);
    if (this.#head < 1024 && this.#head < this.#items.length) return;
    this.#items.splice(0, this.#head);
    this.#head = 0;
  }

  /** Writes what has changed; what it returns is called when that is on disk. */
  save(rows: StateRows): () => void {
    this.#shrink();
    const first = this.#items[this.#head]?.number ?? this.#next;
    while (this.#rows.length > 0 && this.#rows[0]!.end <= first) {
      rows.delete(this.#rows.shift()!.stored);
    }
    const numbers = [first];
    for (let number = first + 1; number < this.#leaving; number++) {
      if (isGone(this.#at(number))) numbers.push(number);
    }
    const gone = numbers.join();
    if (gone !== this.#gone) {
      rows.set(this.#prefix + encodeParts(FIRST), numbers.length === 1 ? first : numbers);
      this.#gone = gone;
    }
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

/** True when nothing of an item is to be stored any more. */
function isGone(item: OutboxItem | undefined): boolean {
  return item !== undefined && item.left && (item.with === undefined || item.with.cut);
}
