import type { Receipt } from "../source/receipt.ts";
import { InFlight } from "./in_flight.ts";

/** Who handles the messages of a source: a concurrent flow, or the others together, in lock-step. */
export interface Consumer {
  /** True when it would begin with another message at once. */
  readonly wants: boolean;
  /** Takes a message; the look-ahead is told when it is done with it. */
  take(inFlight: InFlight, lookAhead: LookAhead): void;
  /** Gives up what it has not begun. */
  drop(): void;
  /** Returns whether a message that it was given is being handled now: neither waiting nor in a retry. */
  handles(inFlight: InFlight): boolean;
}

/** The hub that a look-ahead belongs to. */
export interface LookAheadHost {
  /** Returns whether a message may begin: it was not taken before a seek, or from a partition that has gone. */
  isCurrent(inFlight: InFlight): boolean;
  /** A message is done, by all consumers. */
  settled(receipt: Receipt | undefined): void;
  /** Nobody has begun with a message, and nobody will. */
  dropped(receipt: Receipt | undefined): void;
  /** Nothing is in flight any more. */
  emptied(): void;
  /** The time. */
  now(): number;
}

/** What is taken of one partition from its first message that is not done on. */
class Span {
  readonly entries: InFlight[] = [];
  head = 0;

  get size(): number {
    return this.entries.length - this.head;
  }

  get first(): InFlight | undefined {
    return this.entries[this.head];
  }

  /** The position after the newest message. */
  next: unknown;

  add(inFlight: InFlight): void {
    this.entries.push(inFlight);
    this.next = inFlight.next;
  }

  /** Passes over what is done. */
  shrink(): void {
    const { entries } = this;
    while (this.head < entries.length && entries[this.head]!.over) this.head++;
    if (this.head < entries.length && this.head < 1_024) return;
    entries.splice(0, this.head);
    this.head = 0;
  }

  /** What was begun and ends at the position `next`, if that is still known; most messages are new. */
  find(next: number): InFlight | undefined {
    if (typeof this.next !== "number" || next > this.next) return undefined;
    for (let index = this.entries.length - 1; index >= this.head; index--) {
      const entry = this.entries[index]!;
      if (entry.next === next && entry.begun && !entry.lost) return entry;
    }
    return undefined;
  }
}

/** The message that everything behind it waits for. */
export interface Blocked {
  readonly bound: "ahead" | "span";
  readonly oldest: InFlight;
  /** How many messages wait to be acknowledged behind it. */
  readonly waiting: number;
}

/**
 * What is taken from one source and not done, for all consumers of that source together. A message is done when all
 * of them are; none gets further than the bound in front of the slowest.
 *
 * - What was begun before a partition was taken away, and comes again with it, is not begun again: it is done when
 *   the first one is.
 */
export class LookAhead {
  /** How many messages are taken and not done. */
  taken = 0;
  readonly #spans = new Map<number, Span>();
  readonly #host: LookAheadHost;
  readonly #consumers: Consumer[] = [];
  #ahead = Infinity;
  #span = Infinity;
  #count = 0;
  #wake: (() => void) | undefined;

  constructor(host: LookAheadHost) {
    this.#host = host;
  }

  /** Adds a consumer, with the bounds of its flow; the least of all count. */
  add(consumer: Consumer, ahead: number = Infinity, span: number = Infinity): void {
    this.#consumers.push(consumer);
    this.#ahead = Math.min(this.#ahead, ahead);
    this.#span = Math.min(this.#span, span);
  }

