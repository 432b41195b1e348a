import { HashIndex } from "./hash_index.ts";

/** Keys that a leaf holds before it is split. */
const LEAF = 128;

/**
 * A map in the order of its keys: a hash table of the values, and one array of leaves, each with up to 128 sorted keys.
 *
 * - The hash table serves single keys: a search compares with keys that are in no cache of the processor, and takes
 *   three times as long at 100,000 keys in random order. Only what is new, or deleted, is searched.
 * - Two levels suffice for some millions of keys, and a binary search in small arrays of strings beats a deeper tree.
 *   Appending in order fills leaves completely.
 */
export class OrderedMap<T> {
  readonly #values = new HashIndex<T>();
  readonly #leaves: string[][] = [[]];
  /** The first key of each leaf; the first leaf begins at "", so that every key has its leaf. */
  readonly #firsts: string[] = [""];
  /** The leaf in which the last search ended: the next one is often for a neighbour. */
  #leaf = 0;

  /** How many keys there are. */
  get size(): number {
    return this.#values.size;
  }

  /** Returns the value of a key. */
  get(key: string): T | undefined {
    return this.#values.get(key);
  }

  /** Adds a key or replaces its value; returns the value that was replaced. */
  set(key: string, value: T): T | undefined {
    const old = this.#values.set(key, value);
    if (old === undefined) this.#insert(key);
    return old;
  }

  /** Removes a key; returns its value. */
  delete(key: string): T | undefined {
    const old = this.#values.delete(key);
    if (old === undefined) return undefined;
    const index = this.#find(key);
    const keys = this.#leaves[this.#leaf]!;
    keys.splice(index, 1);
    if (keys.length === 0 && this.#leaves.length > 1) {
      this.#leaves.splice(this.#leaf, 1);
      this.#firsts.splice(this.#leaf, 1);
      this.#firsts[0] = "";
      this.#leaf = 0;
    }
    return old;
  }

  /** Removes everything. */
  clear(): void {
    this.#values.clear();
    this.#leaves.splice(0, Infinity, []);
    this.#firsts.splice(0, Infinity, "");
    this.#leaf = 0;
  }

  /** Returns all values, upwards. */
  values(): T[] {
    return this.#leaves.flatMap((keys) => keys.map((key) => this.#values.get(key)!));
  }

  /** Adds to `out` up to `count` values with `low <= key < high`, upwards. */
  upwards(low: string, high: string, count: number, out: T[]): void {
    let index = this.#find(low);
    for (let leaf = this.#leaf; leaf < this.#leaves.length; leaf++, index = 0) {
      const keys = this.#leaves[leaf]!;
      for (; index < keys.length; index++) {
        const key = keys[index]!;
        if (count === 0 || key >= high) return;
        out.push(this.#values.get(key)!);
        count--;
      }
    }
  }

  /** Adds to `out` up to `count` values with `low <= key < high`, downwards. */
  downwards(low: string, high: string, count: number, out: T[]): void {
    let index = this.#find(high) - 1;
    for (let leaf = this.#leaf; leaf >= 0; index = (this.#leaves[--leaf]?.length ?? 0) - 1) {
      const keys = this.#leaves[leaf]!;
      for (; index >= 0; index--) {
        const key = keys[index]!;
        if (count === 0 || key < low) return;
        out.push(this.#values.get(key)!);
        count--;
      }
    }
  }

  /** Searches a key, and remembers its leaf; returns its index there, or that at which it would be inserted. */
  #find(key: string): number {
    if (!this.#inLeaf(key)) this.#findLeaf(key);
    const keys = this.#leaves[this.#leaf]!;
    const length = keys.length;
    if (length > 0 && keys[length - 1]! < key) return length;
    let low = 0;
    let high = length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (keys[middle]! < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Whether a key belongs to the leaf in which the last search ended. */
  #inLeaf(key: string): boolean {
    if (this.#firsts[this.#leaf]! > key) return false;
    const next = this.#firsts[this.#leaf + 1];
    return next === undefined || key < next;
  }

  #findLeaf(key: string): void {
    const firsts = this.#firsts;
    let low = 0;
    let high = firsts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (firsts[middle]! <= key) low = middle;
      else high = middle - 1;
    }
    this.#leaf = low;
  }

  /** Adds a key to the leaves. */
  #insert(key: string): void {
    const index = this.#find(key);
    const keys = this.#leaves[this.#leaf]!;
    const appended = index === keys.length;
    if (appended) keys.push(key);
    else keys.splice(index, 0, key);
    if (keys.length <= LEAF) return;
    // A map that grows at its end keeps full leaves: only the new key moves on.
    const last = this.#leaf === this.#leaves.length - 1;
    const right = keys.splice(appended && last ? keys.length - 1 : keys.length >> 1);
    this.#leaves.splice(this.#leaf + 1, 0, right);
    this.#firsts.splice(this.#leaf + 1, 0, right[0]!);
  }
}
