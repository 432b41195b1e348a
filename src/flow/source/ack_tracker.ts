/**
 * The acknowledged position of one partition: after the last message before which none is open, in the order of
 * handing out. (Offsets would not do: they have holes.) A move of the reading begins another one.
 */
export class AckTracker {
  /** Everything before it is acknowledged. */
  position: number;
  /** The positions after the open messages; `-1 - position` for one that is done before others. */
  #open: number[] = [];
  /** The index of the first that is open. */
  #head = 0;
  /** How many were removed from the front of the list. */
  #removed = 0;

  /** Begins at a position with nothing open. */
  constructor(position: number) {
    this.position = position;
  }

  /** How many messages are open, or done before one that is open. */
  get size(): number {
    return this.#open.length - this.#head;
  }

  /** The number of the first message that is open, or will be the next. */
  get first(): number {
    return this.#removed + this.#head;
  }

  /** The position after the first message that is open; undefined when none is. */
  get firstNext(): number | undefined {
    return this.#open[this.#head];
  }

  /** Counts a message as handed out, and returns its number; `next` is the position after it. */
  open(next: number): number {
    return this.#removed + this.#open.push(next) - 1;
  }

  /** Acknowledges the message of that number. */
  done(number: number): void {
    const open = this.#open;
    const index = number - this.#removed;
    if (index === 0 && open.length === 1) { // one at a time, as mostly
      this.position = open.pop()!;
      this.#removed++;
      return;
    }
    open[index] = -1 - open[index]!;
    while (this.#head < open.length && open[this.#head]! < 0) {
      this.position = -1 - open[this.#head++]!;
    }
    if (this.#head < open.length && this.#head < 1_024) return;
    this.#removed += this.#head;
    open.splice(0, this.#head);
    this.#head = 0;
  }
}
