import { type Clock, settledWithin } from "../../clock.ts";
import type {
  Assignment,
  GroupHandlers,
  JoinOptions,
  Membership,
  Positions,
} from "../client/broker.ts";
import type { MemoryGroup } from "./group.ts";
import type { PartitionLog } from "./log.ts";
import { startOf } from "../client/start_of.ts";

/** The most records in a chunk. */
const CHUNK = 1_000;

/** What a member needs of its broker. */
export interface MembershipContext {
  /** The time. */
  readonly clock: Clock;
  /** The group. */
  readonly group: MemoryGroup;
  /** The partitions of the topic. */
  readonly logs: readonly PartitionLog[];
  /** Is called when the member has left for good. */
  readonly ended: () => void;
}

/** A member of a group in memory. */
export class MemoryMembership implements Membership {
  /** The topic it reads. */
  readonly topic: string;
  /** Whether it must be the only reader of the topic in its group. */
  readonly exclusive: boolean;
  /** The last generation of the group in which it was given partitions; 0 for none. */
  held = 0;
  readonly #context: MembershipContext;
  readonly #options: JoinOptions;
  readonly #handlers: GroupHandlers;
  readonly #paused = new Set<number>();
  readonly #epochs = new Map<number, number>();
  readonly #sought = new Map<number, number>();
  #generation = 0;
  #assignment: Assignment | undefined;
  /** Aborts when the assignment ends. */
  #over: AbortController = new AbortController();
  #positions = new Map<number, number>();
  #wake: (() => void) | undefined;
  #release: (() => void) | undefined;
  #closed = false;

  /** Makes a member; it is in no group yet. */
  constructor(context: MembershipContext, options: JoinOptions, handlers: GroupHandlers) {
    this.topic = options.topic;
    this.exclusive = options.exclusive === true;
    this.#context = context;
    this.#options = options;
    this.#handlers = handlers;
  }

  /** Tells the member its partitions in a generation of the group, and begins to deliver their records. */
  assign(partitions: readonly number[], generationOfGroup: number): void {
    if (partitions.length > 0) this.held = generationOfGroup;
    const assignment = { generation: ++this.#generation, topic: this.topic, partitions };
    this.#over.abort();
    this.#over = new AbortController();
    this.#assignment = assignment;
    this.#sought.clear();
    this.#run(assignment).catch((error) => {
      // One that was overtaken has looked up what was true before.
      if (assignment === this.#assignment) this.#handlers.status({ type: "failed", error });
    });
  }

  /** Takes the partitions back, after the member had time for a last commit. */
  async revoke(): Promise<void> {
    const assignment = this.#assignment;
    if (!assignment) return;
    const half = this.#options.rebalanceTimeout / 2;
    const revoking = Promise.try(() => this.#revoking(assignment, true));
    await settledWithin(this.#context.clock, half, revoking);
    if (assignment === this.#assignment) this.#end();
  }

  #revoking(assignment: Assignment, canCommit: boolean): void | Promise<void> {
    const { topic, partitions } = assignment;
    this.#handlers.status({ type: "revoked", topic, partitions });
    return this.#handlers.revoking(assignment, canCommit);
  }

  #end(): void {
    this.#assignment = undefined;
    this.#over.abort();
    this.#changed();
  }

  /** There are new records: a delivery that waits for some looks again; one that is held back stays so. */
  arrived(): void {
    this.#wake?.();
  }

  /** Something has changed that any delivery must look at. */
  #changed(): void {
    this.#wake?.();
    this.#release?.();
  }

  async #run(assignment: Assignment): Promise<void> {
    const { topic, partitions, generation } = assignment;
    const { clock } = this.#context;
    const isCurrent = () => assignment === this.#assignment;
    const positions = await startOf(assignment, this.#handlers, clock, this.#over.signal);
    if (!positions) return;
    this.#positions = new Map([...positions, ...this.#sought]);
    this.#handlers.status({ type: "assigned", topic, partitions, generation });
    while (isCurrent()) {
      let idle = true;
      for (const partition of partitions) {
        if (this.#paused.has(partition)) continue;
        const room = this.#deliver(assignment, partition);
        if (room === "nothing") continue;
        idle = false;
        if (room) await this.#room(room);
        if (!isCurrent()) return;
      }
      if (idle) await this.#idle(assignment);
      else await new Promise<void>((resolve) => clock.macrotask(resolve));
    }
  }

  /** Waits for records; where somebody asks, the fetches in between are answered with nothing, as a broker does. */
  async #idle({ partitions, generation }: Assignment): Promise<void> {
    const { atEnd } = this.#handlers;
    let cancel = () => {};
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (atEnd !== undefined) {
        cancel = this.#context.clock.timer(resolve, this.#options.maxWaitTimeInMs);
      }
    });
    for (const partition of atEnd === undefined ? [] : partitions) {
      const position = this.#positions.get(partition)!;
      if (this.#paused.has(partition) || position < this.#context.logs[partition]!.high) continue;
      atEnd!({ generation, epoch: this.#epochs.get(partition) ?? 0, partition, position });
    }
    await woken;
    cancel();
  }

  #deliver(assignment: Assignment, partition: number): "nothing" | void | Promise<void> {
    const log = this.#context.logs[partition]!;
    const { maxBytesPerPartition } = this.#options;
    const position = this.#positions.get(partition)!;
    const { records, bytes } = log.read(position, CHUNK, maxBytesPerPartition);
    const last = records.at(-1);
    const next = last ? last.offset + 1 : log.high;
    if (next <= position) return "nothing";
    const { generation, topic } = assignment;
    const epoch = this.#epochs.get(partition) ?? 0;
    this.#positions.set(partition, next);
    return this.#handlers.records({
      generation,
      epoch,
      topic,
      partition,
      records,
      bytes,
      next,
      high: log.high,
    });
  }

  /** Resolves when there is room for more, or something has changed. */
  #room(room: Promise<void>): Promise<void> {
    return new Promise((resolve) => {
      this.#release = resolve;
      room.then(resolve, resolve);
    });
  }

  /** Commits positions of one generation; see {@linkcode Membership.commit}. */
  commit(generation: number, positions: Positions): Promise<"committed" | "fenced"> {
    if (generation !== this.#assignment?.generation) return Promise.resolve("fenced");
    this.#context.group.commit(this.topic, positions);
    return Promise.resolve("committed");
  }

  /** Delivers nothing of these partitions until they are resumed. */
  pause(partitions: Iterable<number>): void {
    for (const partition of partitions) this.#paused.add(partition);
    this.#changed();
  }

  /** Delivers them again. */
  resume(partitions: Iterable<number>): void {
    for (const partition of partitions) this.#paused.delete(partition);
    this.#wake?.();
  }

  /** Moves to another offset and returns the new epoch of the partition. */
  seek(partition: number, offset: number): number {
    const epoch = (this.#epochs.get(partition) ?? 0) + 1;
    this.#epochs.set(partition, epoch);
    this.#sought.set(partition, offset);
    if (this.#positions.has(partition)) this.#positions.set(partition, offset);
    this.#changed();
    return epoch;
  }

  /** Leaves the group until {@linkcode MemoryMembership.rejoin}. */
  leave(): Promise<void> {
    if (this.#assignment) void this.#revoking(this.#assignment, false);
    this.#end();
    this.#context.group.leave(this);
    return Promise.resolve();
  }

  /** Joins again. */
  rejoin(): void {
    if (!this.#closed) this.#context.group.join(this);
  }

  /** Leaves the group for good. */
  close(): Promise<void> {
    this.#closed = true;
    this.#context.ended();
    return this.leave();
  }
}
