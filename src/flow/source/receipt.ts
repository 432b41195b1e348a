/** Called when a message is done. */
export interface Acknowledged {
  /** Called once with its receipt, when the message and everything made from it have reached their sinks. */
  (receipt: Receipt): void;
}

/** A stage that holds messages back on purpose, so that they are not expected to be done soon. */
export interface Holder {
  /** Returns whether it holds the message of `partition` that ends at the position `next`. */
  holds(gate: object, partition: number, next: unknown): boolean;
}

/** The gate of a source, as far as a receipt knows it. */
export interface ReceiptGate {
  /** The stages that hold messages of the source back. */
  readonly holders: Set<Holder>;
}

/** A message of an outside source, and everything made from it, until all of it is done. */
export interface Root {
  /** Returns whether the message belongs to the cuts of `driver`. */
  drives(driver: object): boolean;
  /** The message is done. */
  leave(): void;
  /** Nobody handles the message: it was dropped before it began. */
  abandon?(): void;
}

/**
 * The shared acknowledgement of one message: everything made from it retains it, and every finished part
 * releases it. What fails never releases, so a message that was lost on the way is never acknowledged.
 */
export class Receipt {
  /** The message itself, as the outermost source gave it. */
  origin: unknown = undefined;
  /** The gate of that source. */
  gate: ReceiptGate | undefined;
  /** The root message that it belongs to, where a store holds the positions of its source. */
  root: Root | undefined;
  /** True where its source relies on it: a message acknowledged too early is lost for good. */
  positioned = false;
  /** The run of that source, which is notified when the message is done. */
  host: { delivered(): void } | undefined;
  /** What its source counts it in; see `Feed.isCurrent`. */
  tracker: object | undefined;
  /** Its number there. */
  number = 0;
  /** The work for it that ends when it is done. */
  work: { over(): void } | undefined;
  /** True for a value that user code has sent: it is unknown which messages it was made from. */
  sent = false;
  /** The receipt of the message for which it was sent. */
  sentFor: Receipt | undefined;
  #open = 1;
  readonly #acknowledged: Acknowledged;
  /** What is called when it is done: mostly one function. */
  #callback: (() => void) | undefined;
  #moreCallbacks: (() => void)[] | undefined;

  /**
   * Makes the receipt of a message that was handed out.
   *
   * @param acknowledged Called when everything is done.
   * @param next The position after the message, in a source that can begin at one.
   * @param partition The partition, in a source that has several.
   */
  constructor(
    acknowledged: Acknowledged,
    readonly next: unknown = undefined,
    readonly partition: number = 0,
  ) {
    this.#acknowledged = acknowledged;
  }

  /** False where it acknowledges several messages, and it is unknown which of them a value was made from. */
  traceable = true;

  /** The receipts of the single messages that it acknowledges. */
  get leaves(): readonly Receipt[] {
    return [this];
  }

  /** True when the message and everything made from it is done. */
  get done(): boolean {
    return this.#open <= 0;
  }

  /** Counts one more part that must finish. */
  retain(): void {
    this.#open++;
  }

  /** Counts one part as finished; the last one acknowledges the message. */
  release(): void {
    if (--this.#open > 0) return;
    this.work?.over();
    this.#acknowledged(this);
    this.#callback?.();
    if (this.#moreCallbacks !== undefined) { for (const call of this.#moreCallbacks) call(); }
    if (!this.sent) this.root?.leave();
    this.host?.delivered();
  }

  /** The receipt of a value that user code sends for this message, which is not done before that one is. */
  forSent(): Receipt {
    const sent = new Receipt(() => this.release());
    sent.sent = true;
    sent.sentFor = this;
    sent.positioned = this.positioned;
    sent.root = this.root;
    this.retain();
    return sent;
  }

  /**
   * Calls `callback` when the message is done, after it has been acknowledged; at once if it is done already. It may
   * run in the context of a message, so it must detach whatever it starts.
   */
  whenDone(callback: () => void): void {
    if (this.#open <= 0) return callback();
    if (this.#callback === undefined) this.#callback = callback;
    else (this.#moreCallbacks ??= []).push(callback);
  }
}

/** Acknowledges several messages at once: those that a stage has made one value from. */
export class SharedReceipt extends Receipt implements Holder {
  readonly #parts: Receipt[] = [];
  readonly #holding = new Set<ReceiptGate>();

  /** Makes one without messages. */
  constructor() {
    super(() => {
      for (const part of this.#parts) part.release();
    });
  }

  /** Adds a message. */
  add(receipt: Receipt): void {
    receipt.retain();
    this.#parts.push(receipt);
    this.positioned ||= receipt.positioned;
    this.traceable &&= receipt.traceable;
  }

  /** Adds a message that waits for others to come, or for a time to be up. */
  hold(receipt: Receipt): void {
    this.add(receipt);
    for (const { gate } of receipt.leaves) {
      if (gate === undefined || this.#holding.has(gate)) continue;
      this.#holding.add(gate);
      gate.holders.add(this);
    }
  }

  /** Its messages wait no longer. */
  letGo(): void {
    for (const gate of this.#holding) gate.holders.delete(this);
    this.#holding.clear();
  }

  /** See {@linkcode Holder.holds}. */
  holds(gate: object, partition: number, next: unknown): boolean {
    return this.leaves.some((leaf) =>
      leaf.gate === gate && leaf.partition === partition && leaf.next === next
    );
  }

  /** See {@linkcode Receipt.leaves}; each receipt once. */
  override get leaves(): readonly Receipt[] {
    return [...new Set(this.#parts.flatMap((part) => part.leaves))];
  }
}
