import { delay, linked } from "../../clock.ts";
import type { Commit, Host } from "../../flow/source/host.ts";
import type { Gate } from "../../flow/source/gate.ts";
import type { Waiting } from "../../snapshot.ts";
import type { Resumption } from "../../flow/state/state.ts";
import { killed } from "../client/alone.ts";
import type {
  Assignment,
  Broker,
  Chunk,
  EmptyAnswer,
  Membership,
  Positions,
} from "../client/broker.ts";
import { JoinWatch } from "./join_watch.ts";
import { tellLoss } from "./loss.ts";
import type { Codecs, Message } from "./message.ts";
import type { Settings } from "./options.ts";
import { type PartitionReader, PartitionReaders } from "./partition_reader.ts";
import { checkStartOffset, lookUp, type SeekPosition } from "./positions.ts";
import { PartitionSilence } from "./partition_silence.ts";
import { Prefetch } from "./prefetch.ts";
import { partitionsToSeek, Seeks } from "./seeks.ts";
import type { BrokerStatus } from "../client/status.ts";
import { findStart, type Start } from "./topic_start.ts";
import { withFailure } from "./undecodable_record.ts";

/** Milliseconds until it is asked again where a group begins. */
const START_PAUSE_MS = 100;

/** What a TopicFeed reads with. */
export interface FeedContext<K, V> {
  /** The topic. */
  readonly topic: string;
  /** The group. */
  readonly groupId: string;
  /** Its options. */
  readonly settings: Settings<K, V>;
  /** The codecs. */
  readonly codecs: Codecs<K, V>;
  /** The seeks from before the reading began. */
  readonly sought: readonly SeekPosition[];
  /** True until the topic was read for the first time: explicit offsets count then. */
  readonly first: boolean;
  /** Is called at the first assignment. */
  readonly began: () => void;
  /** Connects, and makes sure that the topic exists. */
  readonly connect: (signal: AbortSignal) => Promise<Broker>;
  /** Calls `fail` with what `onStatus` throws; returns what ends that. */
  readonly watchStatus: (fail: (error: unknown) => void) => () => void;
  /** Is called when the reading has ended. */
  readonly ended: () => void;
}

/** What a {@linkcode TopicMember} tells the feed that it reads for. */
export interface MemberHooks {
  /** Something may have come, or the end of waiting for it. */
  readonly changed: () => void;
  /** The first assignment is there. */
  readonly assigned: () => void;
  /** Something about the connection or the group changed. */
  readonly status: (status: BrokerStatus) => void;
  /** The silence of a partition may have changed; undefined where nobody asks for it. */
  readonly looked: () => (() => void) | undefined;
}

/**
 * A topic's reader as a member of its group: where it begins, what it is given, what is taken from it, and
 * where it is moved to.
 *
 * - What belongs to an older generation of the group, or to an older epoch of a partition, is dropped.
 */
export class TopicMember<K, V> {
  /** What was fetched and not handed out. */
  readonly prefetch: Prefetch<Message<K, V>> = new Prefetch();
  /** The partitions that it is given. */
  readonly partitions: PartitionReaders = new PartitionReaders();
  /** Is asked where to begin, where stores hold the positions. */
  resumption: Resumption | undefined;
  readonly #context: FeedContext<K, V>;
  readonly #gate: Gate;
  readonly #host: Host;
  readonly #hooks: MemberHooks;
  readonly #joinWatch: JoinWatch;
  readonly #seeks: Seeks;
  /** For how long partitions have had nothing new. */
  readonly silence: PartitionSilence;
  /** The broker, once it is connected. */
  broker: Broker | undefined;
  #joining: Promise<Membership> | undefined;
  #member: Membership | undefined;
  #assignment: Assignment | undefined;
  #latest: Assignment | undefined;
  #begun = false;
  /**
   * The commit of what was flushed last, until it is answered. A commit commits as soon as it has flushed,
   * so nothing else is flushed and not committed: only what is in flight, or waits to be tried again.
   */
  #flushed: Commit | undefined;
  readonly #aborted = new AbortController();

