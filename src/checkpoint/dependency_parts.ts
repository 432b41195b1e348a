import type { PartState } from "../flow/source/host.ts";

/** The name of a part of a dependency: a partition, or a name chosen by the user. */
export type PartName = number | string;

const NONE: ReadonlySet<PartName> = new Set();

/** The name of the only part of a dependency that has no parts. */
const WHOLE: PartName = "";

/** The marks of one part, in milliseconds of event time. */
export interface PartMarks {
  /** The latest time of its heartbeats. */
  heard: number;
  /** The latest time whose message is stored, and all messages before it. */
  stored: number;
  /** The last position whose message is stored, and all before it; -1 where messages have none. */
  position: number;
}

/**
 * How a partition that has been read to its end affects the frontier: it holds it back, or is passed over until it
 * has a message.
 */
export type IdlePartitions = "hold" | "pass";

/**
 * The parts of one dependency. It is as far as its slowest part; one without a heartbeat yet holds
 * everything back.
 */
export class Parts {
  readonly #marks = new Map<PartName, PartMarks>();
  readonly #expected: ReadonlySet<PartName>;
  /** What was kept of parts that are neither expected nor read yet: they hold nothing back. */
  readonly #kept = new Map<PartName, PartMarks>();
  readonly #idle: IdlePartitions;

  /** Begins with the parts that are expected; `idle` tells what one does that has been read to its end. */
  constructor(expected: Iterable<PartName>, idle: IdlePartitions) {
    this.#expected = new Set([...expected].map(toPartName));
    for (const part of this.#expected) this.#marks.set(part, unheard());
    this.#idle = idle;
  }

  /** The marks of all parts. */
  get marks(): ReadonlyMap<PartName, Readonly<PartMarks>> {
    return new Map([...this.#kept, ...this.#marks]);
  }

  /** Expects the partitions that are read. */
  expect(read: Iterable<PartState>): void {
    for (const { partition } of read) this.#at(partition);
  }

  /** Takes over marks from before. Where parts are expected, others count once they are read or have a heartbeat. */
  restore(marks: Iterable<readonly [PartName, PartMarks]>): void {
    for (const [name, kept] of marks) {
      const part = toPartName(name);
      if (this.#expected.size === 0 || this.#expected.has(part)) {
        Object.assign(this.#at(part), kept);
      } else this.#kept.set(part, { ...kept });
    }
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

  /** Returns whether the message of `part` at `position` was stored before: it is delivered again. */
  isKnown(part: PartName, position: number): boolean {
    return position >= 0 && position <= this.#at(part).position;
  }

  /** The latest heartbeat of the slowest part; `read` tells which have been read to their end. */
  heard(read: Iterable<PartState> | undefined): number {
    return this.#least("heard", read);
  }

  /** The latest time stored of the slowest part; `read` as above. */
  stored(read: Iterable<PartState> | undefined): number {
    return this.#least("stored", read);
  }

  /** The slowest parts, where there are several; `read` as above. */
  lagging(read: Iterable<PartState> | undefined): PartName[] {
    const least = this.heard(read);
    if (this.#marks.size < 2) return [];
    return this.names.filter((part) => this.#marks.get(part)!.heard <= least);
  }

  /** The parts that hold the others back: their heartbeats are not later than `time`; `read` as above. */
  behind(time: number, read: Iterable<PartState>): PartName[] {
    const parts = [...this.#marks].filter(([part]) => part !== WHOLE);
    const passed = this.#passed(read);
    const counts = parts.filter(([part]) => !passed.has(part));
    const late = (counts.length > 0 ? counts : parts).filter(([, { heard }]) => heard <= time);
    return late.map(([part]) => part);
  }

  #least(mark: "heard" | "stored", read: Iterable<PartState> | undefined): number {
    if (this.#marks.size === 0) return -Infinity;
    const passed = this.#passed(read);
    let least = Infinity;
    let most = -Infinity;
    for (const [part, marks] of this.#marks) {
      const time = marks[mark];
      if (time > most) most = time;
      if (time < least && !passed.has(part)) least = time;
    }
    return least === Infinity ? most : least; // all are read to their end: nothing is behind the latest
  }

  /** The parts that are passed over: they have been read to their end. */
  #passed(read: Iterable<PartState> | undefined): ReadonlySet<PartName> {
    if (this.#idle === "hold") return NONE;
    const passed = new Set<PartName>();
    for (const { partition, caughtUp } of read ?? []) if (caughtUp) passed.add(partition);
    return passed;
  }

  #at(name: PartName): PartMarks {
    const part = toPartName(name);
    const known = this.#marks.get(part);
    if (known !== undefined) return known;
    const marks = this.#kept.get(part) ?? unheard();
    // The whole, of which heartbeats told before its parts were known, is no part itself.
    if (part === WHOLE && this.#marks.size > 0) return marks;
    if (!this.#expected.has(WHOLE)) this.#marks.delete(WHOLE);
    this.#kept.delete(part);
    this.#marks.set(part, marks);
    return marks;
  }
}

/** A partition may be named by its number as a text. */
function toPartName(name: PartName): PartName {
  if (typeof name === "number") return name;
  return /^(0|[1-9]\d{0,9})$/.test(String(name)) ? Number(name) : name;
}

function unheard(): PartMarks {
  return { heard: -Infinity, stored: -Infinity, position: -1 };
}
