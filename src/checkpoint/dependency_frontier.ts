import type { PartState } from "../flow/source/host.ts";
import type { Gate } from "../flow/source/gate.ts";
import type { Receipt } from "../flow/source/receipt.ts";
import { type IdlePartitions, type PartMarks, type PartName, Parts } from "./dependency_parts.ts";
import { positionOf } from "./replay_tracker.ts";
import { SourceOrder, Ticket } from "./source_order.ts";

/** A heartbeat of a dependency, or a keep-alive. */
export interface Heartbeat {
  readonly time: number;
  /** The parts that it comes from. */
  readonly parts: readonly PartName[];
  /** The position of its message; -1 without. */
  readonly position: number;
  /** Whether it has a message, which may make results stale; a keep-alive has none. */
  readonly isMessage: boolean;
}

/** A message of a dependency, with what is to be done once it and all messages before it are done. */
export class DependencyTicket extends Ticket {
  readonly whenPassed: (() => void)[] = [];
}

/** The messages of one partition, or of a source without partitions. */
interface Line {
  readonly order: SourceOrder<DependencyTicket>;
  /** What the reading of the newest message belongs to: it changes when the partition was moved, or was away. */
  reading: unknown;
}

/** What is kept of a dependency. Times are milliseconds of event time. */
export interface DependencyRecord {
  /** The name of the dependency. */
  readonly name: string;
  /** The time of its last heartbeat; before there is one, the first pulse's. */
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

/** Options of a dependency that its frontier depends on. */
interface FrontierSettings {
  readonly parts: readonly PartName[];
  readonly idleParts: IdlePartitions;
  readonly outOfOrderness: number;
}

/**
 * How far the heartbeats of a dependency have come, how far its messages are stored, and whether it is down.
 *
 * - `marker` and `frontier` never move back.
 * - Each message has a ticket from when it is taken: what is stored counts in the order of the source, whichever message
 *   is done first.
 * - The first pulse seeds `marker`, which then tells only when the outage began; it moves no frontier.
 */
export class DependencyFrontier {
  /** The time of the last heartbeat; before there is one, the first pulse's. */
  marker = -Infinity;
  /** The time before which everything is stored. */
  frontier = -Infinity;
  /** Whether it is down. */
  down = false;
  /** The time that the frontier must pass before it has recovered. */
  target = -Infinity;
  /** The dependent's state at the last heartbeat. */
  checkpointState: Record<string, unknown> | undefined;
  /** The heartbeats that are not stored, with the time at which each holds the frontier. */
  readonly openHeartbeats: Map<Heartbeat, number> = new Map();
  /** The tickets of the source's messages in flight. */
  readonly #tickets = new Map<Receipt, DependencyTicket>();
  /** Its messages that are not done, or wait for one before them, by partition. */
  readonly #lines = new Map<number | undefined, Line>();
  /** The source has come to its end. */
  ended = false;
  /** How many of its messages were done in this run, while there was no heartbeat ever. */
  unheard = 0;
  #heard = false;
  /** A heartbeat that waited has been counted, which nobody knows who asks {@linkcode DependencyFrontier.advance}. */
  #counted = false;

  readonly #settings: FrontierSettings;
  readonly #gate: Gate;
  #parts: Parts;

  constructor(settings: FrontierSettings, gate: Gate) {
    this.#settings = settings;
    this.#gate = gate;
    this.#parts = new Parts(settings.parts, settings.idleParts);
    gate.limitStart((partition, position) => {
      this.#lines.get(partition)?.order.begin(position);
      return position;
    });
  }

  /** Begins a run: the source is read again. */
  begin(): void {
    this.#parts.restore(this.#recordable());
    this.openHeartbeats.clear();
    this.#tickets.clear();
    this.#lines.clear();
    this.ended = false;
    this.unheard = 0;
    if (this.frontier === Infinity) this.frontier = this.expected;
  }

  /** The source has ended, and all of its messages are done. */
  get isOver(): boolean {
    return this.ended && this.openHeartbeats.size === 0 && this.#tickets.size === 0;
  }

  /** The names of its parts. */
  get parts(): PartName[] {
    this.#parts.expect(this.#gate.parts ?? []);
    return this.#parts.names;
  }

  /** The slowest parts, where it has several. */
  get lagging(): PartName[] {
    return this.#parts.lagging(this.#read);
  }

  /** The parts that keep the frontier from passing `time`, since they have had no message later than it. */
  behind(time: number): PartName[] {
    return this.#parts.behind(time + this.#settings.outOfOrderness, this.#read);
  }

