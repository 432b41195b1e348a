import type { Clock } from "../../clock.ts";
import type { StatusEvent } from "../../status.ts";
import { openStores } from "../source/feed.ts";
import type { Hub } from "../source/hub.ts";

/** Milliseconds between two reports. */
const PROGRESS_MS = 1000;

/**
 * Tells each second how far every source is, and how many entries caches have evicted. It
 * depends on no message, no commit and no answer: a source whose end takes long to look up is reported with
 * the last known figures.
 */
export class ProgressReport {
  readonly #hubs: Iterable<Hub<unknown>>;
  readonly #clock: Clock;
  readonly #status: (event: StatusEvent) => void;
  /** The sources that are being asked for their end, each by one question at a time. */
  readonly #asked = new Set<Hub<unknown>>();
  #cancelTimer: (() => void) | undefined;
  /** Counts the reports. */
  #round = 0;
  #evicted = evictions();

  constructor(
    hubs: Iterable<Hub<unknown>>,
    clock: Clock,
    status: (event: StatusEvent) => void,
  ) {
    this.#hubs = hubs;
    this.#clock = clock;
    this.#status = status;
  }

  /** Begins to tell. */
  start(): void {
    this.#cancelTimer = this.#clock.timer(() => {
      this.start();
      this.#round++;
      for (const hub of this.#hubs) {
        if (this.#asked.has(hub)) this.#tellOf(hub);
        else void this.#ask(hub, this.#round);
      }
      this.#tellEvictions();
    }, PROGRESS_MS);
  }

  /** Tells how it stands, with what is known. */
  tell(): void {
    this.#round++;
    for (const hub of this.#hubs) this.#tellOf(hub);
    this.#tellEvictions();
  }

  /** Tells nothing more. */
  stop(): void {
    this.#cancelTimer?.();
    this.#round = -1;
  }

  /** Tells of a source once it knows its end; never, when the next report came first. */
  async #ask(hub: Hub<unknown>, round: number): Promise<void> {
    const answered = hub.feed.lookAhead?.();
    if (answered !== undefined) {
      this.#asked.add(hub);
      await answered.catch(() => {}); // who reads will meet what is wrong
      this.#asked.delete(hub);
    }
    if (round === this.#round) this.#tellOf(hub);
  }

  #tellOf({ name, done, feed, load, lookAhead, root, tickers }: Hub<unknown>): void {
    const lag = feed.lag?.();
    this.#status({ type: "progress", source: name, messages: done, lag, ...load });
    tickers.tell(this.#status);
    const blocked = lookAhead?.blocked(root?.awaited);
    if (blocked === undefined) return;
    const { bound, oldest: { message, since }, waiting } = blocked;
    const ageMs = Math.round(this.#clock.monotonic() - since);
    if (ageMs < PROGRESS_MS) return; // it flows
    const { partition, offset, key } = Object(message) as Record<string, unknown>;
    this.#status({
      type: "blocked",
      source: name,
      bound,
      partition: partition as number | undefined,
      offset: offset as number | undefined,
      key,
      ageMs,
      waiting,
    });
  }

  #tellEvictions(): void {
    const entries = evictions() - this.#evicted;
    this.#evicted += entries;
    if (entries > 0) this.#status({ type: "evicted", entries });
  }
}

/** How many entries the open stores have dropped; one that is closed counts no more. */
function evictions(): number {
  let sum = 0;
  for (const store of openStores) sum += store.evictions ?? 0;
  return sum;
}
