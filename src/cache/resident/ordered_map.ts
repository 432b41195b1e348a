/** Entries that a leaf holds before it is split. */
const LEAF = 128;

interface Leaf<T> {
  keys: string[];
  values: T[];
}

/**
 * A map in the order of its keys: one array of leaves, each with up to 128 sorted keys.
 *
 * - Two levels suffice for some millions of entries, and a binary search in small arrays of strings beats a
 *   deeper tree. Appending in order fills leaves completely.
 * - It also beats a `Map` at single keys that were just encoded: those have no hash yet, and making one costs
 *   more than twenty comparisons. Up to a million entries, in any order of access.
 */
export class OrderedMap<T> {
  readonly #leaves: Leaf<T>[] = [{ keys: [], values: [] }];
  /** The first key of each leaf; the first leaf begins at "", so that every key has its leaf. */
  readonly #firsts: string[] = [""];
  // Where the last search ended: leaf and index in it. The next search is often for a neighbour.
  #leaf = 0;
  #index = 0;
  #size = 0;

  /** How many keys there are. */
  get size(): number {
    return this.#size;
  }

  /** Returns the value of a key. */
  get(key: string): T | undefined {
    return this.#find(key) ? this.#leaves[this.#leaf]!.values[this.#index] : undefined;
  }

  /** Adds a key or replaces its value; returns the value that was replaced. */
  set(key: string, value: T): T | undefined {
    if (!this.#find(key)) return void this.#insert(key, value);
    const { values } = this.#leaves[this.#leaf]!;
    const old = values[this.#index];
    values[this.#index] = value;
    return old;
  }

  /** Removes a key; returns its value. */
  delete(key: string): T | undefined {
    if (!this.#find(key)) return undefined;
    const { keys, values } = this.#leaves[this.#leaf]!;
    keys.splice(this.#index, 1);
    const [old] = values.splice(this.#index, 1);
    this.#size--;
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
    this.#leaves.splice(0, Infinity, { keys: [], values: [] });
    this.#firsts.splice(0, Infinity, "");
    this.#leaf = 0;
    this.#size = 0;
  }

  /** Returns all values, upwards. */
  values(): T[] {
    return this.#leaves.flatMap(({ values }) => values);
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
    if (this.#leaves[this.#leaf]!.keys[this.#index] === key) return true; // what was read is written
    if (!this.#inLeaf(key)) this.#findLeaf(key);
    const keys = this.#leaves[this.#leaf]!.keys;
    const length = keys.length;
    if (length > 0 && keys[length - 1]! < key) {
      this.#index = length;
      return false;
    }
    let low = 0;
    let high = length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (keys[middle]! < key) low = middle + 1;
      else high = middle;
    }
    this.#index = low;
    return low < length && keys[low] === key;
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

  /** Inserts where the last search ended. */
  #insert(key: string, value: T): void {
    this.#size++;
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
