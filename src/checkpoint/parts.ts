import type { PartState } from "../flow/feed.ts";

/** The name of a part of a dependency: a partition, or what the user calls it. */
export type PartName = number | string;

/** The name of the only part of a dependency that has no parts. */
export const WHOLE: PartName = "";

/** The marks of one part, in milliseconds of event time. */
export interface PartMarks {
  /** The latest time that was heard of: the part is alive. */
  heard: number;
  /** The latest time whose message is stored. */
  stored: number;
  /** The last position whose message is stored; -1 where messages have none. */
  position: number;
}

/** What an idle part means for the frontier: it holds it, or it is passed over while nothing is in it. */
export type IdleParts = "hold" | "pass";

/**
 * The parts of one dependency. What is known of the dependency as a whole is the least of its parts; one
 * that was not heard of yet holds everything back.
 */
export class Parts {
  readonly #marks: Map<PartName, PartMarks>;
  readonly #idle: IdleParts;

  /** Begins with the parts that are expected; `idle` says what one means that is read to its end. */
  constructor(expected: Iterable<PartName>, idle: IdleParts) {
    this.#marks = new Map([...expected].map((part) => [part, unheard()]));
    this.#idle = idle;
  }

  /** The marks by part. */
  get marks(): ReadonlyMap<PartName, Readonly<PartMarks>> {
    return this.#marks;
  }

  /** Expects the partitions that are read. */
  expect(read: Iterable<PartState>): void {
    for (const { partition } of read) this.#at(partition);
  }

  /** Takes over marks from before. */
  restore(marks: Iterable<readonly [PartName, PartMarks]>): void {
    for (const [part, kept] of marks) Object.assign(this.#at(part), kept);
  }

  /** The names of the parts that are known; one without a name where there are none. */
  get names(): PartName[] {
    return this.#marks.size === 0 ? [WHOLE] : [...this.#marks.keys()];
  }

  /** `part` has a message for `time`. */
  hear(part: PartName, time: number): void {
    const marks = this.#at(part);
    if (time > marks.heard) marks.heard = time;
  }

  /** The message of `part` for `time` is stored. */
  store(part: PartName, time: number, position: number): void {
    const marks = this.#at(part);
    if (time > marks.stored) marks.stored = time;
    if (position > marks.position) marks.position = position;
  }

  /** Says whether the message of `part` at `position` was stored before: it is delivered again. */
  isKnown(part: PartName, position: number): boolean {
    return position >= 0 && position <= this.#at(part).position;
  }

  /** The time up to which all parts were heard of; `read` tells which have been read to their end. */
  heard(read: Iterable<PartState> | undefined): number {
    return this.#least("heard", read);
  }

  /** The time up to which all parts are stored; `read` tells which have been read to their end. */
  stored(read: Iterable<PartState> | undefined): number {
    return this.#least("stored", read);
  }

  #least(mark: "heard" | "stored", read: Iterable<PartState> | undefined): number {
    if (this.#marks.size === 0) return -Infinity;
    const passed = new Set<PartName>();
    if (this.#idle === "pass") {
      for (const { partition, caughtUp } of read ?? []) if (caughtUp) passed.add(partition);
    }
    let least = Infinity;
    let most = -Infinity;
    for (const [part, marks] of this.#marks) {
      const time = marks[mark];
      if (time > most) most = time;
      if (time < least && !passed.has(part)) least = time;
    }
    return least === Infinity ? most : least; // all are read to their end: nothing is behind the latest
  }

  #at(part: PartName): PartMarks {
    let marks = this.#marks.get(part);
    if (marks === undefined) this.#marks.set(part, marks = unheard());
    return marks;
  }
}

function unheard(): PartMarks {
  return { heard: -Infinity, stored: -Infinity, position: -1 };
}
