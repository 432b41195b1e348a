/** How many keys one `Map` has: with one more it would double, for which everything waits a tenth of a second. */
const MOST = 2 ** 20;

/** The values of keys in no order, none of them undefined: several `Map`s, as one takes 16 million keys at most. */
export class HashIndex<T> {
  readonly #most: number;
  readonly #maps: Map<string, T>[] = [new Map()];

  /** Makes an empty one, with up to `most` keys a `Map`. */
  constructor(most: number = MOST) {
    this.#most = most;
  }

  /** How many keys there are. */
  get size(): number {
    let size = 0;
    for (const map of this.#maps) size += map.size;
    return size;
  }

  /** Returns the value of a key. */
  get(key: string): T | undefined {
    for (const map of this.#maps) {
      const value = map.get(key);
      if (value !== undefined) return value;
    }
    return undefined;
  }

  /** Adds a key or replaces its value; returns the value that was replaced. */
  set(key: string, value: T): T | undefined {
    for (const map of this.#maps) {
      const old = map.get(key);
      if (old === undefined) continue;
      map.set(key, value);
      return old;
    }
    let map = this.#maps.find(({ size }) => size < this.#most);
    if (map === undefined) this.#maps.push(map = new Map());
    map.set(key, value);
    return undefined;
  }

  /** Removes a key; returns its value. */
  delete(key: string): T | undefined {
    for (const map of this.#maps) {
      const old = map.get(key);
      if (old !== undefined && map.delete(key)) return old;
    }
    return undefined;
  }

  /** Removes everything. */
  clear(): void {
    this.#maps.splice(0, Infinity, new Map());
  }
}
