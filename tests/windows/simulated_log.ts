import type { Clock } from "../../src/clock.ts";
import { delay } from "../../src/clock.ts";
import { END, type Feed, type FeedSource, openFeed, WAIT } from "../../src/flow/source/feed.ts";
import type { Gate } from "../../src/flow/source/gate.ts";
import type { Host, PartState } from "../../src/flow/source/host.ts";
import { Receipt } from "../../src/flow/source/receipt.ts";
import type { Resumption } from "../../src/flow/state/state.ts";
import { PartitionSilence } from "../../src/kafka/topic/partition_silence.ts";
import type { Random } from "../../src/testing/mod.ts";

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
  /** Everything before is done. */
  readonly done: number[] = [];
  /** What is done behind that, by partition. */
  readonly #behind = new Map<number, Set<number>>();
  readonly #ended = new AbortController();
  #gate: Gate | undefined;
  #resumption: Resumption | undefined;
  #wake: () => void = () => {};

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
    return this.done[partition] === this.#logs[partition]!.length;
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
    for (let partition = this.done.length; partition < this.#logs.length; partition++) {
      const start = this.#resumption!.start(partition, 0) as number;
      this.#resumption!.began(partition, start, false);
      this.#fetched[partition] = this.#handed[partition] = this.done[partition] = start;
      void this.#fetch(partition);
    }
    this.onLook?.();
  }

  async #fetch(partition: number): Promise<void> {
    const log = this.#logs[partition]!;
    const { signal } = this.#ended;
    const pass = (ms: number) => delay(this.#clock, ms, signal);
    try {
      for (;;) {
        const from = this.#fetched[partition]!;
        let waited = 0;
        while (this.outage || this.#gate!.closed || (log.length === from && waited < FETCH_WAIT)) {
          const step = this.#random.integer(FETCH_WAIT) + 1;
          await pass(Math.min(step, 1_000));
          waited += Math.min(step, 1_000);
        }
        if (log.length > from) {
          const count = 1 + this.#random.integer(log.length - from);
          this.#fetched[partition] = from + count;
          this.#silence.answered(partition, false);
          this.#wakeUp();
          await pass(this.#random.integer(200));
        } else {
          this.#silence.answered(partition, this.done[partition] === from);
          this.onLook?.();
          if (this.#isOver()) this.#wakeUp();
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
    const ready = this.done.keys().filter((p) => this.#handed[p]! < this.#fetched[p]!).toArray();
    if (this.dead || ready.length === 0) return WAIT;
    const partition = this.#random.pick(ready);
    const offset = this.#handed[partition]!++;
    this.receipt = new Receipt(() => this.#acknowledged(partition, offset), offset + 1, partition);
    return this.#logs[partition]![offset]!;
  }

  #isOver(): boolean {
    return this.ending && !this.dead &&
      this.#logs.every(({ length }, partition) => this.#handed[partition] === length);
  }

  /** Behind a Proxy, a message may be done before the one in front of it. */
  #acknowledged(partition: number, offset: number): void {
    const behind = this.#behind.getOrInsertComputed(partition, () => new Set()).add(offset);
    while (behind.delete(this.done[partition]!)) this.done[partition]!++;
  }

  wait(wake: () => void): void {
    this.#wake = wake;
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = () => {};
    wake();
  }

  snapshot(): undefined {}

  cancel(): void {
    this.#ended.abort(new Error("cancelled"));
    this.#wakeUp();
  }
}
