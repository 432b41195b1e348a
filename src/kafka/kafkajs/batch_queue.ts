import type { Clock } from "../../clock.ts";
import type { RecordPlace } from "../broker.ts";
import type { Placed } from "../record_check.ts";

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
  /** The most bytes in a batch. */
  readonly maxBytes: number;
  /** Sends a batch; never rejects: what is refused is passed to {@linkcode BatchQueue.fail}. */
  readonly deliver: (batch: readonly Entry[]) => Promise<void>;
}

/** How many full batches may wait before `add()` asks to be awaited. */
const BATCHES_AHEAD = 4;
/** How many may be left when there is room again. */
const ROOM_BELOW = 3;

/** Gathers records into batches and delivers one batch at a time, in order. */
export class BatchQueue {
  readonly #options: BatchQueueOptions;
  #entries: Entry[] = [];
  #delivering: Promise<void> | undefined;
  #flushing = 0;
  #closed = false;
  #error: Error | undefined;
  #cancelLinger: (() => void) | undefined;
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
    const { batchSize, lingerMs, clock } = this.#options;
    const length = this.#entries.push(entry);
    if (length >= batchSize) this.#deliver();
    else this.#cancelLinger ??= clock.timer(() => this.#deliver(), lingerMs);
    if (length < batchSize * BATCHES_AHEAD) return;
    return (this.#room ??= Promise.withResolvers<void>()).promise;
  }

  /** Takes an entry that is sent without lingering; resolves when it is confirmed. */
  confirmed(entry: Entry): Promise<RecordPlace> {
    if (this.#closed) throw new TypeError("Cannot send as the producer is closed");
    const { promise, resolve, reject } = Promise.withResolvers<RecordPlace>();
    entry.confirm = resolve;
    entry.refuse = reject;
    this.#entries.push(entry);
    // What is sent in the same tick shares a batch.
    queueMicrotask(() => this.#deliver());
    return promise;
  }

  /** Resolves when everything that was added is confirmed; rejects when something was refused. */
  async flush(): Promise<void> {
    this.#flushing++;
    try {
      while (this.#entries.length > 0 || this.#delivering) {
        this.#deliver();
        await this.#delivering;
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
  }

  /** Delivers what is left, and takes nothing any more. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.flush().catch(() => {});
  }

  #deliver(): void {
    if (this.#delivering || this.#entries.length === 0) return;
    this.#cancelLinger?.();
    this.#cancelLinger = undefined;
    const batch = this.#take();
    // Now, not when it is delivered: what follows is made while the brokers write.
    if (this.#entries.length < this.#options.batchSize * ROOM_BELOW) this.#makeRoom();
    this.#delivering = this.#options.deliver(batch).finally(() => this.#delivered());
  }

  #delivered(): void {
    this.#delivering = undefined;
    if (this.#error) this.#entries = this.#entries.filter((entry) => entry.refuse);
    const { batchSize, lingerMs, clock } = this.#options;
    const { length } = this.#entries;
    if (length < batchSize) this.#makeRoom();
    if (length === 0) return;
    const hurry = this.#flushing > 0 || this.#entries.some((entry) => entry.confirm);
    if (length >= batchSize || hurry) this.#deliver();
    else this.#cancelLinger ??= clock.timer(() => this.#deliver(), lingerMs);
  }

  /** Lets whoever waits add more; or tells why not. */
  #makeRoom(): void {
    if (this.#error) this.#room?.reject(this.#error);
    else this.#room?.resolve();
    this.#room = undefined;
  }

  /** Cuts the next batch: as many records, and as many bytes, as one may have. */
  #take(): Entry[] {
    const { batchSize, maxBytes } = this.#options;
    let bytes = 0, count = 0;
    for (const entry of this.#entries) {
      if (count === batchSize || (count > 0 && bytes + entry.bytes > maxBytes)) break;
      bytes += entry.bytes;
      count++;
    }
    return this.#entries.splice(0, count);
  }
}
