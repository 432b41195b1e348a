import { END, type Feed, type FeedSource, openFeed, WAIT } from "../../src/flow/source/feed.ts";
import type { Commit } from "../../src/flow/source/host.ts";
import { gateOf } from "../../src/flow/source/gate.ts";
import { Receipt } from "../../src/flow/source/receipt.ts";

/** Options of a {@linkcode Recorder}. */
export interface RecorderOptions {
  /**
   * Whether more messages may come by `push()` until `end()` is called.
   *
   * @default {false}
   */
  open?: boolean | undefined;
}

/**
 * A source that can replay, for tests: it hands out a list of messages and writes down what becomes of
 * them. The position of a message is its index in the list.
 *
 * - `acknowledged` has every acknowledgement, in the order in which they came.
 * - `ackedTo` is the position before which everything is acknowledged, without gaps.
 * - `committed` has the positions that commits committed.
 * - `seek` starts an epoch: acknowledgements of older ones go to `ignored`.
 */
export class Recorder<T> implements FeedSource<T>, Feed<T> {
  readonly acknowledged: number[] = [];
  readonly ignored: number[] = [];
  readonly committed: number[] = [];
  /** How many messages were handed out, repetitions included. */
  handedOut = 0;
  /** How often reading was ended. */
  cancelled = 0;
  receipt: Receipt | undefined;
  /** Called by every commit, with the position; what it throws fails the commit. */
  onCommit: (position: number) => void | Promise<void> = () => {};

  readonly #messages: T[];
  readonly #open = new Set<number>();
  #ended: boolean;
  #position = 0;
  #epoch = 0;
  #wake: () => void = () => {};

  constructor(messages: Iterable<T>, { open = false }: RecorderOptions = {}) {
    this.#messages = [...messages];
    this.#ended = !open;
  }

  /** The position before which everything is acknowledged. */
  get ackedTo(): number {
    return Math.min(this.#position, ...this.#open);
  }

  /** Adds messages to an open source. */
  push(...messages: T[]): void {
    this.#messages.push(...messages);
    this.#wake();
  }

  /** Ends an open source after the messages that it has. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** Moves to a position, as the gate of the source does. */
  seekTo(position: number): void {
    gateOf(this).seek(position);
  }

  [openFeed](): Feed<T> {
    this.#open.clear();
    this.#position = this.committed.at(-1) ?? 0;
    this.#epoch++;
    return this;
  }

  poll(): T | typeof WAIT | typeof END {
    const position = this.#position;
    if (position >= this.#messages.length) return this.#ended ? END : WAIT;
    this.#position++;
    this.handedOut++;
    this.#open.add(position);
    const epoch = this.#epoch;
    this.receipt = new Receipt(() => this.#acknowledge(position, epoch));
    return this.#messages[position]!;
  }

  wait(wake: () => void): void {
    this.#wake = wake;
  }

  cancel(): void {
    this.cancelled++;
  }

  seek(position: unknown): void {
    this.#epoch++;
    this.#open.clear();
    this.#position = position as number;
    this.#wake();
  }

  snapshot(): Commit | undefined {
    const position = this.ackedTo;
    if (position === (this.committed.at(-1) ?? 0)) return undefined;
    return async () => {
      await this.onCommit(position);
      this.committed.push(position);
    };
  }

  #acknowledge(position: number, epoch: number): void {
    if (epoch !== this.#epoch) return void this.ignored.push(position);
    this.#open.delete(position);
    this.acknowledged.push(position);
  }
}
