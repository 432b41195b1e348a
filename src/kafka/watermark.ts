/** One message that was handed out: the position after it, and whether it is acknowledged. */
export interface Ticket {
  /** The position after the message. */
  readonly next: number;
  /** Whether the message is acknowledged. */
  done: boolean;
}

/**
 * The acknowledged position of one partition, in one generation and epoch: after the last message before
 * which none is open, in the order of handing out. (Offsets would not do: they have holes.)
 */
export class Watermark {
  /** Everything before it is acknowledged. */
  position: number;
  /** What the group has committed, as far as is known. */
  committed: number | undefined;
  #open: Ticket[] = [];
  #head = 0;

  /** Begins at a position with nothing open. */
  constructor(position: number, committed: number | undefined) {
    this.position = position;
    this.committed = committed;
  }

  /** How many messages are open. */
  get size(): number {
    return this.#open.length - this.#head;
  }

  /** Counts a message as handed out; `next` is the position after it. */
  open(next: number): Ticket {
    const ticket = { next, done: false };
    this.#open.push(ticket);
    return ticket;
  }

  /** Acknowledges a message. */
  done(ticket: Ticket): void {
    ticket.done = true;
    while (this.#open[this.#head]?.done) this.position = this.#open[this.#head++]!.next;
    if (this.#head === this.#open.length) {
      this.#open.length = 0;
      this.#head = 0;
    } else if (this.#head > 1_024) {
      this.#open.splice(0, this.#head);
      this.#head = 0;
    }
  }
}
