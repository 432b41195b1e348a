import { END, type Feed, type FeedSource, openFeed, WAIT } from "../../src/flow/source/feed.ts";
import type { PartState } from "../../src/flow/source/host.ts";
import { Receipt } from "../../src/flow/source/receipt.ts";
import type { Resumption } from "../../src/flow/state/state.ts";
import { Waker } from "./waker.ts";

/** A message of a {@linkcode WindowSource}. */
export interface Timed {
  readonly key: string;
  readonly timestamp: number;
  readonly amount?: number;
}

/** A source with partitions and positions whose silence a test decides; it may be read again and again. */
export class WindowSource<T = Timed> implements FeedSource<T>, Feed<T> {
  readonly positioned = true;
  receipt: Receipt | undefined;
  onLook?: () => void;
  /** The positions after what is done. */
  readonly done: number[] = [];
  ended = false;
  /** Its partitions are being given to others. */
  away = false;
  readonly #logs: T[][];
  readonly #silence: number[] = [];
  #next: number[] = [];
  #resumption: Resumption | undefined;
  readonly #reader = new Waker();

  constructor(partitions = 1, readonly name = "source") {
    this.#logs = Array.from({ length: partitions }, () => []);
  }

  [openFeed](): Feed<T> {
    this.#next = [];
    return this;
  }

  resumeBy(resumption: Resumption): void {
    this.#resumption = resumption;
  }

  ready(): Promise<void> {
    this.#begin();
    return Promise.resolve();
  }

  #begin(): void {
    for (let partition = this.#next.length; partition < this.#logs.length; partition++) {
      const start = this.#resumption!.start(partition, 0) as number;
      this.#resumption!.began(partition, start, false);
      this.#next[partition] = this.done[partition] = start;
    }
    this.onLook?.();
  }

  /** Appends messages. */
  send(messages: readonly T[], partition = 0): void {
    this.#logs[partition]!.push(...messages);
    this.#reader.wake();
  }

  /** Adds a partition. */
  grow(): void {
    this.#logs.push([]);
    this.#begin();
  }

  /** Its partitions are given back. */
  back(): void {
    this.away = false;
    this.#reader.wake();
  }

  /** Nothing more comes. */
  end(): void {
    this.ended = true;
    this.#reader.wake();
  }

  /** A partition was silent for so long. */
  silent(ms: number, partition = 0): void {
    this.#silence[partition] = this.silence(partition) + ms;
    this.onLook?.();
  }

  silence(partition: number): number {
    return this.#silence[partition] ?? 0;
  }

  parts(): PartState[] {
    return this.#next.map((next, partition) => ({
      partition,
      caughtUp: next >= this.#logs[partition]!.length,
    }));
  }

  poll(): T | typeof WAIT | typeof END {
    const partition = this.#next.findIndex((next, at) => next < this.#logs[at]!.length);
    if (partition < 0) return this.ended ? END : WAIT;
    const offset = this.#next[partition]!++;
    this.receipt = new Receipt(() => this.done[partition] = offset + 1, offset + 1, partition);
    return this.#logs[partition]![offset]!;
  }

  wait(wake: () => void): void {
    this.#reader.wait(wake);
  }

  snapshot(): undefined {}

  cancel(): void {
    this.#reader.wake();
  }
}
