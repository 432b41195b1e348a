import type { Clock } from "../../clock.ts";
import type { WindowCounts } from "../../snapshot.ts";
import type { StatusEvent } from "../../status.ts";
import type { Maybe } from "../stage/stage.ts";
import type { Branch } from "./hub.ts";
import type { MergeLine } from "./merge.ts";
import type { Receipt } from "./receipt.ts";
import type { Ticker } from "./ticker.ts";

/**
 * Has the sources of a merge do the work that belongs to no message of theirs: the next one that can does it, so that
 * it goes on while others are paused or have ended.
 *
 * - It is done in line with the messages of all of them.
 * - None is done while the partitions of one of them are away.
 * - The end comes when all have ended.
 */
export function addMergedTicker(
  ticker: Ticker,
  branches: readonly Branch<unknown>[],
  line: MergeLine,
  { clock, stopping }: { readonly clock: Clock; readonly stopping: AbortSignal },
): void {
  const shared = new SharedTicks(ticker, branches, line, stopping);
  for (const branch of branches) branch.hub.addTicker(branch, new TickerAtSource(shared), clock);
}

class SharedTicks {
  /** One is being done, or waits in line. */
  #busy = false;
  readonly #parts: TickerAtSource[] = [];
  /** Those that were turned away. */
  #waiting = new Set<TickerAtSource>();
  #open = 0;

  constructor(
    readonly ticker: Ticker,
    readonly branches: readonly Branch<unknown>[],
    readonly line: MergeLine,
    readonly stopping: AbortSignal,
  ) {
    ticker.wake = () => this.#parts.forEach((part) => part.wake());
  }

  /** Adds that of a source; returns whether it is the first. */
  add(part: TickerAtSource): boolean {
    this.#open++;
    return this.#parts.push(part) === 1;
  }

  isDue(part: TickerAtSource): boolean {
    if (!this.ticker.due || this.branches.some(({ hub }) => hub.feed.away === true)) return false;
    if (this.#busy) this.#waiting.add(part);
    return !this.#busy;
  }

  isFull(part: TickerAtSource): boolean {
    const { full } = this.ticker;
    if (full) this.#waiting.add(part);
    return full;
  }

  async tick(receipt: Receipt | undefined): Promise<void> {
    this.#busy = true;
    try {
      await this.line.run(() => {
        if (this.stopping.aborted || !this.ticker.due) return;
        this.branches[0]!.flowRun.goOn();
        return this.ticker.tick(receipt);
      });
    } finally {
      this.#busy = false;
      const waiting = this.#waiting;
      this.#waiting = new Set();
      for (const part of waiting) part.wake();
    }
  }

  /** A source has ended; returns whether others have not. */
  ended(): boolean {
    const isLast = --this.#open === 0;
    if (isLast) this.ticker.ended();
    else this.ticker.looked();
    return !isLast;
  }
}

/** The work of a flow, as one of its sources sees it. */
class TickerAtSource implements Ticker {
  wake: () => void = () => {};
  readonly #shared: SharedTicks;
  readonly #isFirst: boolean;
  /** Its source has ended, and others do the work. */
  #left = false;

  constructor(shared: SharedTicks) {
    this.#shared = shared;
    this.#isFirst = shared.add(this);
  }

  get due(): boolean {
    return !this.#left && this.#shared.isDue(this);
  }

  get full(): boolean {
    return !this.#left && this.#shared.isFull(this);
  }

  get pending(): boolean {
    return !this.#left && this.#shared.ticker.pending;
  }

  tick(receipt: Receipt | undefined): Maybe {
    return this.#shared.tick(receipt);
  }

  ended(): void {
    this.#left = this.#shared.ended();
  }

  looked(): void {
    this.#shared.ticker.looked();
  }

  tell(status: (event: StatusEvent) => void): void {
    if (this.#isFirst) this.#shared.ticker.tell(status);
  }

  look(): WindowCounts {
    return this.#shared.ticker.look();
  }
}
