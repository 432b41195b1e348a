/** What is to be looked at when a watermark has passed a time, the earliest first: a binary heap. */
export class WindowDeadlines<T> {
  readonly #times: number[] = [];
  readonly #items: T[] = [];

  /** When the first is due. */
  get next(): number {
    return this.#times[0] ?? Infinity;
  }

  /** Adds something. */
  add(time: number, item: T): void {
    let at = this.#times.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#times[parent]! <= time) break;
      this.#put(at, this.#times[parent]!, this.#items[parent]!);
      at = parent;
    }
    this.#put(at, time, item);
  }

  /** Takes the first if it is due at `watermark`. */
  take(watermark: number): T | undefined {
    if (this.next > watermark) return undefined;
    const [first] = this.#items;
    const time = this.#times.pop()!;
    const item = this.#items.pop()!;
    const length = this.#times.length;
    if (length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= length) break;
      if (child + 1 < length && this.#times[child + 1]! < this.#times[child]!) child++;
      if (this.#times[child]! >= time) break;
      this.#put(at, this.#times[child]!, this.#items[child]!);
      at = child;
    }
    this.#put(at, time, item);
    return first;
  }

  #put(at: number, time: number, item: T): void {
    this.#times[at] = time;
    this.#items[at] = item;
  }
}
