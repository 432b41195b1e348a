import type { Clock } from "../clock.ts";
import type { PartEvent, StatusEvent } from "../status.ts";

/** How many events of one kind, and of one flow, checkpoint or topic, are told in a second. */
const MOST_EACH_SECOND = 10;

/** That events of a kind were left out, since there were too many. */
export interface MoreEvents {
  /** Its type. */
  readonly type: "more";
  /** The type of the events. */
  readonly events: string;
  /** Whose they are: `flow price`, `topic orders`. */
  readonly of: string;
  /** How many were left out. */
  readonly count: number;
}

/** The events of one kind in the current second. */
interface Flood {
  readonly began: number;
  readonly events: string;
  readonly of: string;
  count: number;
}

/**
 * Decides which events are kept for those who read the status. What is told again and again must neither slow down the
 * app, nor push out of the log what else has happened.
 */
export class EventFilter {
  readonly #clock: Clock;
  readonly #floods = new Map<string, Flood>();
  /** The message for which each source was blocked when that was told last. */
  readonly #blocked = new Map<string, string>();

  /** Has let nothing pass. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Returns whether an event is kept. */
  passes(event: StatusEvent | PartEvent): boolean {
    switch (event.type) {
      case "progress": // snapshots tell
      case "windows":
      case "commit":
        return false;
      case "blocked": { // told each second
        const { source, partition, offset } = event;
        const message = `${partition} ${offset}`;
        const isKnown = this.#blocked.get(source) === message;
        this.#blocked.set(source, message);
        return !isKnown;
      }
    }
    if ("flow" in event) return this.#isFew(event.type, `flow ${event.flow}`);
    if ("event" in event) return this.#isFew(event.event.type, `${event.type} ${event.name}`);
    return true;
  }

  #isFew(events: string, of: string): boolean {
    const key = `${events} ${of}`;
    const flood = this.#floods.get(key);
    if (flood !== undefined) return ++flood.count <= MOST_EACH_SECOND;
    this.#floods.set(key, { began: this.#clock.monotonic(), events, of, count: 1 });
    return true;
  }

  /** Returns what was left out in the seconds that are over; called now and then. */
  takeMore(): MoreEvents[] {
    const over = [...this.#floods].filter(([, { began }]) =>
      this.#clock.monotonic() - began >= 1_000
    );
    return over.flatMap(([key, { events, of, count }]) => {
      this.#floods.delete(key);
      const left = count - MOST_EACH_SECOND;
      return left > 0 ? [{ type: "more", events, of, count: left } as const] : [];
    });
  }
}
