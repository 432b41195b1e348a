import { parseResult } from "./messages.ts";

/** A record of the output topic. */
export interface Output {
  readonly key: string | null;
  readonly value: string;
  readonly partition: number;
  readonly offset: number;
}

/** What was found in the output topic so far. */
export interface Findings {
  /** Messages whose output was found. */
  readonly found: number;
  /** Outputs that say what an earlier one said: delivery is at least once. */
  readonly again: number;
  /** What is wrong, at most a few; empty when nothing is. */
  readonly faults: readonly string[];
}

const MOST_FAULTS = 5;

/**
 * Checks each output where it is read, in memory that does not grow: per key they come in order and none is
 * missing, each has the exact count, and no record of the topic is passed over by its readers.
 */
export class OutputCheck {
  /** The offset of the next record of each partition that nobody has read yet. */
  readonly #next = new Map<number, number>();
  /** The last message of each key whose output was found. */
  readonly #last = new Map<string, number>();
  #found = 0;
  #again = 0;
  readonly #faults: string[] = [];

  /** Checks one record; one that was read before, by another member of the group, is checked once. */
  see({ key, value, partition, offset }: Output): void {
    const next = this.#next.get(partition) ?? 0;
    if (offset < next) return;
    if (offset > next) {
      this.#fault(`its readers passed over ${partition}:${next} to ${partition}:${offset - 1}`);
    }
    this.#next.set(partition, offset + 1);
    const { n, count } = parseResult(value);
    const name = key ?? "";
    const last = this.#last.get(name) ?? 0;
    if (count !== n) this.#fault(`message ${n} of "${name}" was counted as ${count}`);
    if (n <= last) return void this.#again++;
    if (n > last + 1) {
      this.#fault(`output ${n} of "${name}" follows ${last}: lost, or out of order`);
    }
    this.#last.set(name, n);
    this.#found++;
  }

  /** What was found so far. */
  get findings(): Findings {
    return { found: this.#found, again: this.#again, faults: [...this.#faults] };
  }

  #fault(text: string): void {
    if (this.#faults.length < MOST_FAULTS) this.#faults.push(text);
  }
}
