import { encodeParts, type KeyPart } from "../keys.ts";
import type { Cursor, Found, Range } from "../space.ts";
import type { Calls } from "./calls.ts";

const BATCH = 100;

/** Reads the entry of a row; undefined when it has expired or gone. */
type ReadRow = (key: string, row: Deno.KvEntry<Uint8Array>) => Promise<Found | undefined>;

/** Walks through the rows of a range, as they are when it comes to them. */
export class RowCursor implements Cursor {
  readonly #kv: Deno.Kv;
  readonly #calls: Calls;
  readonly #root: readonly Deno.KvKeyPart[];
  readonly #range: Range;
  readonly #read: ReadRow;
  #list: AsyncIterator<Deno.KvEntry<Uint8Array>> | undefined;
  #left: number;

  /** Stands before the first row of the range. */
  constructor(
    store: { readonly kv: Deno.Kv; readonly calls: Calls },
    root: readonly Deno.KvKeyPart[],
    range: Range,
    read: ReadRow,
  ) {
    this.#kv = store.kv;
    this.#calls = store.calls;
    this.#root = root;
    this.#range = range;
    this.#read = read;
    this.#left = range.limit;
  }

  /** Returns the next entry, or undefined at the end. */
  async next(): Promise<Found | undefined> {
    while (this.#left > 0) {
      const row = await this.#nextRow();
      if (row === undefined) return undefined;
      const found = await this.#read(row.key, row.entry);
      if (found === undefined) continue;
      this.#left--;
      return found;
    }
    return undefined;
  }

  /** Returns the next key, whether its entry has expired or not. */
  async nextKey(): Promise<string | undefined> {
    return (await this.#nextRow())?.key;
  }

  async #nextRow(): Promise<{ key: string; entry: Deno.KvEntry<Uint8Array> } | undefined> {
    const { low, high, reverse } = this.#range;
    if (low >= high) return undefined;
    this.#list ??= this.#open();
    for (;;) {
      const { done, value: entry } = await this.#calls.call(() => this.#list!.next());
      if (done) return undefined;
      const key = encodeParts(entry.key.slice(this.#root.length) as KeyPart[]);
      if (reverse ? key < low : key >= high) return undefined;
      if (reverse ? key < high : key >= low) return { key, entry };
    }
  }

  #open(): AsyncIterator<Deno.KvEntry<Uint8Array>> {
    const { prefix, first, reverse } = this.#range;
    const selector: Deno.KvListSelector = { prefix: [...this.#root, ...prefix] };
    if (first !== undefined) {
      const bound = [...this.#root, ...first];
      Object.assign(selector, reverse ? { end: bound } : { start: bound });
    }
    return this.#kv.list<Uint8Array>(selector, { batchSize: BATCH, reverse });
  }
}
