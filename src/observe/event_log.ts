/** An event of the stream `/status`. */
export interface LoggedEvent {
  /** Its number. */
  readonly number: number;
  /** Its type: `status`. */
  readonly type: string;
  /** Its data, as JSON. */
  readonly data: string;
}

/** How many events are kept for clients that come back. */
const MOST_KEPT = 500;

/**
 * The last events, for all clients: each has a place in it and no queue of its own, so a slow client costs nothing, and
 * one that is too far behind is told how much it has missed.
 */
export class EventLog {
  /** Distinguishes the log from that of another process: a number of that means nothing here. */
  readonly name: string;
  #events: LoggedEvent[] = [];
  #next = 1;
  /** The newest snapshot: older ones are of no use to anybody. */
  #snapshot: { readonly number: number; readonly data: string } | undefined;
  #snapshots = 0;
  #wakes = new Set<() => void>();

  /** Is empty. */
  constructor(name: string) {
    this.name = name;
  }

  /** Adds an event. */
  add(type: string, data: string): void {
    this.#events.push({ number: this.#next++, type, data });
    if (this.#events.length > MOST_KEPT) this.#events.shift();
    this.#wake();
  }

  /** Replaces the snapshot. */
  show(data: string): void {
    this.#snapshot = { number: ++this.#snapshots, data };
    this.#wake();
  }

  /** The place after an id that a client had last; the beginning of what is kept, for one of another log. */
  placeOf(id: string | null): number {
    const [name, number] = id?.split("-") ?? [];
    const after = Number(number) + 1;
    const isKnown = name === this.name && Number.isSafeInteger(after) && after <= this.#next;
    return isKnown ? after : this.#events[0]?.number ?? this.#next;
  }

  /** The events from a place on, and how many of them are not kept any more. */
  from(place: number): { readonly events: readonly LoggedEvent[]; readonly missed: number } {
    const first = this.#events[0]?.number ?? this.#next;
    const events = place >= this.#next ? [] : this.#events.slice(Math.max(0, place - first));
    return { events, missed: Math.max(0, first - place) };
  }

  /** The snapshot, unless it is no newer than one of that number. */
  newer(number: number): { readonly number: number; readonly data: string } | undefined {
    return this.#snapshot !== undefined && this.#snapshot.number > number
      ? this.#snapshot
      : undefined;
  }

  /** Resolves when there is something new, or the signal aborts. */
  changed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#wakes.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      if (signal.aborted) return resolve();
      signal.addEventListener("abort", wake, { once: true });
      this.#wakes.add(wake);
    });
  }

  #wake(): void {
    for (const wake of [...this.#wakes]) wake();
  }
}