  /** Makes a member that has not joined. */
  constructor(context: FeedContext<K, V>, host: Host, gate: Gate, hooks: MemberHooks) {
    this.#context = context;
    this.#host = host;
    this.#gate = gate;
    this.#hooks = hooks;
    this.#seeks = new Seeks(context.sought);
    this.silence = new PartitionSilence(host.clock, context.settings.maxWaitTimeInMs);
    const { topic, groupId } = context;
    const { signal } = this.#aborted;
    this.#joinWatch = new JoinWatch(host.clock, signal, (waitedMs, waitsFor) => {
      hooks.status({ type: "joining", topic, groupId, waitedMs, waitsFor });
    });
  }

  /** Joins; called once. */
  async join(): Promise<void> {
    this.#joinWatch.tell("a connection to the brokers");
    try {
      await (this.#joining = this.#join());
    } catch (error) {
      this.#joinWatch.end();
      throw error;
    }
  }

  /** It has joined, or joins again, and waits for an assignment. */
  #waitsForOthers(): void {
    if (this.#latest !== undefined) return;
    const { groupId, settings } = this.#context;
    const seconds = settings.rebalanceTimeout / 1_000;
    this.#joinWatch.begin(
      `the other members of group "${groupId}" to join again, for which they have ${seconds} s ` +
        `(rebalanceTimeout); ${killed(settings)}`,
    );
  }

  #told(status: BrokerStatus): void {
    // Before it joins, the broker waits for others to leave.
    if (status.type === "joining") this.#joinWatch.tell(status.waitsFor);
    else this.#hooks.status(status);
  }

  async #join(): Promise<Membership> {
    const { topic, groupId, settings, connect } = this.#context;
    using until = linked([this.#host.signal, this.#aborted.signal]);
    const { signal } = until;
    this.broker = await connect(signal);
    const exclusive = this.resumption !== undefined;
    const member = this.#member = await this.broker.join(
      {
        ...settings,
        startTimeoutMs: settings.startTimeout,
        topic,
        groupId,
        exclusive,
        signal,
      },
      {
        assigned: (assignment) => this.#assign(assignment),
        records: (chunk) => this.#receive(chunk),
        ...(this.#hooks.looked() && { atEnd: (answer) => this.#atEnd(answer) }),
        revoking: (assignment, canCommit) => this.#revoke(assignment, canCommit),
        status: (status) => this.#told(status),
      },
    );
    this.#waitsForOthers();
    return member;
  }

  /** What it waits for before it has partitions. */
  get waitsFor(): Waiting | undefined {
    return this.#joinWatch.waits;
  }

  /** How many records of the assigned partitions are not acknowledged; undefined while none are assigned. */
  get lag(): number | undefined {
    return this.#assignment && this.partitions.lag;
  }

  /** Looks up where the partitions end while nothing is fetched that would tell; undefined while it is. */
  lookAhead(): Promise<void> | undefined {
    const assignment = this.#assignment;
    if (assignment === undefined || !(this.#gate.closed || this.prefetch.rests)) return undefined;
    const { signal } = this.#aborted;
    return this.broker!.offsets(this.#context.topic, "latest", { signal }).then((ends) => {
      if (assignment === this.#assignment) this.partitions.lookedUp(ends);
    });
  }

  /** Takes the acknowledged positions that are not committed; undefined when there are none. */
  snapshot(upTo?: Positions): Commit | undefined {
    const generation = this.#assignment?.generation;
    if (generation === undefined) return undefined;
    const uncommitted = this.partitions.uncommitted(upTo);
    if (!uncommitted) return undefined;
    const commit = async () => {
      this.#flushed = commit; // since it is called: sinks and stores come first
      const result = await this.#member!.commit(generation, uncommitted.positions);
      if (result === "committed") uncommitted.confirm();
      if (this.#flushed === commit) this.#flushed = undefined;
    };
    return commit;
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
      this.#seeks.keep(position);
      return Promise.resolve();
    }
    const partitions = partitionsToSeek(topic, position, assignment.partitions);
    this.#seeks.begin(partitions, position);
    for (const partition of partitions) {
      this.prefetch.drop(partition);
      this.partitions.get(partition)!.restart();
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
      found = await lookUp(this.broker!, topic, partitions, position);
    } finally {
      for (const partition of partitions) {
        // A later seek, or a new assignment, has taken this one over.
        if (assignment !== this.#assignment || !this.#seeks.end(partition, position)) continue;
        const offset = found?.get(partition) ?? this.partitions.get(partition)!.position;
        this.#start(partition, offset);
      }
    }
  }

  #start(partition: number, offset: number): void {
    this.resumption?.began(partition, offset, true);
    this.partitions.get(partition)!.moveTo(offset, this.#member!.seek(partition, offset));
    this.#hooks.changed();
  }

  async #assign(assignment: Assignment): Promise<Positions> {
    if (this.#aborted.signal.aborted) return new Map(); // it came after the end
    this.#latest = assignment;
    this.#joinWatch.begin("the start positions of its partitions");
    await this.#joining;
    const { clock } = this.#host;
    const patience = clock.monotonic() + this.#context.settings.sessionTimeout;
    let told = false;
    while (assignment === this.#latest) {
      const { count } = this.#seeks;
      const isValid = () => assignment === this.#latest && count === this.#seeks.count;
      const late = clock.monotonic() > patience;
      const start = await this.#findStart(assignment, late);
      if (start && isValid() && await this.#decide(assignment, start) && isValid()) {
        this.#begin(assignment, start);
        return start.positions;
      }
      if (!told && !start && this.resumption !== undefined && isValid()) {
        told = true;
        const { groupId, settings } = this.#context;
        this.#joinWatch.tell(
          `the other members of group "${groupId}" that read it to leave; ${killed(settings)}`,
        );
      }
      // Another member has not decided yet where the group begins, or is still there, or the generation is ending.
      if (isValid()) {
        await delay(clock, START_PAUSE_MS, this.#aborted.signal).catch(() => {});
      }
    }
    return new Map();
  }

  #findStart(assignment: Assignment, late: boolean): Promise<Start | undefined> {
    const { partitions } = assignment;
    const { topic, groupId, settings, first } = this.#context;
    const sought = this.#seeks.of(partitions);
    const prepare = async (total: number) => {
      if (assignment === this.#latest) await this.#gate.prepareStart(partitions, total);
    };
    const limit = (partition: number, position: number) => {
      if (assignment !== this.#latest) return position; // overtaken: nothing begins here
      const exact = sought.has(partition);
      const done = exact ? position : this.partitions.resume(partition, position);
      return this.#gate.startAt(partition, done, exact);
    };
    return findStart(this.broker!, {
      topic,
      groupId,
      sessionTimeout: settings.sessionTimeout,
      partitions,
      offset: settings.offset,
      first: first && !this.#begun,
      late,
      sought,
      status: this.#hooks.status,
      resumption: this.resumption,
      prepare,
      clock: this.#host.clock,
      signal: this.#aborted.signal,
      limit,
    });
  }

  /** Commits where an assignment begins, where nothing else leads there again; false when it has ended. */
  async #decide({ generation }: Assignment, { decided }: Start): Promise<boolean> {
    // With exact state it is the only member, and a state must not be behind what is committed.
    if (decided.size === 0 || this.resumption !== undefined) return true;
    // A seek that nobody had carried out may pass over what is done and not flushed yet.
    if (this.#seeks.of([...decided.keys()]).size > 0) await this.#host.commit();
    return await this.#member!.commit(generation, decided) === "committed";
  }

  #begin(assignment: Assignment, start: Start): void {
    const { positions, committed, decided, ends, moved } = start;
    this.#begun = true;
    this.#joinWatch.end();
    this.#context.began();
    this.#assignment = assignment;
    this.#seeks.clear();
    this.prefetch.drop();
    this.#gate.renew();
    for (const [partition, position] of positions) {
      this.resumption?.began(partition, position, moved.has(partition));
    }
    const exact = this.resumption !== undefined;
    this.partitions.begin(
      positions,
      exact ? committed : new Map([...committed, ...decided]),
      ends,
    );
    this.followGate();
    if (exact && decided.size > 0) this.#host.commit().catch(() => {}); // the run is told
    this.#hooks.assigned();
    this.#hooks.changed();
    this.#hooks.looked()?.();
  }

  #receive(given: Chunk): void | Promise<void> {
    const chunk = withFailure(given, this.#host.clock.now());
    const { generation, partition, epoch } = chunk;
    // While the partitions are given up, what was fetched before is gone: this would leave a hole.
    if (generation !== this.#assignment?.generation || this.#assignment !== this.#latest) return;
    if (this.#seeks.moves(partition)) return;
    const reader = this.partitions.get(partition)!;
    if (epoch < reader.epoch) return;
    void tellLoss(this.broker!, chunk, reader.see(chunk), this.#hooks.status);
    this.silence.answered(partition, false);
    if (chunk.records.length === 0) return this.#pass(chunk, reader);
    const room = this.prefetch.add(chunk);
    this.#hooks.changed();
    return room;
  }

  /** A fetch was answered with nothing: the partition is silent if everything before its end is done. */
  #atEnd({ generation, epoch, partition, position }: EmptyAnswer): void {
    if (generation !== this.#assignment?.generation || this.#assignment !== this.#latest) return;
    const reader = this.partitions.get(partition)!;
    if (this.#seeks.moves(partition) || epoch < reader.epoch) return;
    const before = this.silence.of(partition);
    this.silence.answered(partition, reader.position === position && !this.#gate.closed);
    if (this.silence.of(partition) > before) this.#hooks.looked()?.();
  }

  /** True while it has no partitions, or they are being given to others. */
  get away(): boolean {
    return this.#assignment === undefined || this.#assignment !== this.#latest;
  }

  /** Nothing visible was fetched: the position moves on when all before it is acknowledged. */
  #pass({ partition, next }: Chunk, reader: PartitionReader): void {
    if (!this.prefetch.extend(partition, next)) reader.pass(next);
    this.#host.moved?.();
    this.#hooks.changed();
  }

  async #revoke(assignment: Assignment, canCommit: boolean): Promise<void> {
    if (assignment === this.#latest) this.#latest = undefined;
    if (assignment !== this.#assignment) return this.#waitsForOthers();
    this.prefetch.drop();
    // What fails here is told by the host; the positions are then committed by nobody.
    if (canCommit) await this.#host.commit().catch(() => {});
    else this.#commitFlushed();
    if (assignment !== this.#assignment) return;
    this.#assignment = undefined;
    this.partitions.clear();
    this.#waitsForOthers();
  }

  /** Begins to commit, before it returns, what needs no commit: flushed by the last one, or by none. */
  #commitFlushed(): void {
    const commit = this.#host.isFlushed?.() ? this.snapshot() : this.#flushed;
    commit?.().catch(() => {}); // what is not committed is delivered again
  }

  /** Fetches, or does not, as the gate says. */
  followGate(): void {
    const partitions = this.#assignment?.partitions ?? [];
    if (this.#gate.closed) this.#member?.pause(partitions);
    else {
      this.prefetch.recall();
      this.#member?.resume(partitions);
    }
  }

  /** Passes over a partition until the gate changes. */
  setAside(partition: number): void {
    if (this.prefetch.setAside(partition)) this.#member?.pause([partition]);
  }

  /** Gives the partitions to others; returns what joins again. */
  leave(): () => void {
    this.#commitFlushed();
    this.prefetch.drop();
    this.partitions.giveUp();
    this.#assignment = undefined;
    void this.#member?.leave();
    return () => {
      this.#waitsForOthers();
      this.#member?.rejoin();
    };
  }

  /** Leaves the group for good; what was not committed is delivered again. */
  async close(): Promise<void> {
    this.#latest = this.#assignment = undefined; // what ends at once commits nothing
    this.#aborted.abort();
    this.#joinWatch.end();
    const member = await this.#joining?.catch(() => undefined);
    await member?.close();
  }
}
