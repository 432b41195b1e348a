import { END, type Feed, type FeedSource, openFeed, WAIT } from "../../src/flow/source/feed.ts";
import type { PartState } from "../../src/flow/source/host.ts";
import type { Gate } from "../../src/flow/source/gate.ts";
import { Receipt } from "../../src/flow/source/receipt.ts";

/** A message of a {@linkcode Log}. */
export interface LogMessage<T> {
  readonly partition: number;
  readonly offset: number;
  readonly value: T;
}

/** What outlives a crash: partitions of values, and the positions that were committed. */
export class Log<T> {
  readonly partitions: T[][];
  readonly committed: number[];
  /** Nothing is appended any more. */
  ended = false;
  readonly readers: Set<() => void> = new Set();

  constructor(partitions = 1) {
    this.partitions = Array.from({ length: partitions }, () => []);
    this.committed = this.partitions.map(() => 0);
  }

  append(value: T, partition = 0): void {
    this.partitions[partition]!.push(value);
    this.#wake();
  }

  end(): void {
    this.ended = true;
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.readers) wake();
  }
}

interface Position {
  next: number;
  acknowledged: number;
  epoch: number;
  open: { offset: number; done: boolean }[];
}

/** How a {@linkcode LogSource} reads. */
export interface LogSourceOptions {
  /** Called at the beginning of every commit; what it waits for, the commit waits for. */
  onCommit?: () => void | Promise<void>;
}

/**
 * Reads a {@linkcode Log} as a Topic reads its partitions: it asks the gate itself, keeps the contiguous
 * acknowledged position of each partition, can be moved, and commits at the commit.
 */
export class LogSource<T> implements FeedSource<LogMessage<T>>, Feed<LogMessage<T>> {
  readonly partitioned = true;
  receipt: Receipt | undefined;
  /** The positions to which it was moved. */
  readonly sought: Record<number, number>[] = [];
  /** The positions at which it began. */
  readonly began: number[] = [];
  /** The process is gone: nothing of it has any effect. */
  dead = false;
  readonly #log: Log<T>;
  readonly #options: LogSourceOptions;
  #positions: Position[] = [];
  #gate: Gate | undefined;
  #wake: (() => void) | undefined;

  constructor(log: Log<T>, options: LogSourceOptions = {}) {
    this.#log = log;
    this.#options = options;
  }

  readonly #wakeUp = (): void => {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  };

  [openFeed](_host: unknown, gate: Gate): Feed<LogMessage<T>> {
    this.#gate = gate;
    this.#positions = this.#log.committed.map((committed, partition) => {
      const start = gate.startAt(partition, committed);
      this.began.push(start);
      return { next: start, acknowledged: start, epoch: 0, open: [] };
    });
    this.#log.readers.add(this.#wakeUp);
    gate.observe(this.#wakeUp);
    return this;
  }

  poll(): LogMessage<T> | typeof WAIT | typeof END {
    if (this.dead) return WAIT;
    const gate = this.#gate!;
    const ready: number[] = [];
    let left = false;
    this.#positions.forEach(({ next }, partition) => {
      if (next >= this.#log.partitions[partition]!.length) return;
      left = true;
      if (gate.guarded && !gate.admits(this.#message(partition, next))) return;
      ready.push(partition);
    });
    if (ready.length === 0) return !left && this.#log.ended ? END : WAIT;
    const partition = ready[0]!;
    const position = this.#positions[partition]!;
    const { epoch } = position;
    const ticket = { offset: position.next++, done: false };
    position.open.push(ticket);
    this.receipt = new Receipt(() => {
      ticket.done = true;
      if (position.epoch !== epoch) return;
      while (position.open[0]?.done) position.acknowledged = position.open.shift()!.offset + 1;
    });
    return this.#message(partition, ticket.offset);
  }

  /** The message at a place: one object as long as it waits, a new one each time it is handed out. */
  #message(partition: number, offset: number): LogMessage<T> {
    const held = this.#held.get(partition);
    if (held?.offset === offset) return held;
    const value = this.#log.partitions[partition]![offset]!;
    const message = { partition, offset, value };
    this.#held.set(partition, message);
    return message;
  }
  readonly #held = new Map<number, LogMessage<T>>();

  wait(wake: () => void): void {
    this.#wake = wake;
  }

  parts(): PartState[] {
    return this.#positions.map(({ next }, partition) => ({
      partition,
      caughtUp: next >= this.#log.partitions[partition]!.length,
    }));
  }

  seek(positions: unknown): void {
    this.sought.push(positions as Record<number, number>);
    for (const [partition, offset] of Object.entries(positions as Record<string, number>)) {
      const position = this.#positions[Number(partition)]!;
      position.epoch++;
      position.open = [];
      position.next = position.acknowledged = offset;
      this.#held.delete(Number(partition));
    }
    this.#wakeUp();
  }

  snapshot() {
    const positions = this.#positions.map(({ acknowledged }) => acknowledged);
    return async () => {
      await this.#options.onCommit?.();
      if (this.dead) return;
      positions.forEach((position, partition) => this.#log.committed[partition] = position);
    };
  }

  cancel(): void {
    this.#log.readers.delete(this.#wakeUp);
  }
}
