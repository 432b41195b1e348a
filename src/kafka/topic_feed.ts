import { type Commit, END, type Feed, type Host, type PartState, WAIT } from "../flow/feed.ts";
import type { Gate, StartLimit } from "../flow/gate.ts";
import { Receipt } from "../flow/receipt.ts";
import type { Resumption } from "../flow/state.ts";
import type { Assignment, Broker, Chunk, Membership, Positions } from "./broker.ts";
import { Decoding } from "./decoding.ts";
import { LossWatch } from "./loss_watch.ts";
import type { FeedContext } from "./feed_context.ts";
import { Fetched } from "./fetched.ts";
import { Message } from "./message.ts";
import { checkStartOffset, findStart, lookUp, type SeekPosition } from "./positions.ts";
import { addSeek, partitionsToSeek, seeksOf } from "./seeks.ts";
import { Progress } from "./progress.ts";
import { Prefetch } from "./prefetch.ts";
import type { BrokerStatus } from "./status.ts";
import { StuckWatch } from "./stuck_watch.ts";

/**
 * A topic while it is read, as one member of its group.
 *
 * - What belongs to an older generation of the group, or to an older epoch of a partition, is dropped:
 *   records before they are handed out, acknowledgements after.
 * - The positions committed are those after the acknowledged messages, in the order of handing out.
 */
export class TopicFeed<K, V> implements Feed<Message<K, V>> {
  /** This feed asks the gate itself, and goes on with other partitions. */
  readonly partitioned = true;
  /** The receipt of the message that was just polled. */
  receipt: Receipt | undefined;
  readonly #context: FeedContext<K, V>;
  readonly #host: Host;
  readonly #gate: Gate;
  readonly #prefetch = new Prefetch<Message<K, V>>();
  readonly #progress = new Progress();
  readonly #decoding = new Decoding(() => this.#wakeUp());
  readonly #losses = new LossWatch((status) => this.#status(status));
  readonly #fetched = new Fetched();
  readonly #epochs = new Map<number, number>();
  readonly #moving = new Map<number, SeekPosition>();
  readonly #ready = Promise.withResolvers<void>();
  readonly #watch: StuckWatch;
  readonly #progressed = () => this.#watch.progress();
  readonly #unobserve: () => void;
  #resumption: Resumption | undefined;
  readonly #limits: number[] = [];
  #soughtBefore: readonly SeekPosition[];
  /** Counts the seeks: one that comes during an assignment counts for it. */
  #seeks = 0;
  /** Where partitions began that the group had not committed: until it has, they begin there again. */
  readonly #resolved = new Map<number, number>();
  #broker: Broker | undefined;
  #joining: Promise<Membership>;
  #member: Membership | undefined;
  #assignment: Assignment | undefined;
  #latest: Assignment | undefined;
  #assigned = 0;
  #wake: (() => void) | undefined;
  #error: unknown;
  #ended = false;
  #closing: Promise<void> | undefined;
  readonly #aborted = new AbortController();