  /** The latest time of the heartbeats, by part. */
  get heard(): Map<PartName, number> {
    this.#parts.expect(this.#gate.parts ?? []);
    return new Map([...this.#parts.marks].map(([part, { heard }]) => [part, heard]));
  }

  /** A heartbeat for `time` has arrived. */
  hear(time: number, part: PartName): void {
    this.#heard = true;
    this.unheard = 0;
    this.#parts.hear(part, time);
    this.#seeAlive(this.#read);
  }

  /** A message was taken from the source; returns a function that notes that it is done. */
  began(message: unknown, receipt: Receipt): () => void {
    const at = positionOf(message);
    const line = this.#lines.getOrInsertComputed(at?.partition, () => this.#line(at?.offset));
    const reading = receipt.tracker ?? this.#gate.epoch;
    if (line.reading !== reading && at !== undefined) line.order.begin(at.offset);
    line.reading = reading;
    const ticket = line.order.add(at?.offset);
    this.#tickets.set(receipt, ticket);
    return () => {
      if (this.#tickets.get(receipt) === ticket) this.#tickets.delete(receipt);
      line.order.done(ticket);
      if (!this.#heard) this.unheard++;
    };
  }

  #line(position = 0): Line {
    const make = (position: number) => new DependencyTicket(position);
    const passed = ({ whenPassed }: DependencyTicket) => whenPassed.forEach((call) => call());
    return { order: new SourceOrder(position, make, passed), reading: undefined };
  }

  /** A message was dropped before it began. */
  dropped(receipt: Receipt): void {
    const ticket = this.#tickets.get(receipt);
    if (ticket === undefined) return;
    this.#tickets.delete(receipt);
    const at = positionOf(receipt.origin);
    this.#lines.get(at?.partition)?.order.drop(ticket, at !== undefined);
  }

  /** Returns the tickets of the messages in flight for which `receipt` was made: of each partition the last one. */
  ticketsOf(receipt: Receipt): DependencyTicket[] {
    if (receipt.sentFor !== undefined) return this.ticketsOf(receipt.sentFor);
    const own = this.#tickets.get(receipt);
    if (own !== undefined) return [own];
    const last = new Map<number, DependencyTicket>();
    for (const leaf of receipt.leaves) {
      const ticket = this.#tickets.get(leaf);
      if (ticket === undefined) continue;
      const known = last.get(leaf.partition);
      if (known === undefined || known.position <= ticket.position) {
        last.set(leaf.partition, ticket);
      }
    }
    return [...last.values()];
  }

  /**
   * What came with a heartbeat is stored: where it has tickets of messages, it counts once all messages before these
   * are done.
   */
  store(heartbeat: Heartbeat, tickets: readonly DependencyTicket[] = []): void {
    const open = tickets.find(({ passed }) => !passed);
    if (open !== undefined) {
      open.whenPassed.push(() => {
        this.store(heartbeat, tickets);
        this.#counted = true;
      });
    } else {
      const { time, parts, position } = heartbeat;
      for (const part of parts) this.#parts.store(part, time, position);
      this.openHeartbeats.delete(heartbeat);
      this.#move();
    }
  }

  /** Returns whether the message of a heartbeat was stored before: it is delivered again. */
  isKnown({ parts, position }: Heartbeat, tickets: readonly DependencyTicket[] = []): boolean {
    return tickets.some(({ again }) => again) || this.#parts.isKnown(parts[0]!, position);
  }

  /** Moves the frontier to where everything is stored; returns whether that may be farther than at the last call. */
  advance(): boolean {
    const counted = this.#counted;
    this.#counted = false;
    return this.#move() || counted;
  }

  #move(): boolean {
    const read = this.#read;
    this.#seeAlive(read);
    let stored = this.#parts.stored(read) - this.#settings.outOfOrderness;
    for (const time of this.openHeartbeats.values()) if (time < stored) stored = time;
    if (!(stored > this.frontier)) return false;
    this.frontier = stored;
    return true;
  }

  #seeAlive(read: readonly PartState[]): void {
    this.#parts.expect(read);
    this.marker = Math.max(this.marker, this.#parts.heard(read));
  }

  /** The partitions that are read; one whose last message is in flight is not read to its end yet. */
  get #read(): PartState[] {
    const read = [...this.#gate.parts ?? []];
    if (this.#settings.idleParts === "hold") return read;
    return read.map(({ partition, caughtUp }) => ({
      partition,
      caughtUp: caughtUp && (this.#lines.get(partition)?.order.size ?? 0) === 0,
    }));
  }

  /** Where the frontier will be once everything that has arrived is stored. */
  get expected(): number {
    return this.#parts.heard(this.#read) - this.#settings.outOfOrderness;
  }

  /** The source is complete. That is not kept, since another run may read it again. */
  complete(): void {
    this.frontier = Infinity;
  }

  /** What is to be kept. */
  record(name: string): DependencyRecord {
    const { marker, down, target, checkpointState } = this;
    const frontier = this.frontier === Infinity ? this.expected : this.frontier;
    const parts = [...this.#recordable()];
    return { name, marker, frontier, down, target, checkpointState, parts };
  }

  /** The marks without those of messages that came after one in flight: after a crash all are read again. */
  #recordable(): Map<PartName, PartMarks> {
    const all = new Map([...this.#parts.marks].map(([part, marks]) => [part, { ...marks }]));
    for (const [{ parts, position }, time] of this.openHeartbeats) {
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

  /** Takes over a record. */
  restore(record: DependencyRecord): void {
    this.marker = record.marker;
    this.frontier = record.frontier;
    this.down = record.down;
    this.target = record.target;
    this.checkpointState = record.checkpointState;
    this.#parts = new Parts(this.#settings.parts, this.#settings.idleParts);
    this.#parts.restore(record.parts);
    this.#heard = record.parts.some(([, { heard }]) => heard > -Infinity);
  }
}
