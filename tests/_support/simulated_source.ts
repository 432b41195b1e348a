import { END, type Feed, type FeedSource, openFeed, WAIT } from "../../src/flow/source/feed.ts";
import type { Commit } from "../../src/flow/source/host.ts";
import { Receipt } from "../../src/flow/source/receipt.ts";

/** One handing out of one position. */
export interface Handed {
  readonly position: number;
  /** Counts up with every hand-out, also after a seek. */
  readonly serial: number;
  readonly epoch: number;
  /** How often it was acknowledged. */
  acknowledged: number;
}

/** What a simulated source does. */
export interface SimulatedSourceOptions<T> {
  readonly name: string;
  /** How many positions it has. */
  readonly count: number;
  /** Makes the message for a hand-out. */
  readonly message: (handed: Handed) => T;
  /** Resolves when the next message may be handed out; undefined when it is there already. */
  readonly arrival: () => Promise<void> | undefined;
  /** The error that reading a position fails with. */
  readonly failure: (position: number) => Error | undefined;
  /** Called when positions below `ackedTo` are committed. */
  readonly onCommit: (ackedTo: number) => void;
}

/** A source with positions, acknowledgements, commits and seeks, that records all of them. */
export class SimulatedSource<T> implements FeedSource<T>, Feed<T> {
  readonly name: string;
  receipt: Receipt | undefined;
  /** Everything that was handed out, in order. */
  readonly handed: Handed[] = [];
  /** All positions below are acknowledged, or were left out by a seek. */
  ackedTo = 0;
  committed = 0;
  epoch = 0;
  open = false;
  /** True once its end was read. */
  finished = false;

  readonly #options: SimulatedSourceOptions<T>;
  /** What was handed out in this epoch and is not below the ackedTo. */
  #unfinished: Handed[] = [];
  #position = 0;
  #arrived = false;
  #waiting = false;
  #wake: () => void = () => {};

  constructor(options: SimulatedSourceOptions<T>) {
    this.#options = options;
    this.name = options.name;
  }

  [openFeed](): Feed<T> {
    this.open = true;
    return this;
  }

  /** The position after the last one that was handed out. */
  get position(): number {
    return this.#position;
  }

  poll(): T | typeof WAIT | typeof END {
    if (this.#position === this.#options.count) {
      this.finished = true;
      return END;
    }
    if (!this.#arrived) return WAIT;
    const failure = this.#options.failure(this.#position);
    if (failure !== undefined) throw failure;
    this.#arrived = false;
    const { epoch } = this;
    const position = this.#position++;
    const handed = { position, serial: this.handed.length, epoch, acknowledged: 0 };
    this.handed.push(handed);
    this.#unfinished.push(handed);
    this.receipt = new Receipt(() => this.#acknowledge(handed));
    return this.#options.message(handed);
  }

  wait(wake: () => void): void {
    this.#wake = wake;
    if (this.#waiting) return;
    const arrival = this.#options.arrival();
    const arrive = () => {
      this.#waiting = false;
      this.#arrived = true;
      this.#wake();
    };
    this.#waiting = true;
    if (arrival === undefined) queueMicrotask(arrive);
    else arrival.then(arrive);
  }

  seek(position: number): void {
    this.epoch++;
    this.#position = position;
    this.#unfinished = [];
    this.ackedTo = position;
  }

  snapshot(): Commit | undefined {
    const { ackedTo, epoch } = this;
    if (ackedTo === this.committed) return undefined;
    return () => {
      if (epoch === this.epoch) {
        this.committed = ackedTo;
        this.#options.onCommit(ackedTo);
      }
      return Promise.resolve();
    };
  }

  cancel(): void {
    this.open = false;
  }

  #acknowledge(handed: Handed): void {
    handed.acknowledged++;
    if (handed.epoch !== this.epoch) return;
    while (this.#unfinished[0]?.acknowledged) {
      this.ackedTo = this.#unfinished.shift()!.position + 1;
    }
  }
}
