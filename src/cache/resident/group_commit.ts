import type { Clock } from "../../clock.ts";
import type { CacheStorageError } from "../errors.ts";
import type { Batch, Journal } from "./journal.ts";

/** The pause before the disk is tried again after an error, doubled each time up to the second one. */
const MIN_RETRY_MS = 100;
const MAX_RETRY_MS = 5_000;

/** What a group commit brings to disk. */
export interface BufferedWrites {
  /** Whether something was written that goes to disk without being asked for. */
  readonly due: boolean;
  /** True when what is not on disk stays in memory for ever. */
  readonly dropped: boolean;
  /** Takes what was written, as batches that are added to the group commit. */
  cut(): unknown;
}

/** How a group commit works. */
export interface GroupCommitOptions {
  /** The time. */
  clock: Clock;
  /** How long a write may wait for company, in milliseconds. */
  flushIntervalMs: number;
}

/**
 * Brings to disk what many writers have written as one group: on demand, or by a timer. One commit is
 * in flight at a time; a batch that the disk did not take is sent again, before all later ones.
 */
export class GroupCommit {
  readonly #buffered: BufferedWrites;
  readonly #journal: Pick<Journal, "send">;
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #closing = new AbortController();
  /** What was cut and is not sent before {@linkcode GroupCommit.save}. */
  #cuts: Batch[] = [];
  /** What is to be sent. */
  #batches: Batch[] = [];
  #job: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #failure: CacheStorageError | undefined;
  #retryMs = MIN_RETRY_MS;
  #cancelTimer: (() => void) | undefined;
  /** When the disk has taken something last, by the time of day. */
  savedAt: number | undefined;

  /** Writes what `buffered` has to a journal. */
  constructor(
    buffered: BufferedWrites,
    journal: Pick<Journal, "send">,
    { clock, flushIntervalMs }: GroupCommitOptions,
  ) {
    this.#buffered = buffered;
    this.#journal = journal;
    this.#clock = clock;
    this.#intervalMs = flushIntervalMs;
  }

  /** The commit in flight. */
  get job(): Promise<void> | undefined {
    return this.#job;
  }

  /** Why the last attempt to write to the disk failed; undefined after one that did not. */
  get failure(): CacheStorageError | undefined {
    return this.#failure;
  }

  /** Adds what was cut. */
  add(batch: Batch): void {
    this.#cuts.push(batch);
  }

  /** Sees to it that what was written just now goes to disk in time. */
  schedule(): void {
    if (this.#job === undefined) this.#setTimer(this.#intervalMs);
  }

  /**
   * Sends what was cut, up to the cut of a number, and what is due.
   *
   * @throws {CacheStorageError} If the disk does not accept it; it stays in memory, and is tried again.
   */
  save(cut = 0): Promise<void> {
    if (this.#buffered.dropped) return Promise.resolve();
    const later = this.#cuts.findIndex(({ state }) => state.sequence > cut);
    this.#release(later < 0 ? this.#cuts.length : later);
    if (this.#job === undefined) return this.#start();
    // What is in flight may have been cut before the last write. One more round is certain to have it, and is
    // all that is waited for, whoever has begun it: writers who go on would begin one round after the other.
    return this.#next ??= noticed(
      this.#job.catch(() => {}).then(() => {
        this.#next = undefined;
        if (this.#buffered.dropped) return;
        return this.#job ?? this.#start();
      }),
    );
  }

  /** Saves, and lets go of the timer whether that succeeds or not. */
  async close(): Promise<void> {
    try {
      await this.save();
    } finally {
      this.#closing.abort();
      this.#cancelTimer?.();
      await this.#job;
    }
  }

  /** Lets the first of what was cut be sent. */
  #release(count = this.#cuts.length): void {
    this.#batches.push(...this.#cuts.splice(0, count));
  }

  #start(): Promise<void> {
    if (!this.#buffered.due && this.#batches.length === 0) return Promise.resolve();
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const job = this.#commit().then(() => {
      this.#job = undefined;
      if (this.#buffered.due) this.#setTimer(this.#intervalMs);
    }, (error) => {
      this.#job = undefined;
      this.#setTimer(this.#retryMs);
      this.#retryMs = Math.min(this.#retryMs * 2, MAX_RETRY_MS);
      throw error;
    });
    return this.#job = noticed(job);
  }

  async #commit(): Promise<void> {
    await this.#send();
    if (!this.#buffered.due) return;
    this.#buffered.cut();
    this.#release();
    await this.#send();
  }

  /** Sends what waits now, and no more: what comes meanwhile is for the next round. */
  async #send(): Promise<void> {
    for (let left = this.#batches.length; left > 0; left--) {
      if (this.#buffered.dropped) return;
      try {
        await this.#journal.send(this.#batches[0]!, this.#closing.signal);
      } catch (error) {
        this.#failure = error as CacheStorageError;
        throw error;
      }
      this.#batches.shift();
      this.#failure = undefined;
      this.savedAt = this.#clock.now();
      this.#retryMs = MIN_RETRY_MS;
    }
  }

  #setTimer(ms: number): void {
    if (this.#closing.signal.aborted) return;
    this.#cancelTimer ??= this.#clock.timer(() => {
      this.#cancelTimer = undefined;
      if (this.#job === undefined) this.#start();
    }, ms);
  }
}

/** Whoever waits for it sees its error, and so does the next write: nobody need wait for it. */
function noticed(job: Promise<void>): Promise<void> {
  job.catch(() => {});
  return job;
}
