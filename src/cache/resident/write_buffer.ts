import type { Entry } from "./entry.ts";
import { Page } from "./page.ts";

/** Below this many dead entries the buffer is left as it is. */
const MIN_DEAD = 1_000;

/** The entries of a table that no page has yet, in the order of writing, dead ones too. */
export class WriteBuffer {
  #entries: Entry[] = [];
  #dead = 0;
  /** Where {@linkcode WriteBuffer.next} goes on. */
  #from = 0;

  /** Adds the newest entry. */
  push(entry: Entry): void {
    this.#entries.push(entry);
    // One key written a million times is one entry.
    if (this.#dead < MIN_DEAD || this.#dead * 2 < this.#entries.length) return;
    this.#set(this.#entries.filter((entry) => entry.live));
  }

  /** Counts one of its entries as dead. */
  bury(): void {
    this.#dead++;
  }

  /** Returns the oldest live value that was not returned before. */
  next(): Entry | undefined {
    while (this.#from < this.#entries.length) {
      const entry = this.#entries[this.#from++]!;
      if (entry.live && !entry.tombstone) return entry;
    }
    return undefined;
  }

  /** Empties it into new pages; `nextId` numbers them. */
  take(nextId: () => number): Page[] {
    const pages: Page[] = [];
    let page: Page | undefined;
    for (const entry of this.#entries) {
      if (!entry.live) continue;
      if (page === undefined || !page.fits(entry)) pages.push(page = new Page(nextId()));
      page.add(entry);
    }
    this.clear();
    return pages;
  }

  /** Nothing of it is taken back any more. */
  settle(): void {
    for (const entry of this.#entries) entry.by = undefined;
  }

  /** Forgets everything. */
  clear(): void {
    this.#set([]);
  }

  #set(entries: Entry[]): void {
    this.#entries = entries;
    this.#dead = 0;
    this.#from = 0;
  }
}
