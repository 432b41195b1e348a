import type { Receipt } from "../source/receipt.ts";
import type { EventLoop } from "../run/event_loop.ts";
import type { Gate } from "../source/gate.ts";
import { InOrder } from "../source/in_order.ts";
import { InFlight } from "./in_flight.ts";

/** Who handles the messages of a source: a concurrent flow, or the others together, in lock-step. */
export interface Consumer {
  /** True when it would begin with another message at once. */
  readonly wants: boolean;
  /** Takes a message; the look-ahead is told when it is done with it. */
  take(inFlight: InFlight, lookAhead: LookAhead): void;
  /** Gives up what no consumer has begun of a source: what one has begun, all finish. */
  drop(lookAhead: LookAhead): void;
  /** Returns whether a message that it was given is being handled now: neither waiting nor in a retry. */
  handles(inFlight: InFlight): boolean;
}

/** The hub that a look-ahead belongs to. */
export interface LookAheadHost {
  readonly gate: Pick<Gate, "recheck">;
  readonly host: { readonly eventLoop: EventLoop };
  /** Returns whether a message may begin: it was not taken before a seek, or from a partition that has gone. */
  isCurrent(inFlight: InFlight): boolean;
  /** A message is done, by all consumers. */
  delivered(receipt: Receipt | undefined): void;
  /** Nobody has begun with a message, and nobody will. */
  dropped(receipt: Receipt | undefined): void;
  /** Nothing is in flight any more. */
  emptied(): void;
}

/** The messages in flight of one partition, in the order of the source, from the first one that is not done. */
class Span {
  readonly #entries = new InOrder<InFlight>(compare);
  /** How many messages of it wait that nobody has begun. */
  waiting = 0;
  /** Everything up to this position is done. */
  #done: unknown;
  /** The assignment of the newest message that was added. */
  #tracker: object | undefined;
  /** The assignment of the newest message that came, and the position after it. */
  #coming: object | undefined;
  #came: unknown;

  get size(): number {
    return this.#entries.size;
  }

  get first(): InFlight | undefined {
    return this.#entries.first;
  }

