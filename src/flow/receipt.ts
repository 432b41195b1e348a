/** Who is told that a message is done. */
export interface Acknowledged {
  /** Called once, when the message and everything made from it has reached its sinks. */
  (): void;
}

/**
 * The shared acknowledgement of one message: everything made from it retains it, and every finished part
 * releases it. What fails never releases, so a message that was lost on the way is never acknowledged.
 */
export class Receipt {
  #open = 1;
  readonly #acknowledged: Acknowledged;

  /** Begins with one part open; calls `acknowledged` when none is. */
  constructor(acknowledged: Acknowledged) {
    this.#acknowledged = acknowledged;
  }

  /** Counts one more part that must finish. */
  retain(): void {
    this.#open++;
  }

  /** Counts one part as finished; the last one acknowledges the message. */
  release(): void {
    if (--this.#open === 0) this.#acknowledged();
  }
}
