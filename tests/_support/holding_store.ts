import type { PartitionStore } from "../../src/checkpoint/checkpoint_options.ts";

/** A view of a store that notes the updates, and can hold them back. */
export class HoldingStore implements PartitionStore {
  /** The keys of all updates. */
  readonly updates: string[] = [];
  /** The updates that were held back. */
  readonly held: Promise<unknown>[] = [];
  /** Lets those go that are held back. */
  release: () => void = () => {};
  readonly #store: PartitionStore;
  #free: Promise<void> | undefined;

  constructor(store: PartitionStore) {
    this.#store = store;
  }

  /** Holds back what is updated from now on. */
  hold(): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#free = promise;
    this.release = () => {
      this.#free = undefined;
      resolve();
    };
  }

  update(key: string, change: (value: unknown) => unknown): Promise<unknown> {
    this.updates.push(key);
    if (this.#free === undefined) return this.#store.update(key, change);
    const update = this.#free.then(() => this.#store.update(key, change));
    this.held.push(update.catch(() => {}));
    return update;
  }

  flush(): Promise<void> {
    return this.#store.flush();
  }
}
