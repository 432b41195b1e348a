/**
 * A queue that knows the merge of all that is in it: two stacks, each with the merges from its bottom up, so that
 * pushing and taking merge once, over time.
 */
export class MergeQueue<T> {
  readonly #merge: (first: unknown, second: unknown) => unknown;
  /** The front, the first at the end, each with the merge of it and all behind it in the front. */
  readonly #front: { readonly item: T; readonly merged: unknown }[] = [];
  #back: { readonly item: T; readonly share: unknown }[] = [];
  #merged: unknown;

  constructor(merge: (first: unknown, second: unknown) => unknown) {
    this.#merge = merge;
  }

  /** The first item. */
  get first(): T | undefined {
    return (this.#front.at(-1) ?? this.#back[0])?.item;
  }

  /** The merge of all; there must be one. */
  get value(): unknown {
    const front = this.#front.at(-1);
    if (front === undefined) return this.#merged;
    return this.#back.length === 0 ? front.merged : this.#merge(front.merged, this.#merged);
  }

  push(item: T, share: unknown): void {
    this.#merged = this.#back.length === 0 ? share : this.#merge(this.#merged, share);
    this.#back.push({ item, share });
  }

  /** Takes the first item. */
  shift(): T | undefined {
    if (this.#front.length === 0) {
      let merged: unknown;
      for (let at = this.#back.length - 1; at >= 0; at--) {
        const { item, share } = this.#back[at]!;
        merged = at === this.#back.length - 1 ? share : this.#merge(share, merged);
        this.#front.push({ item, merged });
      }
      this.#back = [];
    }
    return this.#front.pop()?.item;
  }

  /** Yields all items, from the first. */
  *[Symbol.iterator](): Generator<T> {
    for (let at = this.#front.length - 1; at >= 0; at--) yield this.#front[at]!.item;
    for (const { item } of this.#back) yield item;
  }
}
