/** So many places of entries that have left are kept at the front: moving the others for each would cost more. */
const MOST_LEFT = 1_024;

/**
 * What came from a source, in its order. Mostly an entry comes behind all others; one that comes again, or late, is
 * put in its place. They leave at the front.
 */
export class InOrder<E> {
  #entries: E[] = [];
  /** The index of the first entry that has not left. */
  #head = 0;
  readonly #compare: (entry: E, other: E) => number;

  /** `compare` returns less than 0 when an entry comes before another, and 0 when it stands for the same. */
  constructor(compare: (entry: E, other: E) => number) {
    this.#compare = compare;
  }

  /** How many there are. */
  get size(): number {
    return this.#entries.length - this.#head;
  }

  /** The first one. */
  get first(): E | undefined {
    return this.#entries[this.#head];
  }

  /** The last one. */
  get last(): E | undefined {
    return this.#entries.at(-1);
  }

  /** All, from the first to the last. */
  get all(): readonly E[] {
    return this.#head === 0 ? this.#entries : this.#entries.slice(this.#head);
  }

  /** Adds an entry, and returns the one whose place it takes. */
  put(entry: E): E | undefined {
    const entries = this.#entries;
    if (this.size === 0) return void entries.push(entry);
    for (let index = entries.length; index > this.#head; index--) {
      const before = entries[index - 1]!;
      const order = this.#compare(before, entry);
      if (order > 0) continue;
      if (order === 0) {
        entries[index - 1] = entry;
        return before;
      }
      if (index === entries.length) entries.push(entry);
      else entries.splice(index, 0, entry);
      return undefined;
    }
    entries.splice(this.#head, 0, entry);
    return undefined;
  }

  /** Takes the first one out. */
  shift(): E {
    const entries = this.#entries;
    if (entries.length === 1) return entries.pop()!; // one at a time, as mostly
    const first = entries[this.#head++]!;
    if (this.#head === entries.length || this.#head === MOST_LEFT) {
      entries.splice(0, this.#head);
      this.#head = 0;
    }
    return first;
  }

  /** Drops all for which `isKept` returns false. */
  keep(isKept: (entry: E) => boolean): void {
    this.#entries = this.all.filter(isKept);
    this.#head = 0;
  }
}