  /** Adds the newest message, or one that comes again since nobody had begun it. */
  add(inFlight: InFlight): void {
    const { next, receipt } = inFlight;
    this.#entries.put(inFlight);
    if (this.#tracker === receipt?.tracker) return;
    this.#tracker = receipt?.tracker;
    // The partition was away: what comes before this message and was not begun is no longer ours.
    this.#entries.keep((entry) => entry.begun || entry === inFlight || isAfter(entry.next, next));
    this.shrink();
  }

  /** Drops the messages at the front that are done. */
  shrink(): void {
    while (this.#entries.first?.done) this.#done = this.#entries.shift().next;
  }

  /** What was begun and ends at the position `next`: that message, or true when it is done and forgotten. */
  find({ next, tracker }: Receipt): InFlight | boolean {
    if (typeof next !== "number") return false;
    const movedBack = tracker === this.#coming && isAfter(this.#came, next);
    this.#coming = tracker;
    this.#came = next;
    if (movedBack) { // within an assignment, say since the topic was made anew
      this.#entries.keep(() => false);
      this.#done = undefined;
      return false;
    }
    if (next === this.#done || isAfter(this.#done, next)) return true;
    const { last } = this.#entries;
    if (last === undefined || isAfter(next, last.next)) return false;
    const known = this.#entries.all.findLast((entry) => entry.next === next);
    return known?.begun && !known.lost ? known : false;
  }

  /** The message that ends at the position `next`, while a consumer is not done with it. */
  at(next: unknown): InFlight | undefined {
    return this.#entries.all.find((entry) => entry.next === next && !entry.over);
  }
}

/** A message without a position is behind those that came before it, and stands for none of them. */
function compare({ next }: InFlight, { next: other }: InFlight): number {
  if (next === other && next !== undefined) return 0;
  return isAfter(next, other) ? 1 : -1;
}

/** Returns whether a position is behind another one; those that are no numbers never come again. */
function isAfter(position: unknown, other: unknown): boolean {
  return typeof position === "number" && typeof other === "number" && position > other;
}

/** The bounds of a flow; see `ConcurrencyOptions`. */
export interface Bounds {
  readonly ahead: number;
  readonly span: number;
  /** How many messages of one partition may wait while there are others to read. */
  readonly share: number;
}

/** The message that everything behind it waits for. */
export interface Blocked {
  readonly bound: "ahead" | "span" | "commit";
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
  readonly #admissions: { begun(inFlight: InFlight): void }[] = [];
  #ahead = Infinity;
  #span = Infinity;
  #count = 0;
  /** How many messages of a partition may wait while others are read. */
  #share = Infinity;
  /** The last one that has reached the bound: nothing more is read then. */
  #longest: Span | undefined;
  /** The partitions that have too much waiting. */
  readonly #full = new Set<number>();
  #wake: (() => void) | undefined;

  /** Behind a Proxy receipts tell positions of other sources (`isPositioned` is false). */
  constructor(host: LookAheadHost, readonly isPositioned: boolean) {
    this.#host = host;
  }

  /** Adds a consumer, with the bounds of its flow; the least of all count. */
  add(
    consumer: Consumer,
    { ahead, span, share }: Bounds = { ahead: Infinity, span: Infinity, share: Infinity },
  ): void {
    this.#consumers.push(consumer);
    this.#share = Math.min(this.#share, share);
    this.#ahead = Math.min(this.#ahead, ahead);
    this.#span = Math.min(this.#span, span);
  }

  /** The bound at which reading stops now. */
  get bound(): Blocked["bound"] | undefined {
    if (this.taken >= this.#ahead) return "ahead";
    return this.#longest !== undefined && this.#longest.size >= this.#span ? "span" : undefined;
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
    const { now } = this.#host.host.eventLoop;
    const number = this.#count++;
    const inFlight = new InFlight(
      message,
      receipt,
      failure,
      epoch,
      number,
      now,
      this.isPositioned,
    );
    const consumers = isFor === undefined ? this.#consumers : this.#consumers.filter(isFor);
    const span = this.#spans.getOrInsertComputed(inFlight.partition, () => new Span());
    span.add(inFlight);
    if (span.size >= this.#span) this.#longest = span;
    if (consumers.length > 0) span.waiting++;
    this.taken++;
    inFlight.consumers = consumers.length;
    if (consumers.length === 0) { // all have done it before
      inFlight.begun = true;
      return this.#over(inFlight);
    }
    for (const consumer of consumers) consumer.take(inFlight, this);
  }

  /**
   * Returns whether a message was begun and comes again, with another receipt: it is done when the one that was begun
   * is.
   */
  repeats(receipt: Receipt | undefined): boolean {
    if (receipt === undefined || !this.isPositioned) return false;
    const known = this.#spans.get(receipt.partition)?.find(receipt) ?? false;
    if (known === false) return false;
    if (known === true || known.done) receipt.release();
    else (known.again ??= []).push(receipt);
    return true;
  }

  /** Forgets what was begun, of one partition or of all, since it was moved on purpose: all of it is handled again. */
  forget(partition?: number): void {
    this.#longest = undefined;
    const forgotten = partition === undefined ? [...this.#spans.keys()] : [partition];
    let wasFull = false;
    for (const each of forgotten) {
      this.#spans.delete(each);
      if (this.#full.delete(each)) wasFull = true;
    }
    if (wasFull) this.#host.gate.recheck(); // nothing else would, as what waited is not counted any more
  }

  /** Returns whether messages of a partition are to be read: not while too many of them wait, and others could begin. */
  admits(partition: number): boolean {
    const { waiting = 0 } = this.#spans.get(partition) ?? {};
    if (waiting < this.#share) return true;
    this.#full.add(partition);
    return false;
  }

  /** A consumer begins with a message. */
  begin(inFlight: InFlight): void {
    if (inFlight.begun) return;
    inFlight.begun = true;
    this.#left(inFlight.partition);
    for (const admission of this.#admissions) admission.begun(inFlight);
  }

  /** Tells one that gives a window the messages in their order which of them begin. */
  tell(admission: { begun(inFlight: InFlight): void }): void {
    this.#admissions.push(admission);
  }

  /** A message that has begun waits for one before it. */
  hold({ partition }: InFlight): void {
    const span = this.#spans.get(partition);
    if (span !== undefined) span.waiting++;
  }

  /** It waits no longer. */
  letGo({ partition }: InFlight): void {
    this.#left(partition);
  }

  /** A message of a partition waits no longer. */
  #left(partition: number): void {
    const span = this.#spans.get(partition);
    if (span === undefined) return;
    span.waiting = Math.max(0, span.waiting - 1); // a move may have forgotten it
    if (span.waiting > this.#share / 2) return;
    if (this.#full.delete(partition)) this.#host.gate.recheck();
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
    const { receipt, lost } = inFlight;
    inFlight.over = true;
    this.taken--;
    if (!lost) {
      this.#host.delivered(receipt);
      if (receipt === undefined || receipt.done) this.#done(inFlight);
      else receipt.whenDone(() => this.#done(inFlight));
    } else if (!inFlight.begun) {
      this.#left(inFlight.partition);
      this.#host.dropped(receipt);
    }
    this.changed();
    if (this.taken === 0) this.#host.emptied();
  }

  #done(inFlight: InFlight): void {
    const { again } = inFlight;
    inFlight.done = true;
    inFlight.message = inFlight.receipt = inFlight.again = undefined;
    this.#spans.get(inFlight.partition)?.shrink();
    for (const repeated of again ?? []) repeated.release();
  }

  /** Gives up what no consumer has begun. */
  drop(): void {
    for (const consumer of this.#consumers) consumer.drop(this);
  }

  /** Returns whether the message of a partition that ends at `next` waits: for its key, a slot or a retry. */
  waits(partition: number, next: unknown): boolean {
    const inFlight = this.#spans.get(partition)?.at(next);
    if (inFlight === undefined) return false;
    return !this.#consumers.some((consumer) => consumer.handles(inFlight));
  }

  /** How many messages are taken and not done, and how many of these no consumer has begun to handle. */
  get load(): { readonly inFlight: number; readonly waiting: number } {
    let waiting = 0;
    for (const span of this.#spans.values()) waiting += span.waiting;
    return { inFlight: this.taken, waiting };
  }

  /**
   * Why nothing is read now, and which message everything waits for.
   *
   * @param awaited Where the message is for which a cut waits.
   */
  blocked(awaited: { partition: number; next: unknown } | undefined): Blocked | undefined {
    const { bound } = this;
    if (bound === undefined) {
      const held = awaited && this.#spans.get(awaited.partition)?.at(awaited.next);
      return held && { bound: "commit", oldest: held, waiting: this.taken - 1 };
    }
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
