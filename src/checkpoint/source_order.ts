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
  /** The ticket of the same message that has come again before this one was done. */
  next: Ticket | undefined;

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
  readonly #tickets: T[] = [];
  /** The index of the first ticket that is not passed. */
  #head = 0;
  /** What was dropped before it does not come again. */
  #start = -Infinity;

  /** Begins at `position`; calls `passed` with each message that is done, and all before it. */
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
    return this.#tickets.length - this.#head;
  }

  /** The position after the last message. */
  get next(): number {
    const last = this.size === 0 ? undefined : this.#tickets.at(-1);
    return last === undefined ? this.position : Math.max(this.position, last.position + 1);
  }

  /** The positions of messages that are done before one that is not. */
  get beyond(): number[] {
    return this.#tickets.slice(this.#head).filter(({ done }) => done).map(({ position }) =>
      position
    );
  }

  /** Takes a message: the newest, or one that comes again, whose new ticket stands for the old one. */
  add(position = this.next): T {
    const tickets = this.#tickets;
    const ticket = this.#make(position);
    let index = tickets.length;
    while (index > this.#head && tickets[index - 1]!.position > position) index--;
    const known = index > this.#head ? tickets[index - 1] : undefined;
    if (known?.position === position) {
      ticket.again = known.done || known.again;
      known.next = ticket;
      tickets[index - 1] = ticket;
    } else tickets.splice(index, 0, ticket);
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
    const first = this.#tickets[this.#head];
    if (first === undefined || first.position >= position) {
      this.position = Math.max(this.position, position);
    }
  }

  #remove(isGone: (ticket: T) => boolean): void {
    const left = this.#tickets.slice(this.#head).filter((ticket) => !isGone(ticket));
    this.#tickets.splice(0, this.#tickets.length, ...left);
    this.#head = 0;
    this.#pass();
  }

  #pass(): void {
    const tickets = this.#tickets;
    while (this.#head < tickets.length && tickets[this.#head]!.done) {
      const ticket = tickets[this.#head++]!;
      this.position = Math.max(this.position, ticket.position + 1);
      ticket.passed = true;
      this.#passed?.(ticket);
    }
    if (this.#head < tickets.length && this.#head < 1_024) return;
    tickets.splice(0, this.#head);
    this.#head = 0;
  }
}
