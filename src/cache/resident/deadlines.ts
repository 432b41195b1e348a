import { encodeKey } from "../keys.ts";
import type { Entry } from "./entry.ts";
import { OrderedMap } from "./ordered_map.ts";

/** What expires within so many milliseconds is swept together. */
const BUCKET_MS = 1_000;
/** Fewer dead entries are not looked for. */
const MIN_DEAD = 1_000;

/** Entries that expire by the same moment. */
interface Bucket {
  readonly end: number;
  entries: Entry[];
}

/** The entries of a table that expire, in the order in which they do. */
export class Deadlines {
  readonly #buckets = new OrderedMap<Bucket>();
  /** The bucket of the last entry, and most likely of the next one. */
  #last: Bucket | undefined;
  /** How many entries are in the buckets. */
  #held = 0;
  /** How many of those are live. */
  #live = 0;

  /** How many entries expire that are not dead yet. */
  get size(): number {
    return this.#live;
  }

  /** Adds an entry that expires. */
  add(entry: Entry): void {
    this.#live++;
    this.#held++;
    const end = Math.ceil(entry.expires / BUCKET_MS) * BUCKET_MS;
    if (this.#last?.end !== end) this.#last = this.#bucket(end);
    this.#last.entries.push(entry);
  }

  /** Counts one of its entries as dead. */
  bury(): void {
    this.#live--;
    // One key that is written a million times is one entry.
    if (this.#held > 2 * this.#live + MIN_DEAD) this.#forgetDead();
  }

  /** Takes out up to `count` entries that have expired; fewer only when there are no more of them. */
  take(now: number, count: number): Entry[] {
    const taken: Entry[] = [];
    const due = encodeKey(now) + "\0";
    for (;;) {
      const bucket = this.#firstUntil(due);
      if (bucket === undefined) return taken;
      while (bucket.entries.length > 0) {
        if (taken.length === count) return taken;
        const entry = bucket.entries.pop()!;
        this.#held--;
        if (entry.live) taken.push(entry);
      }
      this.#delete(bucket);
    }
  }

  #bucket(end: number): Bucket {
    const key = encodeKey(end);
    let bucket = this.#buckets.get(key);
    if (bucket === undefined) this.#buckets.set(key, bucket = { end, entries: [] });
    return bucket;
  }

  #firstUntil(end: string): Bucket | undefined {
    const found: Bucket[] = [];
    this.#buckets.upwards("", end, 1, found);
    return found[0];
  }

  #delete(bucket: Bucket): void {
    this.#buckets.delete(encodeKey(bucket.end));
    if (this.#last === bucket) this.#last = undefined;
  }

  #forgetDead(): void {
    this.#held = 0;
    for (const bucket of this.#buckets.values()) {
      bucket.entries = bucket.entries.filter((entry) => entry.live);
      this.#held += bucket.entries.length;
      if (bucket.entries.length === 0) this.#delete(bucket);
    }
  }
}
