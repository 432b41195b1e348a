import type { Clock } from "../../src/clock.ts";
import { delay } from "../../src/clock.ts";
import { END, type Feed, type FeedSource, openFeed, WAIT } from "../../src/flow/source/feed.ts";
import type { Gate } from "../../src/flow/source/gate.ts";
import { AckTracker } from "../../src/flow/source/ack_tracker.ts";
import type { Host, PartState } from "../../src/flow/source/host.ts";
import { Receipt } from "../../src/flow/source/receipt.ts";
import type { Resumption } from "../../src/flow/state/state.ts";
import { PartitionSilence } from "../../src/kafka/topic/partition_silence.ts";
import type { Random } from "../../src/testing/mod.ts";
import { Waker } from "../_support/waker.ts";

/** The messages of one partition. */
export interface Log {
  /** The name of its source. */
  readonly source: string;
  /** Its number there. */
  readonly partition: number;
  readonly messages: Logged[];
}

/** A message of a simulated log. */
export interface Logged {
  /** Its log among those of all sources. */
  readonly log: number;
  readonly offset: number;
  readonly key: string;
  readonly time: number;
  /** "filtered" never reaches the window, "poison" fails there; "twice" comes through a Proxy as two. */
  readonly fate: "counted" | "filtered" | "poison" | "twice";
}

/** How long a fetch waits at the end of a partition. */
export const FETCH_WAIT = 3_000;

/** A source with partitions as a process reads it: fetched in pieces, and answered with nothing at its end. */
export class SimulatedLog implements FeedSource<Logged>, Feed<Logged> {
  readonly positioned = true;
  receipt: Receipt | undefined;
  onLook?: () => void;
  dead = false;
  /** The brokers are away: no fetch is answered. */
  outage = false;
  /** A partition was taken away, and has not come back. */
  away = false;
  /** It ends when everything was handed out. */
  ending = false;
  /** Called when it has ended. */
  onEnd: () => void = () => {};
  readonly #world: readonly Log[];
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #silence: PartitionSilence;
  readonly #fetched: number[] = [];
  readonly #handed: number[] = [];
  /** What is handed out of each partition, until it is done. */
  readonly #acks: AckTracker[] = [];
  readonly #ended = new AbortController();
  #gate: Gate | undefined;
  #resumption: Resumption | undefined;
  readonly #reader = new Waker();

  constructor(readonly name: string, world: readonly Log[], clock: Clock, random: Random) {
    this.#world = world;
    this.#clock = clock;
    this.#random = random;
    this.#silence = new PartitionSilence(clock, FETCH_WAIT);
  }

  /** Its own logs. */
  get #logs(): readonly Logged[][] {
    return this.#world.filter(({ source }) => source === this.name).map(({ messages }) => messages);
  }

  /** Returns whether everything of a partition is done. */
  isDone(partition: number): boolean {
    return this.#acks[partition]?.position === this.#logs[partition]!.length;
  }

  [openFeed](_host: Host, gate: Gate): Feed<Logged> {
    this.#gate = gate;
    return this;
  }

  resumeBy(resumption: Resumption): void {
    this.#resumption = resumption;
  }

  ready(): Promise<void> {
    this.follow();
    return Promise.resolve();
  }

  /** Reads partitions that are new. */
  follow(): void {
    if (this.#gate === undefined) return;
    for (let partition = this.#acks.length; partition < this.#logs.length; partition++) {
      this.#begin(partition);
      void this.#fetch(partition);
    }
    this.onLook?.();
  }

  #begin(partition: number): void {
    const start = this.#resumption!.start(partition, 0) as number;
    this.#resumption!.began(partition, start, false);
    this.#fetched[partition] = this.#handed[partition] = start;
    this.#acks[partition] = new AckTracker(start);
  }

  /** Everything before these positions is done. */
  get done(): number[] {
    return this.#acks.map(({ position }) => position);
  }

  /** A partition is taken away, and comes back: what has not begun comes again. */
  rebalance(partition: number): void {
    if (this.away || partition >= this.#acks.length) return;
    this.away = true;
    this.#acks[partition] = new AckTracker(this.done[partition]!);
    this.#fetched[partition] = this.#handed[partition]!;
  }

  /** It comes back. */
  back(partition: number): void {
    if (!this.away) return;
    this.away = false;
    this.#begin(partition);
    this.onLook?.();
    this.#reader.wake();
  }

  isCurrent({ tracker, partition }: Receipt): boolean {
    return tracker === this.#acks[partition];
  }

  async #fetch(partition: number): Promise<void> {
    const log = this.#logs[partition]!;
    const { signal } = this.#ended;
    const pass = (ms: number) => delay(this.#clock, ms, signal);
    try {
      for (;;) {
        const from = this.#fetched[partition]!;
        const acks = this.#acks[partition];
        let waited = 0;
        while (
          this.outage || this.away || this.#gate!.closed ||
          (log.length === from && waited < FETCH_WAIT)
        ) {
          const step = this.#random.integer(FETCH_WAIT) + 1;
          await pass(Math.min(step, 1_000));
          waited += Math.min(step, 1_000);
        }
        if (acks !== this.#acks[partition]) {
          this.#silence.answered(partition, false);
        } else if (log.length > from) {
          const count = 1 + this.#random.integer(log.length - from);
          this.#fetched[partition] = from + count;
          this.#silence.answered(partition, false);
          this.#reader.wake();
          await pass(this.#random.integer(200));
        } else {
          this.#silence.answered(partition, this.done[partition] === from);
          this.onLook?.();
          if (this.#isOver()) this.#reader.wake();
        }
      }
    } catch {
      // it has ended
    }
  }

  silence(partition: number): number {
    return this.#silence.of(partition);
  }

  parts(): PartState[] {
    return this.done.map((_, partition) => ({
      partition,
      caughtUp: this.#handed[partition]! >= this.#logs[partition]!.length,
    }));
  }

  poll(): Logged | typeof WAIT | typeof END {
    if (this.#ended.signal.aborted) return END;
    if (this.#isOver()) {
      this.onEnd();
      return END;
    }
    const ready = this.#acks.keys().filter((p) => this.#handed[p]! < this.#fetched[p]!).toArray();
    if (this.dead || this.away || ready.length === 0) return WAIT;
    const partition = this.#random.pick(ready);
    const offset = this.#handed[partition]!++;
    const acks = this.#acks[partition]!;
    const number = acks.open(offset + 1);
    this.receipt = new Receipt(() => acks.done(number), offset + 1, partition);
    this.receipt.tracker = acks;
    return this.#logs[partition]![offset]!;
  }

  #isOver(): boolean {
    return this.ending && !this.dead &&
      this.#logs.every(({ length }, partition) => this.#handed[partition] === length);
  }

  wait(wake: () => void): void {
    this.#reader.wait(wake);
  }

  snapshot(): undefined {}

  cancel(): void {
    this.#ended.abort(new Error("cancelled"));
    this.#reader.wake();
  }
}
