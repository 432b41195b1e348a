import type { WindowCounts } from "../../snapshot.ts";
import type { StatusEvent } from "../../status.ts";
import type { FlowRun } from "../run/flow_run.ts";
import type { Maybe } from "../stage/stage.ts";
import type { Branch } from "./branches.ts";
import type { Hub } from "./hub.ts";
import type { MergeLine } from "./merge.ts";
import type { Receipt } from "./receipt.ts";
import type { Ticker } from "./ticker.ts";

/**
 * Has the sources of a merge do the work that belongs to no message of theirs: each that can, so that it goes on while
 * others are paused or have ended.
 *
 * - It is done in line with the messages of all of them.
 * - None is done while the partitions of one of them are away.
 * - The end comes when all have ended.
 */
export function addMergedTicker(
  ticker: Ticker,
  hubs: readonly Hub<unknown>[],
  branches: readonly Branch<unknown>[],
  line: MergeLine,
  stopping: AbortSignal,
): void {
  const { flowRun } = branches[0]!;
  const shared = new SharedTicks(ticker, hubs, flowRun, line, stopping);
  for (const [index, { tickers }] of hubs.entries()) {
    tickers.add(branches[index]!, new TickerAtSource(shared));
  }
}

class SharedTicks {
  readonly #parts: TickerAtSource[] = [];
  #open = 0;

  constructor(
    readonly ticker: Ticker,
    readonly hubs: readonly Hub<unknown>[],
    readonly flowRun: FlowRun,
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

  get due(): boolean {
    return this.ticker.due && !this.hubs.some(({ feed }) => feed.away === true);
  }

  tick(receipt: Receipt | undefined): Promise<void> {
    return this.line.run(() => {
      this.flowRun.goOn();
      // Another source may have done it meanwhile.
      if (this.ticker.due && !this.stopping.aborted) return this.ticker.tick(receipt);
    });
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
    return !this.#left && this.#shared.due;
  }

  get full(): boolean {
    return !this.#left && this.#shared.ticker.full;
  }

  get busy(): boolean {
    return this.#shared.ticker.busy;
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
