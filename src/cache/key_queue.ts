type Queues = Map<string, Place[]>;

/** One queue a key, of the transactions that want to write it. */
export class KeyQueue {
  readonly #queues: Queues = new Map();

  /**
   * Enters the queues of all keys in one synchronous step, so two that wait for each other cannot be: of any
   * two, the same one is first in all queues that they share. It takes an `outer` place, whose holder waits
   * for the new one, to make a {@linkcode Place.deadlock}.
   */
  enter(keys: ReadonlySet<string>, outer?: Place): Place {
    return new Place(this.#queues, keys, outer);
  }
}

/** A key that a place would wait for without end, and who holds it: an outer place or another one. */
export interface Deadlock {
  /** The key. */
  readonly key: string;
  /** Who holds it. */
  readonly holder: "outer" | "other";
}

/** A place in the queues of some keys. */
export class Place {
  /** Resolves when it is the first in all of its queues. */
  readonly first: Promise<void>;
  readonly #queues: Queues;
  readonly #keys: ReadonlySet<string>;
  readonly #outer: Place | undefined;
  /** Places that the holder of this one waits for. */
  readonly #inner = new Set<Place>();
  readonly #resolve: () => void;
  /** In how many queues someone is before it. */
  #behind = 0;
  #left = false;

  /** Enters the queues of all keys; see {@linkcode KeyQueue.enter}. */
  constructor(queues: Queues, keys: ReadonlySet<string>, outer: Place | undefined) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.first = promise;
    this.#queues = queues;
    this.#keys = keys;
    this.#outer = outer;
    this.#resolve = resolve;
    for (const key of keys) {
      const queue = queues.get(key);
      if (queue === undefined) queues.set(key, [this]);
      else if (queue.push(this) > 1) this.#behind++;
    }
    if (this.#behind === 0) resolve();
    if (outer) outer.#inner.add(this);
  }

  /** Gives the place up, whether it was the first or not; may be called again. */
  leave(): void {
    if (this.#left) return;
    this.#left = true;
    for (const key of this.#keys) this.#leave(key);
    if (this.#outer) this.#outer.#inner.delete(this);
  }

  /** Returns whether it waits for someone who waits, over any number of others, for an outer place of it. */
  deadlock(): Deadlock | undefined {
    if (this.#behind === 0 || this.#outer === undefined) return undefined;
    const outer = new Set<Place>();
    for (let place: Place | undefined = this.#outer; place !== undefined; place = place.#outer) {
      if (!place.#left) outer.add(place);
    }
    for (const key of this.#keys) {
      if (outer.has(this.#queues.get(key)![0]!)) return { key, holder: "outer" };
      const ahead = this.#ahead(key);
      if (ahead !== undefined && ahead.#waitsForAny(outer)) return { key, holder: "other" };
    }
    return undefined;
  }

  /** Whether it cannot end before one of `targets` has ended. */
  #waitsForAny(targets: ReadonlySet<Place>): boolean {
    // A Set is iterated over together with what is added meanwhile.
    const waited = new Set<Place>([this]);
    for (const place of waited) {
      if (targets.has(place)) return true;
      for (const key of place.#keys) {
        const ahead = place.#ahead(key);
        if (ahead !== undefined) waited.add(ahead);
      }
      for (const inner of place.#inner) waited.add(inner);
    }
    return false;
  }

  /** Who is before it in the queue of a key. */
  #ahead(key: string): Place | undefined {
    const queue = this.#queues.get(key)!;
    return queue[queue.indexOf(this) - 1];
  }

  #leave(key: string): void {
    const queue = this.#queues.get(key)!;
    const index = queue.indexOf(this);
    queue.splice(index, 1);
    const next = queue[0];
    if (next === undefined) this.#queues.delete(key);
    else if (index === 0 && --next.#behind === 0) next.#resolve();
  }
}
