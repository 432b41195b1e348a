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
  readonly #last = new Map<number, { offset: number }>();

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
    const last = this.#last.get(at.partition);
    if (last === undefined) this.#last.set(at.partition, { offset: at.offset });
    else if (at.offset < last.offset) return false;
    else last.offset = at.offset;
    return true;
  }

  /** Everything from `position` on will pulse again. */
  rewind(partition: number, position: number): void {
    const last = this.#last.get(partition);
    if (last !== undefined) last.offset = Math.min(last.offset, position - 1);
    for (const [name, by] of this.#by) {
      if (by.partition === partition && by.offset >= position) this.#by.delete(name);
    }
  }
}
