import type { Clock } from "../clock.ts";
import type { AppSnapshot } from "../snapshot.ts";

/** What was seen of one thing, and since when. */
interface Seen {
  readonly value: unknown;
  readonly since: number;
}

/**
 * Sees from snapshots since when things stand still: what one moment cannot tell. It knows of no more than was shown
 * to it, so a stop begins when it was seen first.
 */
export class ProgressWatch {
  readonly #clock: Clock;
  #seen = new Map<string, Seen>();

  /** Has seen nothing. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Looks at a snapshot; what is not in it any more is forgotten. */
  see({ sources, startedAt }: AppSnapshot): void {
    const now = this.#clock.monotonic();
    const before = this.#seen;
    this.#seen = new Map();
    const note = (key: string, value: unknown) => {
      const known = before.get(key);
      const isStill = known !== undefined && known.value === value;
      this.#seen.set(key, isStill ? known : { value, since: now });
    };
    for (const { id, messages, partitions } of sources) {
      note(`${startedAt} ${id}`, messages);
      for (const { partition, position } of partitions) {
        note(`${startedAt} ${id} ${partition}`, position);
      }
    }
  }

  /** For how many milliseconds a source, or a partition of it, was seen at the same position. */
  stillFor({ startedAt }: AppSnapshot, id: string, partition?: number): number {
    const key = partition === undefined ? `${startedAt} ${id}` : `${startedAt} ${id} ${partition}`;
    const seen = this.#seen.get(key);
    return seen === undefined ? 0 : this.#clock.monotonic() - seen.since;
  }
}
