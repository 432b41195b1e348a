import type { PartState } from "../flow/feed.ts";
import type { Gate } from "../flow/gate.ts";
import type { Receipt } from "../flow/receipt.ts";
import type { Beat } from "./beat.ts";
import type { DependencySettings } from "./dependency_options.ts";
import { type PartMarks, type PartName, Parts } from "./parts.ts";
import { placeOf } from "./place.ts";

/** What is kept of a dependency. Times are milliseconds of event time. */
export interface VitalsRecord {
  /** The name of the dependency. */
  readonly name: string;
  /** The time of its last heartbeat, or the first pulse's. */
  readonly marker: number;
  /** The time before which everything is stored. */
  readonly frontier: number;
  /** Whether it is down. */
  readonly down: boolean;
  /** The time that the frontier must pass before it has recovered. */
  readonly target: number;
  /** The dependent's state at the last heartbeat. */
  readonly checkpointState: Record<string, unknown> | undefined;
  /** The marks of its parts. */
  readonly parts: readonly (readonly [PartName, PartMarks])[];
}

/**
 * The inside of a dependency: how far it was heard of, how far it is stored, whether it is down.
 *
 * - `marker` and `frontier` never move back.
 * - The first pulse seeds `marker`, for liveness only: it says nothing about what is stored.
 */
export class Vitals {
  /** The time of the last heartbeat, or the first pulse's. */
  marker = -Infinity;
  /** The time before which everything is stored. */
  frontier = -Infinity;
  /** Whether it is down. */
  down = false;
  /** The time that the frontier must pass before it has recovered. */
  target = -Infinity;
  /** The dependent's state at the last heartbeat. */
  checkpointState: Record<string, unknown> | undefined;
  /** The heartbeats whose messages are under way, with what each holds the frontier at. */
  readonly open: Map<Beat, number> = new Map();
  /** The receipts of the messages of the source that are under way. */
  readonly underWay: Set<Receipt> = new Set();
  /** The source has come to its end. */
  ended = false;

  readonly #settings: DependencySettings;
  readonly #gate: Gate;
  #parts: Parts;

  constructor(settings: DependencySettings, gate: Gate) {
    this.#settings = settings;
    this.#gate = gate;
    this.#parts = new Parts(settings.parts, settings.idleParts);
  }

  /** Begins a run: the source is read again. */
  begin(): void {
    this.#parts.restore(this.#done());
    this.open.clear();
    this.underWay.clear();
    this.ended = false;
    if (this.frontier === Infinity) this.frontier = this.expected;
  }

  /** The source has ended, and everything that it gave is done. */
  get isOver(): boolean {
    return this.ended && this.open.size === 0 && this.underWay.size === 0;
  }

  /** The names of its parts. */
  get parts(): PartName[] {
    this.#parts.expect(this.#gate.parts ?? []);
    return this.#parts.names;
  }

  /** The parts that hold it back, where it has several. */
  get lagging(): PartName[] {
    return this.#parts.lagging(this.#read);
  }

  /** The parts that hold it back from knowing everything before `time`, and `time`, for want of messages. */
  behind(time: number): PartName[] {
    return this.#parts.behind(time + this.#settings.latenessMs, this.#read);
  }

  /** The latest time that was heard of, by part. */
  get heard(): Map<PartName, number> {
    this.#parts.expect(this.#gate.parts ?? []);
    return new Map([...this.#parts.marks].map(([part, { heard }]) => [part, heard]));
  }

  /** Something for `time` has arrived. */
  hear(time: number, part: PartName): void {
    this.#parts.hear(part, time);
    this.#seeAlive(this.#read);
  }

  /** Something for `time` is stored; `position` is its message's, -1 without. */
  store(time: number, part: PartName, position: number): void {
    this.#parts.store(part, time, position);
    this.advance();
  }

  /** Says whether the message at `position` was stored before: it is delivered again. */
  isKnown(part: PartName, position: number): boolean {
    return this.#parts.isKnown(part, position);
  }

  /** Looks how far everything is stored; true when that is farther than before. */
  advance(): boolean {
    const read = this.#read;
    this.#seeAlive(read);
    let stored = this.#parts.stored(read) - this.#settings.latenessMs;
    for (const time of this.open.values()) if (time < stored) stored = time;
    if (!(stored > this.frontier)) return false;
    this.frontier = stored;
    return true;
  }

  #seeAlive(read: readonly PartState[]): void {
    this.#parts.expect(read);
    this.marker = Math.max(this.marker, this.#parts.heard(read));
  }

  /** The partitions that are read; one whose last message is under way is not read to its end yet. */
  get #read(): PartState[] {
    const read = [...this.#gate.parts ?? []];
    if (this.#settings.idleParts === "hold" || this.underWay.size === 0) return read;
    const open = new Set([...this.underWay].map((each) => placeOf(each.origin)?.partition));
    return read.map(({ partition, caughtUp }) => ({
      partition,
      caughtUp: caughtUp && !open.has(partition),
    }));
  }

  /** How far the frontier will be when everything is stored that has arrived. */
  get expected(): number {
    return this.#parts.heard(this.#read) - this.#settings.latenessMs;
  }

  /** Takes the source for complete; not kept, since another run may read it again. */
  complete(): void {
    this.frontier = Infinity;
  }

  /** What is to be kept. */
  record(name: string): VitalsRecord {
    const { marker, down, target, checkpointState } = this;
    const frontier = this.frontier === Infinity ? this.expected : this.frontier;
    const parts = [...this.#done()];
    return { name, marker, frontier, down, target, checkpointState, parts };
  }

  /** The marks without those of messages that came after one that is under way: all of them are read again. */
  #done(): Map<PartName, PartMarks> {
    const all = new Map([...this.#parts.marks].map(([part, marks]) => [part, { ...marks }]));
    for (const [{ parts, position }, time] of this.open) {
      if (time === Infinity) continue;
      for (const part of parts) {
        const marks = all.get(part);
        if (marks === undefined) continue;
        marks.stored = Math.min(marks.stored, time);
        if (position >= 0) marks.position = Math.min(marks.position, position - 1);
      }
    }
    return all;
  }

  /** Takes over what was kept. */
  restore(record: VitalsRecord): void {
    this.marker = record.marker;
    this.frontier = record.frontier;
    this.down = record.down;
    this.target = record.target;
    this.checkpointState = record.checkpointState;
    this.#parts = new Parts(this.#settings.parts, this.#settings.idleParts);
    this.#parts.restore(record.parts);
  }
}
