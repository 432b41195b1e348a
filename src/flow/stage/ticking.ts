import type { Clock } from "../../clock.ts";
import type { Admission } from "../concurrency/admission.ts";
import type { GivenResults } from "../concurrency/given_results.ts";
import type { WindowPort } from "../concurrency/key_scheduler.ts";
import type { StatusEvent } from "../../status.ts";
import type { Feed } from "../source/feed.ts";
import type { Receipt } from "../source/receipt.ts";
import type { Ticker } from "../source/ticker.ts";
import type { StateStore } from "../state/state.ts";
import type { Maybe } from "./stage.ts";

/** What a stage with ticks is offered where its flow handles several messages at the same time. */
export interface ConcurrentTicking {
  /** Gives it the messages in the order of their partitions. */
  readonly admission: Admission;
  /** Handles its results. */
  readonly results: GivenResults;
  /** The stage in the chain of one slot. */
  readonly port: WindowPort;
}

/** A source of a flow, or the one before its Proxies, as a stage sees it whose outputs belong to no message. */
export interface TickingSource {
  /** Its name. */
  readonly name: string;
  /** The source while it is read. */
  readonly feed: Feed<unknown>;
  /** True once it has come to its end by itself. */
  readonly exhausted: boolean;
  /** For how long a partition was silent, in milliseconds; see `Tickers.silence`. */
  silence(partition: number): number;
  /** Returns whether everything known to be in a partition was handled. */
  isReadToItsEnd(partition: number): boolean;
}

/** What a stage is offered whose outputs belong to no message of its source; see {@linkcode Ticker}. */
export interface Ticking {
  /** The source; several where they are merged, in the order of `Delivery.branch`. */
  readonly sources: readonly TickingSource[];
  /** The store that holds the positions of the flow; undefined where nothing of it outlives the run. */
  readonly store: StateStore | undefined;
  /** The time. */
  readonly clock: Clock;
  /** Aborts when the run is over. */
  readonly signal: AbortSignal;
  /** Aborts when the run begins to stop: no tick begins any more. */
  readonly stopping: AbortSignal;
  /** Tells what happens, where somebody listens. */
  readonly status: ((event: StatusEvent) => void) | undefined;
  /** True where messages may be reprocessed to correct earlier results; then there is one source. */
  readonly corrected: boolean;
  /** The position of the first message of a partition that may come again; undefined where none is known. */
  provisional(partition: number): number | undefined;
  /** Counts the moves of the source. */
  epoch(): number;
  /** Runs a commit soon. */
  commitSoon(): void;
  /** Ends the run with an error. */
  fail(error: unknown): void;
  /** Writes a value to a sink of the stage's own. */
  write(sink: unknown, name: string, value: unknown, receipt: Receipt | undefined): Maybe;
  /** Runs a step of a tick, whose message is `root`. */
  runAs(root: unknown, receipt: Receipt | undefined, step: () => Maybe): Maybe;
  /** Set where the flow handles several messages at the same time: then the stage is in the chain of each slot. */
  readonly concurrent: ConcurrentTicking | undefined;
  /** Returns what `make` makes, the same in all chains of the flow; the first place that asks handles no messages. */
  share<T>(make: () => T): T;
  /** Has the hub call `ticker`; called once, before the first message. */
  connect(ticker: Ticker): void;
}
