import type { StatusEvent } from "../status.ts";
import { openStores } from "./feed.ts";
import type { Hub } from "./hub.ts";

/** Tells after each barrier how far every source is, and what the windows of caches have dropped. */
export class ProgressReport {
  readonly #hubs: Iterable<Hub<unknown>>;
  readonly #status: (event: StatusEvent) => void;
  #evicted = evictions();

  constructor(hubs: Iterable<Hub<unknown>>, status: (event: StatusEvent) => void) {
    this.#hubs = hubs;
    this.#status = status;
  }

  /** Tells what is new. */
  tell(): void {
    for (const { name, done, feed } of this.#hubs) {
      this.#status({ type: "progress", source: name, messages: done, lag: feed.lag?.() });
    }
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
