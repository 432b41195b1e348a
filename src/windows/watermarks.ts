import { encodeParts } from "../cache/keys.ts";
import type { StateRows } from "../flow/state/state.ts";
import type { Partitions } from "./partitions.ts";
import { ALL } from "./window_key.ts";

/** The event time of one partition. */
export interface PartitionClock {
  readonly partition: number;
  /** No message before it is expected any more. It never goes back. */
  watermark: number;
  /** The greatest time of a message. */
  greatest: number;
  /** What the time is now by its messages, and the silence that was applied. */
  estimate: number;
  /** How many messages have come. */
  arrivals: number;
  /** What the silence of the source was at the last message, or when it was applied. */
  silence: number;
  /** True while it has changed since the last cut. */
  unsaved: boolean;
}

/** The watermarks of the partitions that a flow reads. */
export class Watermarks {
  readonly clocks: Map<number, PartitionClock> = new Map();
  readonly #partitions: Partitions;
  readonly #outOfOrderness: number;
  readonly #prefix: string;
  readonly #merged: boolean;
  #least = -Infinity;

  /** Rows begin with `prefix`; `merged` where windows have messages of all partitions. */
  constructor(
    { outOfOrderness, merged }: { readonly outOfOrderness: number; readonly merged: boolean },
    prefix: string,
    partitions: Partitions,
  ) {
    this.#partitions = partitions;
    this.#outOfOrderness = outOfOrderness;
    this.#prefix = prefix;
    this.#merged = merged;
  }

  /** Reads what was stored. */
  load(rows: StateRows): void {
    for (const [, value] of rows.scan(this.#prefix)) {
      const [partition, watermark, greatest, estimate, arrivals] = value as number[];
      this.clocks.set(partition!, {
        partition: partition!,
        watermark: watermark!,
        greatest: greatest!,
        estimate: estimate!,
        arrivals: arrivals!,
        silence: 0,
        unsaved: false,
      });
    }
    this.#findLeast();
  }

  /** Writes what has changed. */
  save(rows: StateRows): void {
    for (const clock of this.clocks.values()) {
      if (!clock.unsaved) continue;
      clock.unsaved = false;
      const { partition, watermark, greatest, estimate, arrivals } = clock;
      const key = this.#prefix + encodeParts(partition);
      rows.set(key, [partition, watermark, greatest, estimate, arrivals]);
    }
  }

  /**
   * Returns the clock of a partition. Where windows have messages of all partitions, a new one begins with the least
   * watermark of the others: it was not there when windows closed without it.
   */
  of(partition: number, silence: number): PartitionClock {
    const known = this.clocks.get(partition);
    if (known !== undefined) return known;
    const watermark = this.#merged && this.clocks.size > 0 ? this.#least : -Infinity;
    const estimate = watermark + this.#outOfOrderness;
    const clock = {
      partition,
      watermark,
      greatest: -Infinity,
      estimate,
      arrivals: 0,
      silence,
      unsaved: true,
    };
    this.clocks.set(partition, clock);
    return clock;
  }

  /** By which windows of a scope close. */
  closing(scope: number): number {
    return scope === ALL ? this.#least : this.clocks.get(scope)?.watermark ?? -Infinity;
  }

  /** A message has come; `counts` unless its time is too far ahead. */
  arrived(clock: PartitionClock, time: number, silence: number, counts: boolean): void {
    clock.arrivals++;
    clock.silence = silence;
    if (counts && time > clock.greatest) clock.greatest = time;
    clock.estimate = clock.greatest;
    clock.unsaved = true;
    this.#raise(clock, clock.estimate - this.#outOfOrderness);
  }

  /**
   * What the watermark would be if the silence so far were applied. One without a message has that of the others, and
   * one whose source has ended is not behind the others that go on.
   */
  after(clock: PartitionClock, silence: number): number {
    const own = clock.estimate + silence - clock.silence - this.#outOfOrderness;
    if (clock.greatest === -Infinity) return this.#leastOther(clock, false);
    if (!this.#partitions.hasEnded(clock.partition)) return own;
    return Math.max(own, this.#leastOther(clock, true));
  }

  /** The least watermark of the others; where the source must go on, of those of which it does. */
  #leastOther(clock: PartitionClock, goesOn: boolean): number {
    if (!this.#merged) return -Infinity;
    let least = Infinity;
    for (const other of this.clocks.values()) {
      const { partition, greatest, watermark } = other;
      if (other === clock || watermark >= least) continue;
      // One that follows the others itself is not waited for: two would wait for each other.
      if (greatest === -Infinity && this.#partitions.isReadToItsEnd(partition)) continue;
      if (goesOn && this.#partitions.hasEnded(partition)) continue;
      least = watermark;
    }
    return least === Infinity ? -Infinity : least;
  }

  /** Applies the silence so far. */
  applySilence(clock: PartitionClock, silence: number): void {
    const after = this.after(clock, silence);
    clock.estimate = after + this.#outOfOrderness;
    clock.silence = silence;
    clock.unsaved = true;
    this.#raise(clock, after);
  }

  #raise(clock: PartitionClock, to: number): void {
    const { watermark } = clock;
    if (to <= watermark) return;
    clock.watermark = to;
    if (watermark <= this.#least) this.#findLeast();
  }

  #findLeast(): void {
    let least = Infinity;
    for (const { watermark } of this.clocks.values()) if (watermark < least) least = watermark;
    this.#least = least === Infinity ? -Infinity : least;
  }
}
