import { InOrder } from "../flow/source/in_order.ts";

/** A message that was taken from its source, in the order of the source. */
export class Ticket {
  /** It is done. */
  done = false;
  /** It was dropped before it began; its place is kept, since it may come again. */
  dropped = false;
  /** It is done, and so are all before it. */
  passed = false;
  /** It was done before, and has come again. */
  again = false;
  /** The ticket of the same message, which came again before this one had passed; it stands for both. */
  next: this | undefined;
  /** The one that this one stands for, too. */
  previous: this | undefined;

  constructor(readonly position: number) {}
}

/**
 * The messages of one partition in the order of the source, whichever is done first: from when each is taken until it
 * and all before it are done.
 */
export class SourceOrder<T extends Ticket> {
  /** Everything before it is done. */
  position: number;
  readonly #make: (position: number) => T;
  readonly #passed: ((ticket: T) => void) | undefined;
  readonly #tickets = new InOrder<T>((ticket, other) => ticket.position - other.position);
  /** What was dropped before it does not come again. */
  #start = -Infinity;

  /** Begins at `position`; calls `passed` with each ticket whose message is done, and all before it. */
  constructor(
    position: number,
    make: (position: number) => T,
    passed?: (ticket: T) => void,
  ) {
    this.position = position;
    this.#make = make;
    this.#passed = passed;
  }

  /** How many messages are not done, or wait for one before them. */
  get size(): number {
    return this.#tickets.size;
  }

  /** The position after the last message. */
  get next(): number {
    const { last } = this.#tickets;
    return last === undefined ? this.position : Math.max(this.position, last.position + 1);
  }

  /** The positions of messages that are done before one that is not. */
  get beyond(): number[] {
    return this.#tickets.all.filter(({ done }) => done).map(({ position }) => position);
  }

  /** Takes a message: the newest, or one that comes again, whose new ticket stands for the old one. */
  add(position = this.next): T {
    const ticket = this.#make(position);
    const known = this.#tickets.put(ticket);
    if (known !== undefined) {
      ticket.again = known.done || known.again;
      ticket.previous = known.dropped ? known.previous : known;
      known.next = ticket;
    }
    return ticket;
  }

  /** A message is done. */
  done(ticket: T): void {
    ticket.done = true;
    for (let next = ticket.next; next !== undefined; next = next.next) next.again = true;
    this.#pass();
  }

  /** A message was dropped before it began; with `comesAgain`, everything behind it waits until it does. */
  drop(ticket: T, comesAgain = true): void {
    ticket.dropped = true;
    if (!comesAgain || ticket.position < this.#start) this.#remove((other) => other === ticket);
  }

  /** Reading goes on at `position`: what was dropped before it does not come again. */
  begin(position: number): void {
    this.#start = position;
    this.#remove((ticket) => ticket.dropped && ticket.position < position);
    const { first } = this.#tickets;
    if (first === undefined || first.position >= position) {
      this.position = Math.max(this.position, position);
    }
  }

  /** What is gone stands for no other any more: the one before it that was not dropped takes its place back. */
  #remove(isGone: (ticket: T) => boolean): void {
    const gone = this.#tickets.all.filter(isGone);
    this.#tickets.keep((ticket) => !isGone(ticket));
    for (let { previous } of gone) {
      while (previous?.dropped) previous = previous.previous;
      if (previous === undefined) continue;
      previous.next = undefined;
      this.#tickets.put(previous);
    }
    this.#pass();
  }

  #pass(): void {
    const tickets = this.#tickets;
    while (tickets.first?.done) {
      let ticket: T | undefined = tickets.shift();
      this.position = Math.max(this.position, ticket.position + 1);
      for (; ticket !== undefined; ticket = ticket.previous) {
        ticket.passed = true;
        this.#passed?.(ticket);
      }
    }
  }
}
