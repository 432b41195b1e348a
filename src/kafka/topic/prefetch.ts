import type { Chunk } from "../client/broker.ts";
import type { Origin } from "./message.ts";

/** How many messages wait before the broker is asked to wait. */
const MOST_MESSAGES = 10_000;
/** How many bytes of keys and values wait before the broker is asked to wait. */
const MOST_BYTES = 32 * 2 ** 20;

/** A chunk that is being read. */
export interface Cursor<T> {
  /** The chunk. */
  readonly chunk: Chunk;
  /** Where its records come from, for messages that outlive it. */
  readonly origin: Origin;
  /** The index of the next record. */
  index: number;
  /** The position after all of it, past what follows it without visible records. */
  next: number;
  /** What was made of the next record, when it could not be handed out yet. */
  held: T | undefined;
}

/**
 * The chunks that were fetched and not read yet, in the order of their arrival.
 *
 * Bounded: above its bounds `add()` returns a promise, which resolves when half of it is read. Partitions
 * that are set aside do not count, since their fetching is paused.
 */
export class Prefetch<T> {
  readonly #cursors: Cursor<T>[] = [];
  readonly #aside = new Set<number>();
  #room: PromiseWithResolvers<void> | undefined;

  /** Adds a chunk; a promise is backpressure. */
  add(chunk: Chunk): void | Promise<void> {
    const { topic, partition, next } = chunk;
    this.#cursors.push({ chunk, origin: { topic, partition }, index: 0, next, held: undefined });
    if (!this.#above(MOST_MESSAGES, MOST_BYTES)) return;
    return (this.#room ??= Promise.withResolvers<void>()).promise;
  }

  /** Moves on the position after what waits of a partition; returns false when nothing does. */
  extend(partition: number, next: number): boolean {
    const last = this.#cursors.findLast(({ chunk }) => chunk.partition === partition);
    if (last === undefined) return false;
    last.next = next;
    return true;
  }

  /** The first chunk of a partition that is not set aside. */
  first(): Cursor<T> | undefined {
    if (this.#aside.size === 0) return this.#cursors[0];
    return this.#cursors.find(({ chunk }) => !this.#aside.has(chunk.partition));
  }

  /** Returns whether records of a partition wait. */
  has(partition: number): boolean {
    return this.#cursors.some(({ chunk }) => chunk.partition === partition);
  }

  /** Takes the next record of a cursor, whose offset is given, and returns the position after it. */
  take(cursor: Cursor<T>, offset: number): number {
    const { chunk } = cursor;
    cursor.held = undefined;
    if (++cursor.index < chunk.records.length) return offset + 1;
    this.#cursors.splice(this.#cursors.indexOf(cursor), 1);
    this.#makeRoom();
    return cursor.next;
  }

  /** Passes over a partition until {@linkcode Prefetch.recall}; returns false when it was set aside before. */
  setAside(partition: number): boolean {
    if (this.#aside.has(partition)) return false;
    this.#aside.add(partition);
    this.#makeRoom();
    return true;
  }

  /** Reads the partitions again that were set aside, and returns them. */
  recall(): number[] {
    const partitions = [...this.#aside];
    this.#aside.clear();
    return partitions;
  }

  /** Whether something is not fetched at the moment: all, for want of room, or what was set aside. */
  get rests(): boolean {
    return this.#room !== undefined || this.#aside.size > 0;
  }

  /** Forgets what was fetched, of one partition or of all. */
  drop(partition?: number): void {
    const kept = this.#cursors.filter(({ chunk }) =>
      partition !== undefined && chunk.partition !== partition
    );
    this.#cursors.splice(0, this.#cursors.length, ...kept);
    this.#makeRoom();
  }

  #makeRoom(): void {
    if (!this.#room || this.#above(MOST_MESSAGES / 2, MOST_BYTES / 2)) return;
    this.#room.resolve();
    this.#room = undefined;
  }

  #above(mostMessages: number, mostBytes: number): boolean {
    let messages = 0, bytes = 0;
    for (const cursor of this.#cursors) {
      if (this.#aside.has(cursor.chunk.partition)) continue;
      messages += cursor.chunk.records.length - cursor.index;
      bytes += cursor.chunk.bytes;
    }
    return messages > mostMessages || bytes > mostBytes;
  }
}
