import type { AckTracker } from "../../flow/source/ack_tracker.ts";
import type { Clock } from "../../clock.ts";
import { END, type Feed, type FeedView, WAIT } from "../../flow/source/feed.ts";
import type { Commit, Host, PartState } from "../../flow/source/host.ts";
import type { Gate } from "../../flow/source/gate.ts";
import { Receipt } from "../../flow/source/receipt.ts";
import type { Resumption } from "../../flow/state/state.ts";
import { Decoding } from "./decoding.ts";
import type { BrokerRecord, Positions } from "../client/broker.ts";
import { type Codecs, Message, type Origin } from "./message.ts";
import type { Prefetch } from "./prefetch.ts";
import type { OpenMessage, PartitionReaders } from "./partition_reader.ts";
import type { BrokerStatus } from "../client/status.ts";
import { StuckWatch } from "./stuck_watch.ts";
import { type FeedContext, TopicMember } from "./topic_member.ts";
import { failureOf, UndecodableRecord } from "./undecodable_record.ts";

/**
 * A topic while it is read: hands out what its member of the group has fetched, and counts what is
 * acknowledged.
 *
 * - The positions committed are those after the acknowledged messages, in the order of handing out.
 */
export class TopicFeed<K, V> implements Feed<Message<K, V>> {
  /** This feed asks the gate itself, and goes on with other partitions. */
  readonly partitioned = true;
  /** The receipt of the message that was just polled. */
  receipt: Receipt | undefined;
  /** Why the message that was just polled could not be read. */
  failure: Error | undefined;
  /** Called with errors after {@linkcode TopicFeed.cancel}. */
  onLate?: (error: unknown) => void;
  /** Is told when {@linkcode TopicFeed.silence} may have changed. */
  onLook?: () => void;
  readonly #context: FeedContext<K, V>;
  readonly #gate: Gate;
  readonly #member: TopicMember<K, V>;
  readonly #prefetch: Prefetch<Message<K, V>>;
  readonly #partitions: PartitionReaders;
  readonly #decoding: Decoding;
  readonly #ready = Promise.withResolvers<void>();
  readonly #watch: StuckWatch;
  readonly #acknowledged = ({ tracker, number }: Receipt) => {
    (tracker as AckTracker).done(number);
    this.#watch.acknowledged();
  };
  readonly #unobserve: () => void;
  readonly #unwatch: () => void;
  readonly #limits: number[] = [];
  #wake: (() => void) | undefined;
  #failure: { readonly error: unknown } | undefined;
  /** True when the reader knows what the feed has failed with. */
  #told = false;
  #ended = false;
  /** Since when the brokers do not answer. */
  #awaySince: number | undefined;
  readonly #clock: Clock;
  #closing: Promise<void> | undefined;

  /** Begins to join. */
  constructor(context: FeedContext<K, V>, host: Host, gate: Gate) {
    this.#context = context;
    this.#clock = host.clock;
    this.#gate = gate;
    this.#decoding = new Decoding(context.codecs, () => this.#wakeUp());
    this.#member = new TopicMember(context, host, gate, {
      changed: () => this.#wakeUp(),
      assigned: () => this.#ready.resolve(),
      status: (status) => this.#status(status),
      looked: () => this.onLook,
    });
    this.#prefetch = this.#member.prefetch;
    this.#partitions = this.#member.partitions;
    this.#watch = new StuckWatch({
      clock: host.clock,
      timeoutMs: context.settings.processingTimeout,
      open: () => this.#partitions.open,
      isHeld: (message, polled) => this.#isHeld(message, polled),
      stuck: (message) => this.#stuck(message),
    });
    this.#unobserve = gate.observe(() => {
      this.#member.followGate();
      this.#wakeUp();
    });
    this.#unwatch = context.watchStatus((error) => this.#fail(error));
    this.#member.join().catch((error) => {
      if (!host.signal.aborted || error !== host.signal.reason) this.#fail(error);
    });
  }

  /** Returns the next message, `WAIT`, or `END` after the feed was cancelled. */
  poll(): Message<K, V> | typeof WAIT | typeof END {
    if (this.#failure !== undefined) {
      this.#told = true;
      throw this.#failure.error;
    }
    if (this.#ended) return END;
    this.#watch.polled();
    for (let cursor = this.#prefetch.first(); cursor; cursor = this.#prefetch.first()) {
      const { chunk, origin } = cursor;
      const { partition } = origin;
      const message = cursor.held ??= this.#toMessage(origin, chunk.records.at(cursor.index)!);
      if (this.#decoding.needed && this.#decoding.waits(message)) return WAIT;
      if (this.#gate.guarded && !this.#gate.admits(message)) {
        this.#member.setAside(partition);
        continue;
      }
      this.failure = failureOf(message);
      this.#handOut(partition, this.#prefetch.take(cursor, message.offset));
      return message;
    }
    return WAIT;
  }

  #toMessage(origin: Origin, record: BrokerRecord): Message<K, V> {
    if (!(record instanceof UndecodableRecord)) {
      return new Message(origin, record, this.#context.codecs);
    }
    return new Message(origin, record, record.codecs as Codecs<K, V>);
  }

  #handOut(partition: number, next: number): void {
    const { acks } = this.#partitions.get(partition)!;
    const receipt = this.receipt = new Receipt(this.#acknowledged, next, partition);
    receipt.tracker = acks;
    receipt.number = acks.open(next);
  }

  /** Returns whether a message may still be handled: its partition was neither moved nor taken away since. */
  isCurrent({ partition, tracker }: Receipt): boolean {
    return this.#partitions.get(partition)?.acks === tracker;
  }

  /** Calls `wake` when polling again may help. */
  wait(wake: () => void): void {
    this.#wake = wake;
  }

  /** Resolves after the first assignment, or when there will be none. */
  ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** For how long a partition has had nothing new; see {@linkcode PartitionSilence}. */
  silence(partition: number): number {
    return this.#member.silence.of(partition);
  }

  /** True while it has no partitions, or they are being given to others. */
  get away(): boolean {
    return this.#member.away;
  }

  /** The partitions that this member reads. */
  parts(): PartState[] {
    return this.#partitions.states((partition) => this.#prefetch.has(partition));
  }

  /** Tells how far the partitions are, and what it waits for while it has none. */
  look(): FeedView {
    const partitions = this.#partitions.look((partition) => this.#prefetch.has(partition));
    const away = this.#awaySince;
    const waitsFor = away === undefined ? this.#member.waitsFor : {
      what: "the brokers to answer",
      sinceMs: Math.round(this.#clock.monotonic() - away),
    };
    return { partitions, waitsFor };
  }

  /** Where the partitions begin, once there is an assignment; none when there will be none. */
  async beginnings(): Promise<ReadonlyMap<number, number>> {
    await this.ready();
    const { broker } = this.#member;
    if (broker === undefined || this.#closing !== undefined) return new Map();
    return await broker.offsets(this.#context.topic, "earliest");
  }

  /** How many records of the assigned partitions are not acknowledged; undefined while none are assigned. */
  lag(): number | undefined {
    return this.#member.lag;
  }

  /** Looks up where the partitions end; see {@linkcode TopicMember.lookAhead}. */
  lookAhead(): Promise<void> | undefined {
    return this.#member.lookAhead();
  }

  /** Takes the acknowledged positions that are not committed; undefined when there are none. */
  snapshot(upTo?: ReadonlyMap<number, unknown>): Commit | undefined {
    return this.#member.snapshot(upTo as Positions | undefined);
  }

  /** Asks `resumption` where to begin. */
  resumeBy(resumption: Resumption): void {
    this.#member.resumption = resumption;
  }

  /** Moves to another position; see {@linkcode TopicMember.seek}. */
  seek(position: unknown): Promise<void> {
    return this.#member.seek(position);
  }

  /** Sets how long a message may take before its partitions are given to others. */
  limit(ms: number | undefined): number {
    if (ms !== undefined) {
      this.#limits.push(ms);
      this.#watch.limit(Math.min(...this.#limits));
    }
    return this.#watch.timeoutMs;
  }

  /** Whether a message is kept on purpose: by a pause, for its turn, or by a pipe that asks for others meanwhile. */
  #isHeld({ partition, next }: OpenMessage, polled: boolean): boolean {
    if (this.#gate.closed || this.#gate.lookAhead?.waits(partition, next)) return true;
    return (polled || this.#wake !== undefined) && this.#gate.holds(partition, next);
  }

  /** Gives the partitions to others until the message that takes so long is done. */
  #stuck({ partition, offset }: OpenMessage): () => void {
    const { topic } = this.#context;
    this.#status({ type: "stuck", topic, partition, offset });
    return this.#member.leave();
  }

  #status(status: BrokerStatus): void {
    if (status.type === "failed") this.#fail(status.error);
    if (status.type === "away") this.#awaySince ??= this.#clock.monotonic();
    if (status.type === "back") this.#awaySince = undefined;
    this.#context.settings.onStatus?.(status);
  }

  #fail(error: unknown): void {
    if (this.#ended) return this.onLate?.(error);
    this.#failure ??= { error };
    this.#ready.resolve();
    this.#wakeUp();
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  /**
   * Leaves the group; what was not committed is delivered again.
   *
   * @throws What it had failed with, where the reader did not ask any more.
   */
  cancel(): Promise<void> {
    this.#ended = true;
    this.#prefetch.drop();
    this.#wakeUp();
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    this.#unobserve();
    this.#unwatch();
    this.#watch.stop();
    this.#ready.resolve();
    await this.#member.close();
    this.#context.ended();
    if (this.#failure !== undefined && !this.#told) throw this.#failure.error;
  }
}
