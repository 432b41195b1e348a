import type { Clock } from "../clock.ts";
import type { AppSnapshot } from "../snapshot.ts";
import type { Topology } from "../topology.ts";
import { Rests } from "./rests.ts";

/** Where a partition was seen, and since when it should have moved on. */
interface Seen {
  readonly position: number | undefined;
  readonly since: number;
}

/**
 * Sees from snapshots since when partitions stand still although they should not: what one moment cannot tell. It
 * knows of no more than was shown to it, so a stop begins when it was seen first, and anew after a rest.
 */
export class ProgressWatch {
  readonly #clock: Clock;
  #seen = new Map<string, Seen>();

  /** Has seen nothing. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Looks at a snapshot; what is not in it any more is forgotten. */
  see(snapshot: AppSnapshot, topology: Topology): void {
    const now = this.#clock.monotonic();
    const before = this.#seen;
    const rests = new Rests(snapshot, topology);
    this.#seen = new Map();
    for (const source of snapshot.sources) {
      const { id, waitsFor } = source;
      const isRead = waitsFor === undefined && rests.ofSource(source) === undefined;
      for (const each of source.partitions) {
        const { partition, position } = each;
        const key = keyOf(snapshot, id, partition);
        const known = before.get(key);
        const isStill = isRead && rests.ofPartition(each, id) === undefined &&
          known?.position === position;
        this.#seen.set(key, isStill && known !== undefined ? known : { position, since: now });
      }
    }
  }

  /** For how many milliseconds a partition was seen at the same position, without a reason to rest there. */
  stillFor(snapshot: AppSnapshot, source: string, partition: number): number {
    const seen = this.#seen.get(keyOf(snapshot, source, partition));
    return seen === undefined ? 0 : this.#clock.monotonic() - seen.since;
  }
}

function keyOf({ startedAt }: AppSnapshot, source: string, partition: number): string {
  return `${startedAt} ${source} ${partition}`;
}
