import type { Clock } from "../../clock.ts";
import type { RecordPlace } from "../client/broker.ts";
import type { Placed } from "../client/record_check.ts";

/** A record on its way. */
export interface Entry extends Placed {
  /** Tells where it was stored, to whoever waits for this one. */
  confirm?: (place: RecordPlace) => void;
  /** Tells that it was refused, to whoever waits for this one. */
  refuse?: (error: Error) => void;
}

/** How a {@linkcode BatchQueue} makes batches. */
export interface BatchQueueOptions {
  /** The time. */
  readonly clock: Clock;
  /** How long a batch that is not full waits. */
  readonly lingerMs: number;
  /** The most records in a batch. */
  readonly batchSize: number;
  /** The most bytes in a batch now; a record that has more goes alone. */
  readonly maxBytes: () => number;
  /** How many batches may be in flight at once. */
  readonly maxInFlight: number;
  /** How many bytes may be in flight before `add()` asks to be awaited. */
  readonly bufferMemory: number;
  /** Sends a batch; never rejects: what is refused is passed to {@linkcode BatchQueue.fail}. */
  readonly deliver: (batch: readonly Entry[]) => Promise<void>;
}

/** How many full batches may wait before `add()` asks to be awaited. */
const BATCHES_AHEAD = 4;
/** How many may be left when there is room again. */
const ROOM_BELOW = 3;
/** How much of the memory may be left when there is room again. */
const ROOM_PART = ROOM_BELOW / BATCHES_AHEAD;

/** A batch that is being delivered. */
interface BatchInFlight {
  /** How many entries were added before its first. */
  readonly begin: number;
  /** Its bytes. */
  readonly bytes: number;
}

/**
 * Gathers records into batches and delivers them in order, a few at a time. While one is in flight, another
 * follows as soon as it is full, has lingered, or is waited for.
 */
export class BatchQueue {
  readonly #options: BatchQueueOptions;
  #entries: Entry[] = [];
  /** The bytes of the entries. */
  #waiting = 0;
  /** The bytes of the batches that are being delivered. */
  #inFlightBytes = 0;
  /** How many entries were ever added. */
  #added = 0;
  /** What is being delivered, in order. */
  readonly #inFlight = new Map<Promise<void>, BatchInFlight>();
  #flushing = 0;
  #closed = false;
  #error: Error | undefined;
  #cancelLinger: (() => void) | undefined;
  /** The entries have lingered while no other batch could be in flight: they follow at once. */
  #overdue = false;
  #room: PromiseWithResolvers<void> | undefined;

  /** Begins empty. */
  constructor(options: BatchQueueOptions) {
    this.#options = options;
  }

  /** True when the next record is the first of a batch. */
  get startsBatch(): boolean {
    return this.#entries.length % this.#options.batchSize === 0;
  }

