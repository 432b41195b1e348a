import { type Commit, END, type Feed, type Host, WAIT } from "../flow/feed.ts";
import type { Gate } from "../flow/gate.ts";
import { Receipt } from "../flow/receipt.ts";
import type { Resumption } from "../flow/state.ts";
import type { Assignment, Broker, Chunk, Membership, Positions } from "./broker.ts";
import { type Codecs, Message } from "./message.ts";
import {
  checkStartOffset,
  findStart,
  isInstant,
  lookUp,
  offsetsOf,
  type SeekPosition,
} from "./positions.ts";
import { Prefetch } from "./prefetch.ts";
import type { BrokerStatus } from "./status.ts";
import { StuckWatch } from "./stuck_watch.ts";
import type { Settings } from "./options.ts";
import { Watermark } from "./watermark.ts";

/** What a {@linkcode TopicFeed} reads with. */
export interface FeedContext<K, V> {
  /** The topic. */
  readonly topic: string;
  /** The group. */
  readonly groupId: string;
  /** Its options. */
  readonly settings: Settings<K, V>;
  /** The codecs. */
  readonly codecs: Codecs<K, V>;
  /** A seek from before the reading began. */
  readonly sought: SeekPosition | undefined;
  /** Connects, and makes sure that the topic exists. */
  readonly connect: () => Promise<Broker>;
  /** Is called when the reading has ended. */
  readonly ended: () => void;
}

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
  readonly #marks = new Map<number, Watermark>();
  readonly #epochs = new Map<number, number>();
  readonly #expected = new Map<number, number>();
  readonly #moving = new Map<number, SeekPosition>();
  readonly #ready = Promise.withResolvers<void>();
  readonly #watch: StuckWatch;
  readonly #unobserve: () => void;
  #resumption: Resumption | undefined;
  readonly #limits: number[] = [];
  /** The ends of the partitions when they were fetched last. */
  readonly #highs = new Map<number, number>();
  /** What was open when the partitions were given up: done meanwhile, it is not handled once more. */
  #away: ReadonlyMap<number, Watermark> = new Map();
  #soughtEverywhere: SeekPosition | undefined;
  #broker: Broker | undefined;
  #joining: Promise<Membership>;
  #member: Membership | undefined;
  #assignment: Assignment | undefined;
  #latest: Assignment | undefined;
  #assigned = 0;
  #asynchronous: boolean | undefined;
  #decoding = false;
  #decoded: Message<K, V> | undefined;
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
    this.#soughtEverywhere = context.sought;
    this.#watch = new StuckWatch({
      clock: host.clock,
      timeoutMs: context.settings.processingTimeoutMs,
      isWaiting: () => !gate.closed && this.#open() !== undefined,
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
      if (this.#asynchronous !== false && this.#isDecoding(message)) return WAIT;
      this.#handOut(partition, this.#prefetch.take(cursor, message.offset));
      return message;
    }
    return WAIT;
  }

  /** Decodes before handing out when a codec answers with promises, which its first answer tells. */
  #isDecoding(message: Message<K, V>): boolean {
    if (this.#decoding) return true;
    if (this.#decoded === message) return false;
    const decoded = message.decoded();
    if (!decoded) {
      const { key, value } = message.record;
      if (key !== null && value !== null) this.#asynchronous ??= false;
      return false;
    }
    this.#asynchronous = true;
    this.#decoding = true;
    this.#decoded = message;
    decoded.then(() => {
      this.#decoding = false;
      this.#decoded = message;
      this.#wakeUp();
    });
    return true;
  }
  #handOut(partition: number, next: number): void {
    const mark = this.#marks.get(partition)!;
    const number = mark.open(next);
    const acknowledged = () => {
      mark.done(number);
      this.#watch.progress();
    };
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
    for (const [partition, mark] of this.#marks) {
      lag += Math.max(0, (this.#highs.get(partition) ?? 0) - mark.position);
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

  /** Takes the acknowledged positions that are not committed; undefined when there are none. */
  snapshot(): Commit | undefined {
    const generation = this.#assignment?.generation;
    if (generation === undefined) return undefined;
    const positions = new Map<number, number>();
    const marks: Watermark[] = [];
    for (const [partition, mark] of this.#marks) {
      if (mark.position === mark.committed) continue;
      positions.set(partition, mark.position);
      marks.push(mark);
    }
    return marks.length === 0 ? undefined : () => this.#commit(generation, positions, marks);
  }

  async #commit(
    generation: number,
    positions: Positions,
    marks: readonly Watermark[],
  ): Promise<void> {
    const result = await this.#member!.commit(generation, positions);
    if (result === "fenced") return;
    const committed = [...positions.values()];
    marks.forEach((mark, i) => mark.committed = committed[i]);
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
    if (!assignment) {
      this.#soughtEverywhere = position;
      return Promise.resolve();
    }
    const partitions = isInstant(position)
      ? assignment.partitions
      : [...offsetsOf(position).keys()];
    for (const partition of partitions) {
      if (assignment.partitions.includes(partition)) continue;
      throw new RangeError(
        `Cannot seek topic "${topic}" partition ${partition}: this member of the group reads partitions ` +
          `${assignment.partitions.join(", ") || "of other topics"}`,
      );
    }
    for (const partition of partitions) {
      this.#moving.set(partition, position);
      this.#prefetch.drop(partition);
      const mark = this.#marks.get(partition)!;
      // Acknowledgements of the old epoch reach the old mark only.
      this.#marks.set(partition, new Watermark(mark.position, mark.committed));
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
        const { position: acknowledged, committed } = this.#marks.get(partition)!;
        this.#start(partition, found?.get(partition) ?? acknowledged, committed);
      }
    }
  }

  #start(partition: number, offset: number, committed: number | undefined): void {
    this.#resumption?.began(partition, offset, true);
    this.#marks.set(partition, new Watermark(offset, committed));
    this.#expected.set(partition, offset);
    this.#epochs.set(partition, this.#member!.seek(partition, offset));
    this.#wakeUp();
  }

  async #assign(assignment: Assignment): Promise<Positions> {
    this.#latest = assignment;
    const member = await this.#joining;
    const { topic, groupId, settings } = this.#context;
    const { partitions, generation } = assignment;
    const sought = this.#soughtIn(partitions);
    const first = this.#assigned === 0;
    const options = { topic, groupId, partitions, offset: settings.offset, first, sought };
    const status = (lost: BrokerStatus) => this.#status(lost);
    const resumption = this.#resumption;
    const start = { ...options, status, resumption };
    const { positions: found, committed } = await findStart(this.#broker!, start);
    if (assignment !== this.#latest) return found;
    const positions = new Map(
      [...found].map(([partition, position]) =>
        [partition, sought.has(partition) ? position : this.#begin(partition, position)] as const
      ),
    );
    this.#assigned++;
    this.#assignment = assignment;
    this.#soughtEverywhere = undefined;
    this.#moving.clear();
    this.#marks.clear();
    this.#prefetch.drop();
    for (const [partition, position] of positions) {
      this.#marks.set(partition, new Watermark(position, committed.get(partition)));
      this.#expected.set(partition, position);
      resumption?.began(partition, position, sought.has(partition));
    }
    this.#away = new Map();
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

  /** Where to begin a partition: after what was done while it was given up, as early as the gate wants. */
  #begin(partition: number, position: number): number {
    const done = this.#away.get(partition)?.position ?? position;
    return this.#gate.startAt(partition, Math.max(position, done));
  }

  /** The seeks that were not carried out, by partition. */
  #soughtIn(partitions: readonly number[]): Map<number, SeekPosition> {
    const sought = new Map(this.#moving);
    const everywhere = this.#soughtEverywhere;
    if (everywhere === undefined) return sought;
    const named = isInstant(everywhere) ? undefined : offsetsOf(everywhere);
    for (const partition of partitions) {
      if (!named) sought.set(partition, everywhere);
      else if (named.has(partition)) sought.set(partition, { [partition]: named.get(partition)! });
    }
    return sought;
  }

  #receive(chunk: Chunk): void | Promise<void> {
    const { generation, partition, epoch } = chunk;
    if (generation !== this.#assignment?.generation || this.#moving.has(partition)) return;
    if (epoch < (this.#epochs.get(partition) ?? 0)) return;
    const expected = this.#expected.get(partition)!;
    if (chunk.records.at(0)!.offset > expected) void this.#checkLoss(partition, expected);
    this.#expected.set(partition, chunk.next);
    this.#highs.set(partition, chunk.high);
    const room = this.#prefetch.add(chunk);
    this.#wakeUp();
    return room;
  }

  /** A gap in the offsets is a hole, unless the log begins after it. */
  async #checkLoss(partition: number, from: number): Promise<void> {
    const { topic } = this.#context;
    const low = await this.#broker!.offsets(topic, "earliest").catch(() => undefined);
    const to = low?.get(partition) ?? 0;
    if (to > from) this.#status({ type: "lost", topic, partition, from, to });
  }

  async #revoke(assignment: Assignment, canCommit: boolean): Promise<void> {
    if (assignment === this.#latest) this.#latest = undefined;
    if (assignment !== this.#assignment) return;
    this.#prefetch.drop();
    // What fails here is told by the host; the positions are then committed by nobody.
    if (canCommit) await this.#host.barrier().catch(() => {});
    if (assignment !== this.#assignment) return;
    this.#assignment = undefined;
    this.#marks.clear();
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

  /** The oldest place at which a message is open. */
  #open(): { partition: number; offset: number } | undefined {
    for (const [partition, mark] of this.#marks) {
      if (mark.size > 0) return { partition, offset: mark.position };
    }
    return undefined;
  }

  /** Gives the partitions to others until the message that takes so long is done. */
  #stuck(): () => void {
    const { topic } = this.#context;
    const place = this.#open()!;
    this.#status({ type: "stuck", topic, ...place });
    this.#prefetch.drop();
    this.#away = new Map(this.#marks);
    this.#marks.clear();
    this.#assignment = undefined;
    void this.#member?.leave();
    return () => this.#member?.rejoin();
  }

  #status(status: BrokerStatus): void {
    if (status.type === "failed") this.#fail(status.error);
    this.#context.settings.onStatus?.(status);
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
