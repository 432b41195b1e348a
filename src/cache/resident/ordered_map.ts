/** Entries that a leaf holds before it is split. */
const LEAF = 128;

interface Leaf<T> {
  keys: string[];
  values: T[];
}

/**
 * A map in the order of its keys: one array of leaves, each with up to 128 sorted keys.
 *
 * Two levels suffice for some millions of entries, and a binary search in small arrays of strings beats a
 * deeper tree. Appending in order fills leaves completely.
 */
export class OrderedMap<T> {
  readonly #leaves: Leaf<T>[] = [{ keys: [], values: [] }];
  /** The first key of each leaf; the first leaf begins at "", so that every key has its leaf. */
  readonly #firsts: string[] = [""];
  // Where the last search ended: leaf and index in it.
  #leaf = 0;
  #index = 0;

  /** Returns the value of a key. */
  get(key: string): T | undefined {
    return this.#find(key) ? this.#leaves[this.#leaf]!.values[this.#index] : undefined;
  }

  /** Adds a key or replaces its value. */
  set(key: string, value: T): void {
    if (this.#find(key)) this.#leaves[this.#leaf]!.values[this.#index] = value;
    else this.#insert(key, value);
  }

  /** Fills an empty map with keys that are in order, and their values. */
  fill(keys: readonly string[], values: readonly T[]): void {
    for (let at = 0; at < keys.length; at += LEAF) {
      const leaf = { keys: keys.slice(at, at + LEAF), values: values.slice(at, at + LEAF) };
      this.#leaves[at / LEAF] = leaf;
      this.#firsts[at / LEAF] = at === 0 ? "" : leaf.keys[0]!;
    }
  }

  /** Removes a key; says whether it was there. */
  delete(key: string): boolean {
    if (!this.#find(key)) return false;
    const { keys, values } = this.#leaves[this.#leaf]!;
    keys.splice(this.#index, 1);
    values.splice(this.#index, 1);
    if (keys.length === 0 && this.#leaves.length > 1) {
      this.#leaves.splice(this.#leaf, 1);
      this.#firsts.splice(this.#leaf, 1);
      this.#firsts[0] = "";
    }
    return true;
  }

  /** Removes everything. */
  clear(): void {
    this.#leaves.splice(0, Infinity, { keys: [], values: [] });
    this.#firsts.splice(0, Infinity, "");
  }

  /** Adds to `out` up to `count` values with `low <= key < high`, upwards. */
  upwards(low: string, high: string, count: number, out: T[]): void {
    this.#find(low);
    let index = this.#index;
    for (let leaf = this.#leaf; leaf < this.#leaves.length; leaf++, index = 0) {
      const { keys, values } = this.#leaves[leaf]!;
      for (; index < keys.length; index++) {
        if (count === 0 || keys[index]! >= high) return;
        out.push(values[index]!);
        count--;
      }
    }
  }

  /** Adds to `out` up to `count` values with `low <= key < high`, downwards. */
  downwards(low: string, high: string, count: number, out: T[]): void {
    this.#find(high);
    let index = this.#index - 1;
    for (let leaf = this.#leaf; leaf >= 0; index = (this.#leaves[--leaf]?.keys.length ?? 0) - 1) {
      const { keys, values } = this.#leaves[leaf]!;
      for (; index >= 0; index--) {
        if (count === 0 || keys[index]! < low) return;
        out.push(values[index]!);
        count--;
      }
    }
  }

  /** Searches a key and remembers where it is, or where it would be inserted. */
  #find(key: string): boolean {
    const firsts = this.#firsts;
    let low = 0;
    let high = firsts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (firsts[middle]! <= key) low = middle;
      else high = middle - 1;
    }
    this.#leaf = low;
    const keys = this.#leaves[low]!.keys;
    const length = keys.length;
    if (length > 0 && keys[length - 1]! < key) {
      this.#index = length;
      return false;
    }
    low = 0;
    high = length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (keys[middle]! < key) low = middle + 1;
      else high = middle;
    }
    this.#index = low;
    return low < length && keys[low] === key;
  }

  /** Inserts where the last search ended. */
  #insert(key: string, value: T): void {
    const { keys, values } = this.#leaves[this.#leaf]!;
    const appended = this.#index === keys.length;
    if (appended) {
      keys.push(key);
      values.push(value);
    } else {
      keys.splice(this.#index, 0, key);
      values.splice(this.#index, 0, value);
    }
    if (keys.length <= LEAF) return;
    // A map that grows at its end keeps full leaves: only the new key moves on.
    const last = this.#leaf === this.#leaves.length - 1;
    const split = appended && last ? keys.length - 1 : keys.length >> 1;
    const right = { keys: keys.splice(split), values: values.splice(split) };
    this.#leaves.splice(this.#leaf + 1, 0, right);
    this.#firsts.splice(this.#leaf + 1, 0, right.keys[0]!);
  }
}
