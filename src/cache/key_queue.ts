/** A place in the queues of some keys. */
export interface Place {
  /** Resolves when it is the first in all of them. */
  readonly first: Promise<void>;
  /** Gives the place up, whether it was the first or not; may be called again. */
  leave(): void;
}

interface Waiter {
  /** In how many queues someone is before it. */
  behind: number;
  resolve(): void;
}

/**
 * One queue a key. Entering several is one synchronous step, so two that wait for each other cannot be: of
 * any two, the same one is first in all queues that they share.
 */
export class KeyQueue {
  readonly #queues = new Map<string, Waiter[]>();

  /** Enters the queues of all keys. */
  enter(keys: ReadonlySet<string>): Place {
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiter: Waiter = { behind: 0, resolve };
    for (const key of keys) {
      const queue = this.#queues.get(key);
      if (queue === undefined) this.#queues.set(key, [waiter]);
      else if (queue.push(waiter) > 1) waiter.behind++;
    }
    if (waiter.behind === 0) resolve();
    let left = false;
    const leave = () => {
      if (left) return;
      left = true;
      for (const key of keys) this.#leave(key, waiter);
    };
    return { first: promise, leave };
  }

  #leave(key: string, waiter: Waiter): void {
    const queue = this.#queues.get(key)!;
    const index = queue.indexOf(waiter);
    queue.splice(index, 1);
    const next = queue[0];
    if (next === undefined) this.#queues.delete(key);
    else if (index === 0 && --next.behind === 0) next.resolve();
  }
}
