import type { Clock } from "../../clock.ts";
import type { StatusEvent } from "../../status.ts";
import type { FlowRun } from "../run/flow_run.ts";
import type { Branch } from "./branches.ts";
import type { Feed } from "./feed.ts";
import { PendingSilence } from "./silence.ts";
import type { Ticker } from "./ticker.ts";

/** The longest span between two looks that counts as silence, in milliseconds. */
const LONGEST_SILENCE_MS = 2_000;

/** A flow with work between the messages of a source. */
export interface Ticked<T> {
  readonly branch: Branch<T>;
  readonly ticker: Ticker;
}

/** The work of the flows of one source that belongs to none of its messages. */
export class Tickers<T> {
  /** Measured where somebody needs it and the source does not tell it. */
  pendingSilence: PendingSilence | undefined;
  /** True once the source has come to its end by itself, where there are any. */
  exhausted = false;
  readonly #all: Ticked<T>[] = [];
  readonly #feed: Feed<T>;
  readonly #clock: Clock;
  readonly #wake: () => void;

  /** `wake` has the source looked at again. */
  constructor(feed: Feed<T>, clock: Clock, wake: () => void) {
    this.#feed = feed;
    this.#clock = clock;
    this.#wake = wake;
  }

  /** Has `ticker` work between the messages of `branch`. */
  add(branch: Branch<T>, ticker: Ticker): void {
    this.#all.push({ branch, ticker });
    ticker.wake = this.#wake;
    branch.beginning = ticker.begin?.bind(ticker);
    const feed = this.#feed;
    if (feed.silence === undefined) {
      this.pendingSilence ??= new PendingSilence(this.#clock, LONGEST_SILENCE_MS);
    } else feed.onLook = () => this.#all.forEach(({ ticker }) => ticker.looked());
  }

  /** True where there are any. */
  get any(): boolean {
    return this.#all.length > 0;
  }

  /** That of a flow. */
  of(flowRun: FlowRun): Ticker | undefined {
    return this.#all.find(({ branch }) => branch.flowRun === flowRun)?.ticker;
  }

  /**
   * Counts silence only while `busy` returns false: what the source handed out may be on its way through Proxies.
   * Returns what is to be called when that may have come to its end.
   */
  countSilenceUnless(busy: () => boolean): () => void {
    const silence = this.pendingSilence;
    if (silence === undefined) return () => {}; // the source itself knows what is done
    const before = silence.busy;
    silence.busy = () => before() || busy();
    return () => silence.settled();
  }

  /** For how long, in milliseconds, a partition was known to have nothing more; it never goes back. */
  silence(partition: number): number {
    return this.pendingSilence?.ms ?? this.#feed.silence?.(partition) ?? 0;
  }

  /** Who has something to do now; asked before every message, as is `full`. */
  get due(): Ticked<T> | undefined {
    for (const ticked of this.#all) if (!ticked.branch.ended && ticked.ticker.due) return ticked;
    return undefined;
  }

  /** True while no message may begin. */
  get full(): boolean {
    if (this.exhausted) return true;
    for (const { ticker } of this.#all) if (ticker.full) return true;
    return false;
  }

  /** True when nothing is left to do of a source that has ended. */
  get done(): boolean {
    const left = this.#all.some(({ branch, ticker }) =>
      !branch.ended && (ticker.pending || ticker.full)
    );
    return this.exhausted && !left;
  }

  /** True while what they have given is not done. */
  get busy(): boolean {
    return this.#all.some(({ ticker }) => ticker.busy);
  }

  /** The source has come to its end, and nothing of it is in flight. */
  ended(): void {
    for (const { ticker } of this.#all) ticker.ended();
  }

  /** Tells how they stand. */
  tell(status: (event: StatusEvent) => void): void {
    for (const { ticker } of this.#all) ticker.tell(status);
  }
}
