type Queues = Map<string, KeyLock[]>;

/** The locks of transactions on the keys that they write: one queue a key. */
export class KeyLocks {
  readonly #queues: Queues = new Map();
  /** The keys that are changed in synchronous steps, each within the one before it. */
  readonly #changing: string[] = [];

  /**
   * Asks for a lock on all keys in one synchronous step, so two that wait for each other cannot be: of any two,
   * the same one is first in all queues that they share. Only `outer`, a lock whose owner waits for the new one,
   * makes a {@linkcode KeyLock.deadlock} possible.
   */
  request(keys: ReadonlySet<string>, outer?: KeyLock): KeyLock {
    const changing = this.#changing.find((key) => keys.has(key));
    return new KeyLock(this.#queues, keys, outer, changing);
  }

  /** Returns whether a key is neither held nor waited for. */
  isFree(key: string): boolean {
    // Hashing the key is what costs.
    const isAsked = this.#queues.size > 0 && this.#queues.has(key);
    return !isAsked && !this.#changing.includes(key);
  }

  /** Calls `step`, which changes a key before anything else runs; what it calls would wait for itself on that key. */
  during<A, R>(key: string, step: (value: A) => R, value: A): R {
    this.#changing.push(key);
    try {
      return step(value);
    } finally {
      this.#changing.pop();
    }
  }
}

/** A key that a lock would wait for without end, and who owns it: an outer lock or another one. */
export interface Deadlock {
  /** The key. */
  readonly key: string;
  /** Who owns it. */
  readonly owner: "outer" | "other";
}

/** A lock on some keys, or the wait for it. */
export class KeyLock {
  /** Resolves when it is the first in the queues of all keys. */
  readonly acquired: Promise<void>;
  readonly #queues: Queues;
  readonly #keys: ReadonlySet<string>;
  readonly #outer: KeyLock | undefined;
  /** A key that whoever asked for it is changing. */
  readonly #changing: string | undefined;
  /** Locks that the owner of this one waits for. */
  readonly #inner = new Set<KeyLock>();
  readonly #resolve: () => void;
  /** In how many queues another one is before it. */
  #behind = 0;
  #released = false;

  /** Enters the queues of all keys; see {@linkcode KeyLocks.request}. */
  constructor(
    queues: Queues,
    keys: ReadonlySet<string>,
    outer: KeyLock | undefined,
    changing: string | undefined,
  ) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.acquired = promise;
    this.#queues = queues;
    this.#keys = keys;
    this.#outer = outer;
    this.#changing = changing;
    this.#resolve = resolve;
    for (const key of keys) {
      const queue = queues.get(key);
      if (queue === undefined) queues.set(key, [this]);
      else if (queue.push(this) > 1) this.#behind++;
    }
    if (this.#behind === 0) resolve();
    if (outer) outer.#inner.add(this);
  }

  /** Gives it up, whether it was acquired or not; may be called again. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    for (const key of this.#keys) this.#leave(key);
    if (this.#outer) this.#outer.#inner.delete(this);
  }

  /** Returns the key on which it would wait, perhaps over others, for one of its own outer locks; undefined if on none. */
  deadlock(): Deadlock | undefined {
    if (this.#changing !== undefined) return { key: this.#changing, owner: "outer" };
    if (this.#behind === 0 || this.#outer === undefined) return undefined;
    const outer = new Set<KeyLock>();
    for (let lock: KeyLock | undefined = this.#outer; lock !== undefined; lock = lock.#outer) {
      if (!lock.#released) outer.add(lock);
    }
    for (const key of this.#keys) {
      if (outer.has(this.#queues.get(key)![0]!)) return { key, owner: "outer" };
      const ahead = this.#ahead(key);
      if (ahead !== undefined && ahead.#waitsForAny(outer)) return { key, owner: "other" };
    }
    return undefined;
  }

  /** Returns whether it cannot end before one of `targets` has ended. */
  #waitsForAny(targets: ReadonlySet<KeyLock>): boolean {
    // A Set is iterated over together with what is added meanwhile.
    const waited = new Set<KeyLock>([this]);
    for (const lock of waited) {
      if (targets.has(lock)) return true;
      for (const key of lock.#keys) {
        const ahead = lock.#ahead(key);
        if (ahead !== undefined) waited.add(ahead);
      }
      for (const inner of lock.#inner) waited.add(inner);
    }
    return false;
  }

  /** The lock before it in the queue of a key. */
  #ahead(key: string): KeyLock | undefined {
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
