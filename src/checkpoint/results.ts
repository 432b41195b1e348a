import { Staircase, type Step } from "./staircase.ts";

/** What is known of the results of one partition. */
interface PartitionResults {
  readonly provisional: Staircase;
  /** The position of the first result that is known to be wrong. */
  dirty: number | undefined;
  /** The latest time of a result that was provisional. */
  largest: number;
}

/** The results of one partition, as they are kept. */
export interface ResultsRecord {
  /** The provisional ones. */
  readonly provisional: readonly Step[];
  /** The position of the first that is known to be wrong. */
  readonly dirty: number | undefined;
  /** The latest time of a result that was provisional: what is dirty is for times up to it. */
  readonly largest: number;
}

/**
 * The results of the dependent, by partition. One is *provisional* until the frontier has passed its time,
 * and *dirty* once a message that belongs into it was stored after it was made.
 */
export class Results {
  readonly #partitions = new Map<number, PartitionResults>();

  /** A provisional result is about to be made. */
  add(partition: number, position: number, time: number): void {
    const results = this.#at(partition);
    results.provisional.add(position, time);
    if (time > results.largest) results.largest = time;
  }

  /**
   * A dependency message for `time` is stored: the results for that time and later are wrong.
   *
   * @returns Whether there are any.
   */
  soil(time: number): boolean {
    let any = false;
    for (const results of this.#partitions.values()) {
      const position = results.provisional.from(time);
      if (position === undefined) continue;
      any = true;
      if (results.dirty === undefined || position < results.dirty) results.dirty = position;
    }
    return any;
  }

  /** The frontier is at `time`: results before it are final. */
  forget(time: number): void {
    for (const { provisional } of this.#partitions.values()) provisional.forget(time);
  }

  /** The partition will go on at `position`: what was made from there on is made again. */
  moved(partition: number, position: number): void {
    const results = this.#partitions.get(partition);
    if (results === undefined) return;
    results.provisional.cut(position);
    if (results.dirty !== undefined && results.dirty >= position) results.dirty = undefined;
  }

  /** The position of the first dirty result, by partition. */
  get dirty(): Map<number, number> {
    const dirty = new Map<number, number>();
    for (const [partition, results] of this.#partitions) {
      if (results.dirty !== undefined) dirty.set(partition, results.dirty);
    }
    return dirty;
  }

  /** Forgets what is dirty: somebody was told. */
  clean(): void {
    for (const results of this.#partitions.values()) results.dirty = undefined;
  }

  /** The results of a partition, to be kept. */
  record(partition: number): ResultsRecord {
    const results = this.#partitions.get(partition);
    const { provisional, dirty, largest } = results ?? nothing();
    return { provisional: [...provisional.steps], dirty, largest };
  }

  /** Takes over the results of a partition. */
  restore(partition: number, { provisional, dirty, largest }: ResultsRecord): void {
    this.#partitions.set(partition, { provisional: new Staircase(provisional), dirty, largest });
  }

  /** Forgets the results of a partition. */
  drop(partition: number): void {
    this.#partitions.delete(partition);
  }

  #at(partition: number): PartitionResults {
    let results = this.#partitions.get(partition);
    if (results === undefined) this.#partitions.set(partition, results = nothing());
    return results;
  }
}

function nothing(): PartitionResults {
  return { provisional: new Staircase(), dirty: undefined, largest: -Infinity };
}
