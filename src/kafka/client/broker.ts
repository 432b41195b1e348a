/**
 * The part of Kafka that a Topic needs: a small interface in front of a client library, or of a broker in memory.
 *
 * To use another client library:
 * - implement {@linkcode Broker}, with {@linkcode Membership} and {@linkcode Producer}, in a folder of its own, as
 *   `memory/broker.ts` does in little;
 *   `topic/topic_connection.ts` makes the broker of a Topic from the options of `connection.ts`;
 * - take what implementations share from the files beside this one: `safe_handlers.ts` (errors of callbacks),
 *   `start_of.ts` (asking where an assignment starts), `alone.ts` (`exclusive`), `record_check.ts` (checks, and the
 *   partition of a key), `status.ts` and `errors.ts` (events and errors); and the codec from `../records/`
 *   (`writeBatch`, `readBatches`), if the library gives the bytes of a batch;
 * - register `testBrokerContract` and `testTopicContract` (in `tests/_support/`) for it, as
 *   `tests/kafka/kafka_broker_test.ts` and `topic_kafka_test.ts` do: they pass for both implementations.
 */
import type { UndecodableBatchError } from "../records/undecodable_batch_error.ts";
import type { BrokerStatus } from "./status.ts";

/** One header: its name and its bytes; null where it has none. A name may come more than once. */
export type Header = readonly [name: string, value: Uint8Array | null];

/** A record as the broker stores it. */
export interface BrokerRecord {
  /** Its place in the partition. Offsets grow, but not by one: there are holes. */
  readonly offset: number;
  /** The key; null when it has none. */
  readonly key: Uint8Array | null;
  /** The value; null marks a tombstone. */
  readonly value: Uint8Array | null;
  /** When it was produced, in milliseconds since the epoch. */
  readonly timestamp: number;
  /** True where `timestamp` is when the broker has stored it (`message.timestamp.type=LogAppendTime`). */
  readonly appended?: boolean | undefined;
  /** Its headers, in order. */
  readonly headers: readonly Header[];
}

/** A record to be produced. */
export interface ProducerRecord {
  /** The key; null for none. */
  readonly key: Uint8Array | null;
  /** The value; null marks a tombstone. */
  readonly value: Uint8Array | null;
  /** Its headers, in order. */
  readonly headers: readonly Header[];
  /** The partition; undefined lets the key decide. */
  readonly partition?: number | undefined;
  /** Milliseconds since the epoch; undefined for now. */
  readonly timestamp?: number | undefined;
}

/** Where a record was stored. */
export interface RecordPlace {
  /** The partition. */
  readonly partition: number;
  /** The offset in it. */
  readonly offset: number;
}

/** Positions by partition: the offset of the next record. */
export type Positions = ReadonlyMap<number, number>;

/** The partitions of a topic that are assigned to a member, until the next generation. */
export interface Assignment {
  /** Counts the assignments of this member, from 1. */
  readonly generation: number;
  /** The topic. */
  readonly topic: string;
  /** The partitions, in ascending order; may be none. */
  readonly partitions: readonly number[];
}

/** A list of records, which may be created on demand. */
export interface Records {
  /** How many there are. */
  readonly length: number;
  /** Returns the record at an index; undefined outside the list. */
  at(index: number): BrokerRecord | undefined;
}

/**
 * Records that follow each other in one partition; or none, where a partition has offsets that no reader sees
 * (aborted transactions, control records, records removed by compaction): then it only reports the new position.
 */
export interface Chunk {
  /** The generation in which they were fetched. */
  readonly generation: number;
  /** The epoch of the partition in which they were fetched; see {@linkcode Membership.seek}. */
  readonly epoch: number;
  /** The topic. */
  readonly topic: string;
  /** The partition. */
  readonly partition: number;
  /** The records, in order; may be none. */
  readonly records: Records;
  /** How many bytes their keys and values have. */
  readonly bytes: number;
  /**
   * The position after all of it, past the holes that follow the last record; always beyond the position before it,
   * unless a batch follows that cannot be decoded.
   */
  readonly next: number;
  /** The batch that follows, and cannot be decoded; what comes next of the partition begins after it. */
  readonly failure?: UndecodableBatchError | undefined;
  /** The end of the partition when it was fetched. */
  readonly high: number;
}

/** The answer to a fetch at the end of a partition. */
export interface EmptyAnswer {
  /** The generation in which it was asked. */
  readonly generation: number;
  /** The epoch of the partition in which it was asked; see {@linkcode Membership.seek}. */
  readonly epoch: number;
  /** The partition. */
  readonly partition: number;
  /** The position, which is the end of the partition: its high watermark. */
  readonly position: number;
}

/** The callbacks of a member of a group. An error that one of them throws is reported as the status `"failed"`. */
export interface GroupHandlers {
  /**
   * Partitions were assigned; none of their records has been fetched yet. Returns where to start, for every one of
   * them. A rejection fails the membership, unless its error is `retriable`: then it is called again.
   */
  assigned(assignment: Assignment): Promise<Positions>;
  /** Records have arrived; a promise is backpressure, and is awaited no longer than the generation lasts. */
  records(chunk: Chunk): void | Promise<void>;
  /**
   * A fetch from `position` was answered with nothing, and the partition ends there. Absent where nobody asks: then
   * a broker need not look.
   */
  atEnd?(answer: EmptyAnswer): void;
  /**
   * The assignment ends. With `canCommit` its positions can be committed until the returned promise
   * settles; without it only by a commit that is started before this function returns.
   */
  revoking(assignment: Assignment, canCommit: boolean): void | Promise<void>;
  /** The state of the connection or of the group has changed. */
  status(status: BrokerStatus): void;
}