  /** The bound at which reading stops now. */
  get bound(): Blocked["bound"] | undefined {
    if (this.taken >= this.#ahead) return "ahead";
    if (this.#span === Infinity) return undefined;
    for (const span of this.#spans.values()) if (span.size >= this.#span) return "span";
    return undefined;
  }

  /** True while another message is to be taken. */
  get open(): boolean {
    if (this.taken >= this.#ahead) return false;
    for (const { wants } of this.#consumers) if (wants) return this.bound === undefined;
    return false;
  }

  /** Calls `wake` when another message may be taken. */
  wait(wake: () => void): void {
    this.#wake = wake;
  }

  /** A consumer may have become free. */
  readonly changed = (): void => {
    const wake = this.#wake;
    if (wake === undefined || !this.open) return;
    this.#wake = undefined;
    wake();
  };

  /** Takes a message for the consumers for which `isFor` returns true. */
  take(
    message: unknown,
    receipt: Receipt | undefined,
    failure: Error | undefined,
    epoch: number,
    isFor?: (consumer: Consumer) => boolean,
  ): void {
    const now = this.#host.now();
    const inFlight = new InFlight(message, receipt, failure, epoch, this.#count++, now);
    const consumers = isFor === undefined ? this.#consumers : this.#consumers.filter(isFor);
    this.#spans.getOrInsertComputed(inFlight.partition, () => new Span()).add(inFlight);
    this.taken++;
    inFlight.consumers = consumers.length;
    if (consumers.length === 0) return this.#over(inFlight);
    for (const consumer of consumers) consumer.take(inFlight, this);
  }

  /**
   * Returns whether a message was begun and comes again, with another receipt: it is done when the one that was begun
   * is.
   */
  repeats(receipt: Receipt | undefined): boolean {
    if (typeof receipt?.next !== "number") return false;
    const known = this.#spans.get(receipt.partition)?.find(receipt.next);
    if (known === undefined) return false;
    if (known.over) receipt.release();
    else (known.again ??= []).push(receipt);
    return true;
  }

  /** Forgets what was begun, since the source was moved on purpose: all of it is handled again. */
  forget(): void {
    for (const { entries } of this.#spans.values()) {
      for (const entry of entries) entry.begun = false;
    }
  }

  /** Returns whether a consumer may begin with a message. */
  isCurrent(inFlight: InFlight): boolean {
    return this.#host.isCurrent(inFlight);
  }

  /** A consumer is done with a message; `lost` when it has failed, or will not handle it. */
  settle(inFlight: InFlight, lost = false): void {
    if (lost) inFlight.lost = true;
    if (--inFlight.consumers === 0) this.#over(inFlight);
  }

  #over(inFlight: InFlight): void {
    const { receipt, lost, again } = inFlight;
    inFlight.over = true;
    inFlight.message = inFlight.receipt = inFlight.again = undefined;
    this.taken--;
    this.#spans.get(inFlight.partition)?.shrink();
    if (!lost) {
      this.#host.settled(receipt);
      for (const repeated of again ?? []) repeated.release();
    } else if (!inFlight.begun) this.#host.dropped(receipt);
    this.changed();
    if (this.taken === 0) this.#host.emptied();
  }

  /** Gives up what no consumer has begun. */
  drop(): void {
    for (const consumer of this.#consumers) consumer.drop();
  }

  /** Returns whether the message of a partition that ends at `next` waits: for its key, a slot or a retry. */
  waits(partition: number, next: unknown): boolean {
    const span = this.#spans.get(partition);
    const inFlight = span?.entries.find((entry) => entry.next === next && !entry.over);
    if (inFlight === undefined) return false;
    return !this.#consumers.some((consumer) => consumer.handles(inFlight));
  }

  /** How many messages are taken and not done, and how many of these no consumer has begun to handle. */
  get load(): { readonly inFlight: number; readonly waiting: number } {
    let waiting = 0;
    for (const { entries, head } of this.#spans.values()) {
      for (let index = head; index < entries.length; index++) {
        const { over, begun } = entries[index]!;
        if (!over && !begun) waiting++;
      }
    }
    return { inFlight: this.taken, waiting };
  }

  /** Why nothing is read now, and which message everything waits for. */
  get blocked(): Blocked | undefined {
    const { bound } = this;
    if (bound === undefined) return undefined;
    let oldest: InFlight | undefined;
    let waiting = -1;
    for (const span of this.#spans.values()) {
      const { first } = span;
      waiting += span.size;
      if (first !== undefined && (oldest === undefined || first.number < oldest.number)) {
        oldest = first;
      }
    }
    return oldest && { bound, oldest, waiting };
  }
}
