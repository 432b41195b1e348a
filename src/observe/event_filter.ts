import type { Clock } from "../clock.ts";
import type { StatusEvent } from "../status.ts";

/** How many events of one kind and flow are told in a second. */
const MOST_EACH_SECOND = 10;

/** That events of a kind were left out, since there were too many. */
export interface MoreEvents {
  /** Its type. */
  readonly type: "more";
  /** The type of the events. */
  readonly events: StatusEvent["type"];
  /** The name of their flow. */
  readonly flow: string;
  /** How many were left out. */
  readonly count: number;
}

/** The events of one kind and flow in the current second. */
interface Flood {
  readonly began: number;
  readonly type: StatusEvent["type"];
  readonly flow: string;
  count: number;
}

/**
 * Decides which events are kept for the page. A handler that fails for every message must neither be slowed down by
 * that, nor push out of the log what else has happened.
 */
export class EventFilter {
  readonly #clock: Clock;
  /** Why each source was paused when that was told last. */
  readonly #gates = new Map<string, string>();
  readonly #floods = new Map<string, Flood>();

  /** Has let nothing pass. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Returns whether an event is kept. */
  passes(event: StatusEvent): boolean {
    switch (event.type) {
      case "progress": // snapshots tell
        return false;
      case "gate": { // told whenever something of it may have changed
        const reasons = event.reasons.join();
        const isKnown = this.#gates.get(event.source) === reasons;
        this.#gates.set(event.source, reasons);
        return !isKnown;
      }
      case "retry":
      case "skipped":
      case "dead_letter":
        return this.#isFew(event.type, event.flow);
    }
    return true;
  }

  #isFew(type: StatusEvent["type"], flow: string): boolean {
    const key = `${type} ${flow}`;
    const flood = this.#floods.get(key);
    if (flood !== undefined) return ++flood.count <= MOST_EACH_SECOND;
    this.#floods.set(key, { began: this.#clock.monotonic(), type, flow, count: 1 });
    return true;
  }

  /** Returns what was left out in the seconds that are over; called now and then. */
  takeMore(): MoreEvents[] {
    const over = [...this.#floods].filter(([, { began }]) =>
      this.#clock.monotonic() - began >= 1_000
    );
    return over.flatMap(([key, { type, flow, count }]) => {
      this.#floods.delete(key);
      const left = count - MOST_EACH_SECOND;
      return left > 0 ? [{ type: "more", events: type, flow, count: left } as const] : [];
    });
  }
}