  /** Begins to join. */
  constructor(context: FeedContext<K, V>, host: Host, gate: Gate) {
    this.#context = context;
    this.#host = host;
    this.#gate = gate;
    this.#soughtBefore = context.sought;
    this.#watch = new StuckWatch({
      clock: host.clock,
      timeoutMs: context.settings.processingTimeoutMs,
      isWaiting: () => !gate.closed && this.#progress.oldestOpen() !== undefined,
      stuck: () => this.#stuck(),
    });
    this.#unobserve = gate.observe(() => this.#gateChanged());
    this.#joining = this.#join();
    this.#joining.catch((error) => this.#fail(error));
  }

  async #join(): Promise<Membership> {
    const { topic, groupId, settings, connect } = this.#context;
    this.#broker = await connect();
    const signal = AbortSignal.any([this.#host.signal, this.#aborted.signal]);
    return this.#member = await this.#broker.join({ ...settings, topic, groupId, signal }, {
      assigned: (assignment) => this.#assign(assignment),
      records: (chunk) => this.#receive(chunk),
      revoking: (assignment, canCommit) => this.#revoke(assignment, canCommit),
      status: (status) => this.#status(status),
    });
  }

  /** Returns the next message, `WAIT`, or `END` after the feed was cancelled. */
  poll(): Message<K, V> | typeof WAIT | typeof END {
    if (this.#error !== undefined) throw this.#error;
    if (this.#ended) return END;
    this.#watch.progress();
    for (let cursor = this.#prefetch.first(); cursor; cursor = this.#prefetch.first()) {
      const { chunk, origin } = cursor;
      const { partition } = origin;
      const message = cursor.held ??= new Message(
        origin,
        chunk.records.at(cursor.index)!,
        this.#context.codecs,
      );
      if (this.#gate.guarded && !this.#gate.admits(message)) {
        if (this.#prefetch.setAside(partition)) this.#member?.pause([partition]);
        continue;
      }
      if (this.#decoding.needed && this.#decoding.waits(message)) return WAIT;
      this.#handOut(partition, this.#prefetch.take(cursor, message.offset));
      return message;
    }
    return WAIT;
  }

  #handOut(partition: number, next: number): void {
    const acknowledged = this.#progress.open(partition, next, this.#progressed);
    this.receipt = new Receipt(acknowledged, next, partition);
  }

  /** Sets how long a message may take before its partitions are given to others. */
  limit(ms: number | undefined): number {
    if (ms !== undefined) {
      this.#limits.push(ms);
      this.#watch.limit(Math.min(...this.#limits));
    }
    return this.#watch.timeoutMs;
  }

  /** How many records of the assigned partitions are not acknowledged, as of the last fetch of each. */
  lag(): number {
    let lag = 0;
    for (const [partition, position] of this.#progress.positions()) {
      lag += Math.max(0, this.#fetched.endOf(partition) - position);
    }
    return lag;
  }

  /** Asks `resumption` where to begin. */
  resumeBy(resumption: Resumption): void {
    this.#resumption = resumption;
  }

  /** Calls `wake` when polling again may help. */
  wait(wake: () => void): void {
    this.#wake = wake;
  }

  /** Resolves after the first assignment, or when there will be none. */
  ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** The partitions that this member reads. */
  parts(): PartState[] {
    return this.#fetched.states((partition) => this.#prefetch.has(partition));
  }

  /** Takes the acknowledged positions that are not committed; undefined when there are none. */
  snapshot(): Commit | undefined {
    const generation = this.#assignment?.generation;
    if (generation === undefined) return undefined;
    const uncommitted = this.#progress.uncommitted();
    if (!uncommitted) return undefined;
    return async () => {
      const result = await this.#member!.commit(generation, uncommitted.positions);
      if (result === "committed") uncommitted.confirm();
    };
  }

  /**
   * Moves to another position. Nothing that was fetched before is handed out any more, from now on.
   *
   * @throws {RangeError} If an offset does not exist, or a partition is not assigned to this member; then
   * the partitions go on after what was acknowledged.
   */
  seek(position: unknown): Promise<void> {
    const { topic } = this.#context;
    checkStartOffset(`topic "${topic}"`, position);
    const assignment = this.#assignment;
    this.#seeks++;
    if (!assignment) {
      this.#soughtBefore = addSeek(this.#soughtBefore, position);
      return Promise.resolve();
    }
    const partitions = partitionsToSeek(topic, position, assignment.partitions);
    for (const partition of partitions) {
      this.#moving.set(partition, position);
      this.#prefetch.drop(partition);
      this.#progress.restart(partition);
    }
    return this.#move(assignment, partitions, position);
  }

  async #move(
    assignment: Assignment,
    partitions: readonly number[],
    position: SeekPosition,
  ): Promise<void> {
    const { topic } = this.#context;
    let found: Positions | undefined;
    try {
      found = await lookUp(this.#broker!, topic, partitions, position);
    } finally {
      for (const partition of partitions) {
        // A later seek, or a new assignment, has taken this one over.
        if (assignment !== this.#assignment || this.#moving.get(partition) !== position) continue;
        this.#moving.delete(partition);
        this.#start(partition, found?.get(partition) ?? this.#progress.positionOf(partition));
      }
    }
  }

  #start(partition: number, offset: number): void {
    this.#resumption?.began(partition, offset, true);
    this.#progress.restart(partition, offset);
    this.#losses.expect(new Map([[partition, offset]]));
    this.#fetched.restart(partition, offset);
    this.#epochs.set(partition, this.#member!.seek(partition, offset));
    this.#wakeUp();
  }

  async #assign(assignment: Assignment): Promise<Positions> {
    this.#latest = assignment;
    const member = await this.#joining;
    const { topic, groupId, settings } = this.#context;
    const { partitions, generation } = assignment;
    const sought = seeksOf(partitions, this.#moving, this.#soughtBefore);
    const seeks = this.#seeks;
    const first = this.#context.first && this.#assigned === 0;
    const resolved = this.#resolved;
    const limit: StartLimit = (partition, position) => {
      if (assignment !== this.#latest) return position; // overtaken: nothing begins here
      const done = sought.has(partition) ? position : this.#progress.resume(partition, position);
      return this.#gate.startAt(partition, done);
    };
    const options = {
      topic,
      groupId,
      partitions,
      offset: settings.offset,
      first,
      resolved,
      sought,
      limit,
    };
    const status = (lost: BrokerStatus) => this.#status(lost);
    const resumption = this.#resumption;
    const start = { ...options, status, resumption };
    const { positions, committed, ends } = await findStart(this.#broker!, start);
    if (assignment !== this.#latest) return positions;
    if (seeks !== this.#seeks) return this.#assign(assignment);
    this.#assigned++;
    this.#context.began();
    for (const [partition, position] of positions) {
      if (!committed.has(partition)) resolved.set(partition, position);
    }
    this.#assignment = assignment;
    this.#soughtBefore = [];
    this.#moving.clear();
    this.#prefetch.drop();
    for (const [partition, position] of positions) {
      resumption?.began(partition, position, sought.has(partition));
    }
    this.#progress.begin(positions, committed);
    this.#losses.expect(positions);
    this.#fetched.begin(positions, ends);
    this.#prefetch.recall();
    const closed = this.#gate.closed;
    if (closed) member.pause(partitions);
    else member.resume(partitions);
    // Else a group that starts at "latest" would start there again after a crash, and miss messages.
    const commit = first && committed.size === 0 && generation ? this.snapshot() : undefined;
    commit?.().catch(() => {});
    this.#ready.resolve();
    this.#wakeUp();
    return positions;
  }

  #receive(chunk: Chunk): void | Promise<void> {
    const { generation, partition, epoch } = chunk;
    // While the partitions are given up, what was fetched before is gone: this would leave a hole.
    if (this.#assignment !== this.#latest) return;
    if (generation !== this.#assignment?.generation || this.#moving.has(partition)) return;
    if (epoch < (this.#epochs.get(partition) ?? 0)) return;
    this.#losses.see(this.#broker!, chunk);
    this.#fetched.see(chunk);
    const room = this.#prefetch.add(chunk);
    this.#wakeUp();
    return room;
  }

  async #revoke(assignment: Assignment, canCommit: boolean): Promise<void> {
    if (assignment === this.#latest) this.#latest = undefined;
    if (assignment !== this.#assignment) return;
    this.#prefetch.drop();
    // What fails here is told by the host; the positions are then committed by nobody.
    if (canCommit) await this.#host.barrier().catch(() => {});
    if (assignment !== this.#assignment) return;
    this.#assignment = undefined;
    this.#progress.clear();
  }

  #gateChanged(): void {
    const partitions = this.#assignment?.partitions ?? [];
    if (this.#gate.closed) this.#member?.pause(partitions);
    else {
      this.#prefetch.recall();
      this.#member?.resume(partitions);
    }
    this.#wakeUp();
  }

  /** Gives the partitions to others until the message that takes so long is done. */
  #stuck(): () => void {
    const { topic } = this.#context;
    const place = this.#progress.oldestOpen()!;
    this.#status({ type: "stuck", topic, ...place });
    this.#prefetch.drop();
    this.#progress.giveUp();
    this.#assignment = undefined;
    void this.#member?.leave();
    return () => this.#member?.rejoin();
  }

  #status(status: BrokerStatus): void {
    if (status.type === "failed") this.#fail(status.error);
    try {
      this.#context.settings.onStatus?.(status);
    } catch (error) {
      this.#fail(error); // it runs inside the client, which must not meet it
    }
  }

  #fail(error: unknown): void {
    if (this.#ended) return;
    this.#error ??= error;
    this.#ready.resolve();
    this.#wakeUp();
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  /** Leaves the group; what was not committed is delivered again. */
  cancel(): Promise<void> {
    this.#ended = true;
    this.#prefetch.drop();
    this.#wakeUp();
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    this.#unobserve();
    this.#watch.stop();
    this.#ready.resolve();
    this.#aborted.abort();
    const member = await this.#joining.catch(() => undefined);
    await member?.close();
    this.#context.ended();
  }
}
