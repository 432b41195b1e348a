import { END, type Feed, type FeedSource, openFeed } from "../../src/flow/feed.ts";
import { Receipt } from "../../src/flow/receipt.ts";

/**
 * A source with positions, as Topic is one: notes what is acknowledged, keeps the contiguous watermark,
 * can be moved, and commits its watermark at the barrier.
 */
export class Replayable<T> implements FeedSource<T>, Feed<T> {
  receipt: Receipt | undefined;
  /** The positions that were acknowledged, in their order. */
  readonly acknowledged: number[] = [];
  /** The watermarks that were committed. */
  readonly committed: number[] = [];
  /** The position before which everything is acknowledged. */
  watermark = 0;
  cancelled = false;
  /** Called by every commit; may fail it. */
  onCommit: (watermark: number) => void | Promise<void> = () => {};

  #next = 0;
  #epoch = 0;
  readonly #done = new Set<number>();

  constructor(readonly items: readonly T[]) {}

  /** How many messages were handed out since the last seek, counted from the beginning. */
  get position(): number {
    return this.#next;
  }

  [openFeed](): Feed<T> {
    this.cancelled = false;
    return this;
  }

  poll(): T | typeof END {
    if (this.#next >= this.items.length) return END;
    const position = this.#next++;
    const epoch = this.#epoch;
    this.receipt = new Receipt(() => this.#acknowledge(position, epoch));
    return this.items[position]!;
  }

  #acknowledge(position: number, epoch: number): void {
    if (epoch !== this.#epoch) return;
    this.acknowledged.push(position);
    this.#done.add(position);
    while (this.#done.delete(this.watermark)) this.watermark++;
  }

  wait(): void {}

  seek(position: unknown): void {
    this.#epoch++;
    this.#next = this.watermark = position as number;
    this.#done.clear();
  }

  snapshot() {
    const { watermark } = this;
    return async () => {
      await this.onCommit(watermark);
      this.committed.push(watermark);
    };
  }

  cancel(): void {
    this.cancelled = true;
  }
}
