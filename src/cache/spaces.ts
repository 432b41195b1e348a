import { openStores } from "../flow/feed.ts";
import type { CacheStore } from "./store.ts";

/**
 * The caches of one store by their names; the one that was opened is "". Every barrier flushes the store
 * until that one is closed.
 */
export class Spaces<C extends object> {
  readonly #store: CacheStore;
  readonly #members = new Map<string, { cache: C; retire: () => void }>();

  /** Has no caches yet. */
  constructor(store: CacheStore) {
    this.#store = store;
  }

  /** Returns the cache of a name. */
  find(name: string): C | undefined {
    return this.#members.get(name)?.cache;
  }

  /** All caches that are open. */
  all(): C[] {
    return [...this.#members.values()].map(({ cache }) => cache);
  }

  /** Adds a cache; `retire` ends its use. */
  join(name: string, cache: C, retire: () => void): void {
    this.#members.set(name, { cache, retire });
    openStores.add(this.#store);
  }

  /** Ends the use of a cache and flushes; with the one that was opened all others and the store end too. */
  async close(name: string): Promise<void> {
    if (name !== "") {
      this.#retire(name);
      return await this.#store.flush();
    }
    for (const member of [...this.#members.keys()]) this.#retire(member);
    openStores.delete(this.#store);
    await this.#store.close();
  }

  #retire(name: string): void {
    this.#members.get(name)!.retire();
    this.#members.delete(name);
  }
}
