import type { MessagePosition } from "./replay_tracker.ts";

/**
 * What the pulses of a dependent have brought, in the order of its partitions: a pulse of an earlier message overwrites
 * nothing of a later one, whichever comes first. Those of messages without a position count as they come.
 */
export class Pulses {
  /** The state that they brought, merged. */
  state: Record<string, unknown> = {};
  /** Which message brought each name of the state. */
  readonly #by = new Map<string, MessagePosition>();
  /** The last position that has pulsed, by partition. */
  readonly #last = new Map<number, number>();

  /** The pulse of the message at `at` brings `state`. */
  bring(state: Readonly<Record<string, unknown>>, at: MessagePosition | undefined): void {
    for (const [name, value] of Object.entries(state)) {
      const by = this.#by.get(name);
      if (by !== undefined && by.partition === at?.partition && by.offset > at.offset) continue;
      this.state[name] = value;
      if (at === undefined) this.#by.delete(name);
      else this.#by.set(name, { partition: at.partition, offset: at.offset });
    }
  }

  /** The message at `at` pulses; returns whether it is the last one of its partition so far. */
  isLast(at: MessagePosition | undefined): boolean {
    if (at === undefined) return true;
    if (at.offset < (this.#last.get(at.partition) ?? -Infinity)) return false;
    this.#last.set(at.partition, at.offset);
    return true;
  }

  /** Everything from `position` on will pulse again. */
  rewind(partition: number, position: number): void {
    if ((this.#last.get(partition) ?? -Infinity) >= position) {
      this.#last.set(partition, position - 1);
    }
    for (const [name, by] of this.#by) {
      if (by.partition === partition && by.offset >= position) this.#by.delete(name);
    }
  }
}
