/**
 * The interfaces of sources, sinks and stores, as the engine uses them. Topic and Cache implement them, so that
 * nothing in `flow` knows Kafka or Deno KV.
 */
import type { StatusEvent } from "../../status.ts";
import type { Correction } from "../../types.ts";
import type { Gate } from "./gate.ts";
import type { Commit, Host, PartState } from "./host.ts";
import type { Receipt } from "./receipt.ts";
import type { Waiting } from "../../snapshot.ts";
import type { Resumption, StateStore } from "../state/state.ts";

/** "Nothing now": the answer of {@linkcode Feed.poll} when a message is not there yet. */
export const WAIT: unique symbol = Symbol("wait");
/** "Nothing any more": the answer of {@linkcode Feed.poll} at the end of the source. */
export const END: unique symbol = Symbol("end");

/**
 * A source while it is being read: polled for one message at a time, by one reader.
 *
 * - The reader asks for message n + 1 only after message n is done.
 * - `poll()` never waits; after `WAIT` the reader calls `wait()`, any number of times, and the last
 *   `wake` given is called once when polling again may help.
 */
export interface Feed<T> {
  /** Returns the next message, `WAIT` or `END`; throws when the source failed. */
  poll(): T | typeof WAIT | typeof END;
  /**
   * Calls `wake` when a message, the end or an error is there. It is called on behalf of the last message, so
   * user code that it calls must be detached from it; see attribution.ts.
   */
  wait(wake: () => void): void;
  /**
   * Stops reading and releases everything that was opened; a promise is awaited at the end of the run. `reason` is
   * the one given by the caller that stopped the run, if any.
   *
   * @throws The error of the source, if it failed after the last `poll()`.
   */
  cancel(reason?: unknown): void | Promise<void>;
  /** Called with the error of a read that was in flight at `cancel()`; set by the reader. */
  onLate?: (error: unknown) => void;
  /** The receipt of the message just polled; absent in a source without acknowledgements. */
  receipt?: Receipt | undefined;
  /**
   * Why the message just polled could not be read. It stands for the unreadable one: it meets the policy of each
   * flow, and no handler sees it. Undefined for all others.
   */
  failure?: Error | undefined;
  /** Resolves when the source is ready to be read beside others (a Topic: after its first assignment). */
  ready?(): Promise<void>;
  /**
   * Takes the positions that are acknowledged now and returns what commits exactly those; undefined when
   * there is nothing new. Called by the commit before it flushes.
   *
   * @param upTo By partition, a position that must not be passed: a state is no further.
   */
  snapshot?(upTo?: ReadonlyMap<number, unknown>): Commit | undefined;
  /**
   * Moves to another position and starts a new epoch: messages of the old one are not handed out any more
   * and their receipts are ignored.
   */
  seek?(position: unknown): void | Promise<void>;
  /**
   * Returns whether the message of a receipt may still be handled: not after a seek, or once its partition was taken
   * away. In a source without it, every seek makes all earlier messages obsolete.
   */
  isCurrent?(receipt: Receipt): boolean;
  /**
   * Sets `resumption`, which decides where to begin, since stores hold the positions of its flows; called before the
   * first message is asked for. Receipts carry the position after their message. Absent in a source that cannot
   * begin at a given position.
   */
  resumeBy?(resumption: Resumption): void;
  /**
   * Sets how long a message may take before the source gives its partitions to others, in milliseconds: the least
   * of the limits given counts; with none, its own. Returns the limit. Absent in a source without partitions to
   * give up.
   */
  limit?(ms: number | undefined): number;
  /**
   * How many messages are there that are not acknowledged; undefined while that is unknown, absent where it always
   * is.
   */
  lag?(): number | undefined;
  /**
   * Looks up the end of the source for {@linkcode Feed.lag}, while nothing is read that would show it; undefined
   * when nothing needs to be looked up.
   */
  lookAhead?(): Promise<void> | undefined;
  /** The partitions that are read now; absent in a source without partitions. */
  parts?(): Iterable<PartState>;
  /**
   * How long, in milliseconds, a partition was known to have no message that is not done: the sum of the spans
   * between two answers that both say so, where no span counts for longer than an answer takes. It never goes back.
   * Absent in a source of which only the time counts in which a message is waited for.
   */
  silence?(partition: number): number;
  /** Called after an answer that may have changed {@linkcode Feed.silence}, or the partitions; set by the reader. */
  onLook?: () => void;
  /** True while its partitions are being given to others, or it has none yet. Absent where that cannot be. */
  readonly away?: boolean;
  /** Tells how far it is, for whoever looks; absent in a source that knows no more than its messages. */
  look?(): FeedView;
  /** The first positions that the partitions still have; absent in a source that deletes nothing. */
  beginnings?(): Promise<ReadonlyMap<number, number>>;
  /** True when the feed itself asks {@linkcode Gate.admits} and goes on with other partitions meanwhile. */
  readonly partitioned?: boolean;
}

