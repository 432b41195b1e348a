/** Results from `position` on were made for times up to `time`. */
export interface ProvisionalStep {
  /** The position of the first of them. */
  readonly position: number;
  /** The latest time among them. */
  readonly time: number;
}

/** How many steps are kept of a partition at most. */
export const MAX_STEPS = 64;

/** The results of one partition, as they are kept. */
export interface ResultsRecord {
  /** The provisional ones. */
  readonly provisional: readonly ProvisionalStep[];
  /** The position of the first stale one. */
  readonly stale: number | undefined;
  /** The latest time of a provisional result: stale ones are for times up to it. */
  readonly latest: number;
}

/**
 * The results of one partition of the dependent: which are provisional, and where the first stale one is.
 *
 * Provisional results are kept as steps of (position, time) that rise in both, so that the first result at
 * or after a time is found without keeping every result.
 *
 * - A result whose time is not above that of a step before it needs none: what makes it stale makes that one stale
 *   too, and a correction that begins there covers both. Results may come in any order of their positions.
 * - Beyond {@linkcode MAX_STEPS} every two steps become one, with the position of the first and the time of
 *   the second: then a correction covers more than it must, never less.
 */
export class PartitionResults {
  #steps: ProvisionalStep[] = [];
  #stale: number | undefined;
  #latest = -Infinity;

  /** Begins with `record`, or with no results. */
  constructor(record?: ResultsRecord) {
    if (record === undefined) return;
    this.#steps = [...record.provisional];
    this.#stale = record.stale;
    this.#latest = record.latest;
  }

  /** The provisional results, as rising steps. */
  get steps(): readonly ProvisionalStep[] {
    return this.#steps;
  }

  /** The position of the first stale result. */
  get stale(): number | undefined {
    return this.#stale;
  }

  /** A result for `time` is about to be made of the message at `position`, whichever messages were handled before. */
  add(position: number, time: number): void {
    if (time > this.#latest) this.#latest = time;
    const steps = this.#steps;
    let from = steps.length; // the first step behind `position`
    while (from > 0 && steps[from - 1]!.position > position) from--;
    if (from > 0 && steps[from - 1]!.time >= time) return; // covered by one before it
    let to = from;
    while (to < steps.length && steps[to]!.time <= time) to++; // those behind it that it covers
    if (from > 0 && steps[from - 1]!.position === position) from--; // of one message the latest time counts
    if (from === steps.length) steps.push({ position, time });
    else steps.splice(from, to - from, { position, time });
    if (steps.length > MAX_STEPS) this.#merge();
  }

  /** The position of the first provisional result for a time at or after `time`. */
  firstFrom(time: number): number | undefined {
    return this.#steps.find((step) => step.time >= time)?.position;
  }

  /**
   * A dependency message for `time` is stored: provisional results for that time or later are stale.
   *
   * @returns Whether there are any.
   */
  markStale(time: number): boolean {
    const position = this.firstFrom(time);
    if (position === undefined) return false;
    if (this.#stale === undefined || position < this.#stale) this.#stale = position;
    return true;
  }

  /** Forgets which results are stale. */
  clearStale(): void {
    this.#stale = undefined;
  }

  /** The frontier is at `frontier`: results for times before it are final. */
  finalize(frontier: number): void {
    while (this.#steps.length > 0 && this.#steps[0]!.time < frontier) this.#steps.shift();
  }

  /** Reading goes on at `position`: results from there on will be made again. */
  rewind(position: number): void {
    this.#dropFrom(position);
    if (this.#stale !== undefined && this.#stale >= position) this.#stale = undefined;
  }

  /** Returns the record of them. */
  record(): ResultsRecord {
    return { provisional: [...this.#steps], stale: this.#stale, latest: this.#latest };
  }

  #dropFrom(position: number): void {
    while (this.#steps.length > 0 && this.#steps.at(-1)!.position >= position) this.#steps.pop();
  }

  #merge(): void {
    const steps: ProvisionalStep[] = [];
    for (let index = 0; index < this.#steps.length; index += 2) {
      const { position, time } = this.#steps[index]!;
      steps.push({ position, time: this.#steps[index + 1]?.time ?? time });
    }
    this.#steps = steps;
  }
}

/**
 * The results of the dependent, by partition. One is *provisional* until the frontier has passed its time,
 * and *stale* once a dependency message for its time or an earlier one was stored after it was made.
 */
export class ProvisionalResults {
  readonly #partitions = new Map<number, PartitionResults>();

  /** A provisional result is about to be made. */
  add(partition: number, position: number, time: number): void {
    let results = this.#partitions.get(partition);
    if (results === undefined) this.#partitions.set(partition, results = new PartitionResults());
    results.add(position, time);
  }

  /**
   * A dependency message for `time` is stored.
   *
   * @returns Whether that makes any result stale.
   */
  markStale(time: number): boolean {
    let any = false;
    for (const results of this.#partitions.values()) if (results.markStale(time)) any = true;
    return any;
  }

  /** The frontier is at `frontier`: results for times before it are final. */
  finalize(frontier: number): void {
    for (const results of this.#partitions.values()) results.finalize(frontier);
  }

  /** Reading of `partition` goes on at `position`: results from there on will be made again. */
  rewind(partition: number, position: number): void {
    this.#partitions.get(partition)?.rewind(position);
  }

  /** Whether any result is stale. */
  get areStale(): boolean {
    for (const { stale } of this.#partitions.values()) if (stale !== undefined) return true;
    return false;
  }

  /** The position of the first stale result, by partition. */
  get stale(): Map<number, number> {
    const stale = new Map<number, number>();
    for (const [partition, results] of this.#partitions) {
      if (results.stale !== undefined) stale.set(partition, results.stale);
    }
    return stale;
  }

  /** The first provisional results, by partition. */
  get firstProvisional(): [partition: number, step: ProvisionalStep][] {
    return [...this.#partitions].flatMap(([partition, { steps }]) =>
      steps.length > 0 ? [[partition, steps[0]!] as [number, ProvisionalStep]] : []
    );
  }

  /** The position of the first result of a partition that is stale, or may become so. */
  firstOf(partition: number): number | undefined {
    const results = this.#partitions.get(partition);
    const first = results?.steps[0]?.position;
    const stale = results?.stale;
    return stale === undefined || (first !== undefined && first < stale) ? first : stale;
  }

  /** Forgets which results are stale: the recovery callback was told. */
  clearStale(): void {
    for (const results of this.#partitions.values()) results.clearStale();
  }

  /** Returns the record of a partition. */
  record(partition: number): ResultsRecord {
    return (this.#partitions.get(partition) ?? new PartitionResults()).record();
  }

  /** Takes over the record of a partition. */
  restore(partition: number, record: ResultsRecord): void {
    this.#partitions.set(partition, new PartitionResults(record));
  }

  /** Forgets a partition. */
  drop(partition: number): void {
    this.#partitions.delete(partition);
  }
}