/** Options of a member that joins a group. Times are in milliseconds. */
export interface JoinOptions {
  /** The topic. */
  readonly topic: string;
  /** The group. */
  readonly groupId: string;
  /** After how long without a heartbeat the group considers the member dead. */
  readonly sessionTimeout: number;
  /** How long a member may take to rejoin. */
  readonly rebalanceTimeout: number;
  /** How often a heartbeat is sent. */
  readonly heartbeatInterval: number;
  /** How long a fetch waits for records. */
  readonly maxWaitTimeInMs: number;
  /** The most bytes that a fetch brings from one partition. */
  readonly maxBytesPerPartition: number;
  /** The most bytes that a fetch brings. */
  readonly maxBytes: number;
  /** The fewest bytes that a fetch waits for. */
  readonly minBytes: number;
  /**
   * Whether the member must be the only reader of the topic in its group. It joins when no other member reads the
   * topic, for which it waits a session timeout; then it is assigned all partitions, and members that join later get
   * none.
   */
  readonly exclusive?: boolean | undefined;
  /** How long the first connection may take before joining fails. */
  readonly startTimeoutMs: number;
  /** Ends the wait for the first connection. */
  readonly signal?: AbortSignal | undefined;
}

/** A member of a group, for one topic. */
export interface Membership {
  /**
   * Commits positions of one generation. Resolves to `"fenced"`, having changed nothing, when that
   * generation has ended. While the broker is away it waits for it.
   */
  commit(generation: number, positions: Positions): Promise<"committed" | "fenced">;
  /** Stops fetching from partitions; lasts across generations until they are resumed. */
  pause(partitions: Iterable<number>): void;
  /** Fetches from them again. */
  resume(partitions: Iterable<number>): void;
  /**
   * Moves to another offset and returns the new epoch of the partition: records fetched in an older one are not
   * delivered any more. The offset must exist; it is not checked here.
   */
  seek(partition: number, offset: number): number;
  /** Leaves the group for a while: other members take over its partitions. */
  leave(): Promise<void>;
  /** Joins again after {@linkcode Membership.leave}. */
  rejoin(): void;
  /** Leaves the group for good. */
  close(): Promise<void>;
}

/** Options of a producer. Times are in milliseconds. */
export interface ProducerOptions {
  /** The topic. */
  readonly topic: string;
  /** How long a batch that is not full waits for more records. */
  readonly lingerMs: number;
  /** The most records in a batch. */
  readonly batchSize: number;
  /** How many bytes of records may wait to be confirmed before `add()` returns a promise. */
  readonly bufferMemory: number;
  /** How the batches are compressed. */
  readonly compression: Compression;
  /** How long the brokers may take to confirm a record once its turn has come. */
  readonly deliveryTimeoutMs: number;
  /** How long the first connection may take. */
  readonly startTimeoutMs: number;
  /** Ends the wait for the first connection. */
  readonly signal?: AbortSignal | undefined;
  /** Called when the broker is away or back. */
  readonly status?: ((status: BrokerStatus) => void) | undefined;
}

/** How records are compressed. */
export type Compression = "none" | "gzip" | "snappy" | "lz4" | "zstd";

/** Writes records to one topic, in order, confirmed by all in-sync replicas. */
export interface Producer {
  /** Writes one record and resolves when it is confirmed. Its failure affects no other record. */
  send(record: ProducerRecord): Promise<RecordPlace>;
  /**
   * Takes one record for the next batch; a promise is backpressure. It throws for a record that would certainly be
   * refused. One that the broker refuses later fails the producer: `add()` and `flush()` throw that error from then
   * on.
   */
  add(record: ProducerRecord): void | Promise<void>;
  /** Resolves when everything that was added is confirmed. */
  flush(): Promise<void>;
  /** Sends the remaining records, and ends; when `signal` aborts, they are dropped. */
  close(signal?: AbortSignal): Promise<void>;
}

/** Options of a topic to be created. */
export interface TopicSpec {
  /** How many partitions. @default {1} */
  readonly partitions?: number | undefined;
  /** How many replicas of each. @default {1} */
  readonly replication?: number | undefined;
  /** The topic's configuration, with Kafka's names. */
  readonly config?: Readonly<Record<string, string>> | undefined;
}

/** A place in time that is the same for all partitions. */
export type Instant = "earliest" | "latest" | { readonly timestamp: number };

/** Options of a request to the brokers. */
export interface AskOptions {
  /** Ends the waiting. */
  readonly signal?: AbortSignal | undefined;
}

/** The part of Kafka that a Topic needs. */
export interface Broker extends AsyncDisposable {
  /** Joins a group as a reader of one topic; resolves when the brokers answered, before the assignment. */
  join(options: JoinOptions, handlers: GroupHandlers): Promise<Membership>;
  /** Opens a writer to one topic. */
  producer(options: ProducerOptions): Promise<Producer>;
  /** Creates a topic; resolves to false if it existed already, whatever its configuration. */
  ensure(topic: string, spec: TopicSpec, options?: AskOptions): Promise<boolean>;
  /** How many partitions a topic has. */
  partitions(topic: string, options?: AskOptions): Promise<number>;
  /** The offsets at an instant, by partition; at a time after the last record: the end. */
  offsets(topic: string, at: Instant, options?: AskOptions): Promise<Positions>;
  /** The committed positions of a group, by partition; partitions without a commit are absent. */
  committed(groupId: string, topic: string): Promise<Positions>;
  /** Closes everything that was opened. */
  close(): Promise<void>;
}