/** How far a source is, for whoever looks. */
export interface FeedView {
  /** The partitions that are read. */
  readonly partitions: readonly PartitionView[];
  /** What it waits for before it can be read. */
  readonly waitsFor: Waiting | undefined;
}

/** How far a partition is; see `PartitionSnapshot`. */
export interface PartitionView extends PartState {
  /** The position after the last message that is done, and all before it. */
  readonly position: number | undefined;
  /** The position of the next message that will be written to it. */
  readonly end: number | undefined;
  /** How many messages lie between the two. */
  readonly lag: number | undefined;
  /** The position that is committed. */
  readonly committed: number | undefined;
}

/** The method that makes an object a source. */
export const openFeed: unique symbol = Symbol("slipstream.openFeed");

/** A source that the engine polls: opened once for each `stream()`. */
export interface FeedSource<T> {
  /**
   * Whether its messages are acknowledged, by a position or one by one, so that one acknowledged too early is lost.
   * Behind such a source, opaque pipes are refused when they are bound; if this is absent, when the source is opened,
   * or at its first message with a receipt.
   */
  readonly positioned?: boolean;
  /** @internal Whether it calls no code of the user's that may write to a state. */
  readonly selfContained?: boolean;
  /** Whether its messages have a `key` by which a flow may order them; see `ConcurrencyOptions.by`. */
  readonly keyed?: boolean;
  /**
   * Opens the source for one run; `gate` says when it is paused.
   *
   * @internal
   */
  [openFeed](host: Host, gate: Gate): Feed<T>;
}

/** The method that makes an object a sink. */
export const openSink: unique symbol = Symbol("slipstream.openSink");

/** A sink while it is being written to. */
export interface SinkPort<T> {
  /** Takes one value; a promise is backpressure. Values taken are done only after `flush()`. */
  readonly write: (value: T) => void | Promise<void>;
  /** Takes the result of a message that is reprocessed; by default like any other. */
  readonly correct?: (value: T, correction: Correction) => void | Promise<void>;
  /** Resolves when everything taken so far is stored; rejects when it cannot be. */
  flush?(): Promise<void>;
  /**
   * How long `flush()` may wait for brokers that are away, in milliseconds: a commit gives it that much more
   * than its `flushTimeout`.
   *
   * @default {0}
   */
  readonly patienceMs?: number;
  /** Ends writing, after the last flush. */
  close?(): void | Promise<void>;
}

/** A sink with `flush()`: opened once for each `stream()`, shared by all flows that name it. */
export interface SinkTarget<T> {
  /**
   * Opens the sink for one run.
   *
   * @internal
   */
  [openSink](host: Host): SinkPort<T>;
}

/** State that must be on disk before positions are committed. */
export interface Store {
  /** Resolves when everything written so far is on disk. */
  flush(): Promise<void>;
  /** How many entries it has evicted, if it evicts. */
  readonly evictions?: number;
  /** True while a group of flows decides what goes to disk; see state.ts. */
  readonly driven?: boolean;
  /** What it is called in words. */
  readonly name?: string;
  /** The store as one that holds exact state. */
  readonly state?: StateStore | undefined;
  /** Tells what is in it, by space, for whoever looks. */
  look?(): StoreView;
}

/** What is in a store, for whoever looks; see `StoreSnapshot`. */
export interface StoreView {
  readonly savedAt: number | undefined;
  readonly failure: unknown;
  readonly spaces: readonly {
    readonly name: string;
    readonly entries: number | undefined;
    readonly bytes: number | undefined;
    readonly evictions: number;
  }[];
}

/** The method that makes an object one behind which a store is. */
export const storeOf: unique symbol = Symbol("slipstream.storeOf");

/** The stores that are open in this process: every commit flushes them, between sinks and positions. */
export const openStores: Set<Store> = new Set();

/** The status listeners of all runs of this process: a wait outside of flows may hold any of them up. */
export const listeners: Set<(event: StatusEvent) => void> = new Set();