  /** Takes an entry; a promise is backpressure. */
  add(entry: Entry): void | Promise<void> {
    if (this.#closed) throw new TypeError("Cannot send as the producer is closed");
    if (this.#error) throw this.#error;
    this.#push(entry);
    this.#deliverOrLinger();
    if (!this.#isAbove(BATCHES_AHEAD, 1)) return;
    return (this.#room ??= Promise.withResolvers<void>()).promise;
  }

  /** Takes an entry that is sent without lingering; resolves when it is confirmed. */
  confirmed(entry: Entry): Promise<RecordPlace> {
    if (this.#closed) throw new TypeError("Cannot send as the producer is closed");
    const { promise, resolve, reject } = Promise.withResolvers<RecordPlace>();
    entry.confirm = resolve;
    entry.refuse = reject;
    this.#push(entry);
    // What is sent in the same tick shares a batch.
    queueMicrotask(() => this.#deliverOrLinger(this.#inFlight.size === 0));
    return promise;
  }

  /**
   * Resolves when everything that was added before this call is confirmed, however much is added meanwhile;
   * rejects when something was refused.
   */
  async flush(): Promise<void> {
    const count = this.#added;
    this.#flushing++;
    try {
      while (this.#settled < count) {
        while (this.#begin < count && this.#deliver());
        await Promise.race(this.#inFlight.keys());
      }
    } finally {
      this.#flushing--;
    }
    if (this.#error) throw this.#error;
  }

  /** Marks an entry as refused: it fails whoever waits for it, or everybody. */
  fail(entry: Entry, error: Error): void {
    if (entry.refuse) entry.refuse(error);
    else this.end(error);
  }

  /** Takes nothing any more, and tells everybody why. */
  end(error: Error): void {
    this.#error ??= error;
    this.#makeRoom();
  }

  /** Delivers what is left, and takes nothing any more. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.flush().catch(() => {});
  }

  /** How many entries were added before those that wait. */
  get #begin(): number {
    return this.#added - this.#entries.length;
  }

  /** How many of the entries added are confirmed, refused or dropped, with all before them. */
  get #settled(): number {
    const [oldest] = this.#inFlight.values();
    return oldest?.begin ?? this.#begin;
  }

  #push(entry: Entry): void {
    this.#entries.push(entry);
    this.#added++;
    this.#waiting += entry.bytes;
  }

  /** Returns whether so many batches wait, or such a part of the memory is taken. */
  #isAbove(batches: number, part: number): boolean {
    const { batchSize, bufferMemory } = this.#options;
    return this.#entries.length >= batchSize * batches ||
      this.#waiting + this.#inFlightBytes >= bufferMemory * part;
  }

  /** Delivers a batch that is full, or when nothing may be added; else waits for more. */
  #deliverOrLinger(hurry = false): void {
    const { batchSize, bufferMemory, lingerMs, maxBytes, clock } = this.#options;
    const isFull = this.#entries.length >= batchSize || this.#waiting >= maxBytes() ||
      this.#waiting + this.#inFlightBytes >= bufferMemory;
    if (hurry || isFull) this.#deliver();
    else this.#cancelLinger ??= clock.timer(() => this.#lingered(), lingerMs);
  }

  #lingered(): void {
    this.#cancelLinger = undefined;
    this.#overdue = !this.#deliver();
  }

  /** Delivers a batch if there is one, and one more may be in flight; returns whether it did. */
  #deliver(): boolean {
    if (this.#inFlight.size >= this.#options.maxInFlight || this.#entries.length === 0) {
      return false;
    }
    this.#cancelLinger?.();
    this.#cancelLinger = undefined;
    this.#overdue = false;
    const begin = this.#begin;
    const [batch, bytes] = this.#take();
    this.#inFlightBytes += bytes;
    // Now, not when it is delivered: what follows is made while the brokers write.
    this.#makeRoom();
    const delivered = this.#options.deliver(batch).finally(() => this.#delivered(delivered));
    this.#inFlight.set(delivered, { begin, bytes });
    return true;
  }

  #delivered(delivered: Promise<void>): void {
    this.#inFlightBytes -= this.#inFlight.get(delivered)!.bytes;
    this.#inFlight.delete(delivered);
    if (this.#error) {
      this.#entries = this.#entries.filter((entry) => entry.refuse);
      this.#waiting = this.#entries.reduce((sum, { bytes }) => sum + bytes, 0);
    }
    this.#makeRoom();
    if (this.#entries.length === 0) return;
    const isAwaited = this.#flushing > 0 || this.#room !== undefined || this.#overdue;
    this.#deliverOrLinger(isAwaited || this.#entries.some((entry) => entry.confirm));
  }

  /** Lets whoever waits add more; or tells why not. */
  #makeRoom(): void {
    if (!this.#error && this.#isAbove(ROOM_BELOW, ROOM_PART)) return;
    if (this.#error) this.#room?.reject(this.#error);
    else this.#room?.resolve();
    this.#room = undefined;
  }

  /** Cuts the next batch off: as many records, and as many bytes, as one may have. */
  #take(): [batch: Entry[], bytes: number] {
    const { batchSize } = this.#options;
    const maxBytes = this.#options.maxBytes();
    let bytes = 0, count = 0;
    for (const entry of this.#entries) {
      if (count === batchSize || (count > 0 && bytes + entry.bytes > maxBytes)) break;
      bytes += entry.bytes;
      count++;
    }
    this.#waiting -= bytes;
    return [this.#entries.splice(0, count), bytes];
  }
}
