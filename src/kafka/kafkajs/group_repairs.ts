/**
 * Repairs of the members of groups of kafkajs 2.2.4:
 *
 * - One whose join failed goes on with the partitions that it had, and if the coordinator had forgotten it, for ever:
 *   it then sends no heartbeat by which it would learn that it is no member.
 * - It asks the coordinator that it joined at, also when that is gone for good.
 * - One whose position is out of range begins the partition anew, and commits that, even where only a leader that was
 *   cut off says so.
 */
import kafkajs, { type Cluster } from "kafkajs";
import ConsumerGroup from "kafkajs/src/consumer/consumerGroup.js";
import { createErrorFromCode } from "kafkajs/src/protocol/error.js";
import { systemClock } from "../../clock.ts";
import { believable } from "../client/believable.ts";
import { type BrokerConnection, type ClusterInternals, forgetBroker } from "./cluster.ts";
import { isConnectionFailure } from "./failures.ts";

/** A member of a group; it fetches by its assignment, and asks its coordinator. */
interface Member {
  readonly cluster:
    & ClusterInternals
    & Pick<
      Cluster,
      "fetchTopicsOffset" | "findGroupCoordinator" | "refreshMetadata" | "removeBroker"
    >;
  readonly groupId: string;
  readonly offsetManager: Offsets | null;
  coordinator: BrokerConnection;
  joinAndSync(): Promise<void>;
  fetch(nodeId: string): Promise<unknown>;
  heartbeat(options: { interval: number }): Promise<void>;
  seek(position: Place & { readonly offset: string }): void;
  hasSeekOffset(place: Place): boolean;
  recoverFromOffsetOutOfRange(error: Place): Promise<void>;
}

/** Where a member reads. */
interface Offsets {
  coordinator: unknown;
  nextOffset(topic: string, partition: number): { toString(): string };
}

interface Place {
  readonly topic: string;
  readonly partition: number;
}

const member: Member = ConsumerGroup.prototype;
const { joinAndSync, fetch, heartbeat } = member;
const REBALANCE_IN_PROGRESS = 27;
/** Members whose last join has failed. */
const failed = new WeakSet<Member>();
/** Members whose coordinator was not reached, each with the reason, until another is found. */
const lost = new WeakMap<Member, unknown>();
/** Those of them that look for it. */
const looking = new WeakSet<Member>();

member.joinAndSync = async function (this: Member): Promise<void> {
  try {
    await joinAndSync.call(this);
    failed.delete(this);
    lost.delete(this);
  } catch (error) {
    failed.add(this);
    throw error;
  }
};

/** Makes a member whose join failed join again, instead of fetching. */
member.fetch = function (this: Member, nodeId: string): Promise<unknown> {
  if (!failed.has(this)) return fetch.call(this, nodeId);
  return Promise.reject(createErrorFromCode(REBALANCE_IN_PROGRESS));
};

/**
 * Where the coordinator is not reached, the group may have another, which knows this member. Until it is found nobody
 * is asked: the old one may let each heartbeat wait for a time-out.
 */
member.heartbeat = async function (this: Member, options: { interval: number }): Promise<void> {
  const { coordinator } = this;
  try {
    if (lost.has(this)) throw lost.get(this);
    await heartbeat.call(this, options);
  } catch (error) {
    const { brokers } = this.cluster.brokerPool;
    if (isConnectionFailure(error) && Object.keys(brokers).length > 1) {
      lost.set(this, error);
      void look(this, coordinator).catch(() => {}); // the next heartbeat looks again
    }
    throw error;
  }
};

/** Finds the coordinator anew, in place of one that was not reached. */
async function look(member: Member, coordinator: BrokerConnection): Promise<void> {
  if (looking.has(member)) return;
  looking.add(member);
  const { cluster, groupId } = member;
  try {
    forgetBroker(cluster, coordinator);
    const found = await cluster.findGroupCoordinator({ groupId });
    lost.delete(member);
    if (member.coordinator !== coordinator) return; // it has joined meanwhile
    member.coordinator = found as unknown as BrokerConnection;
    if (member.offsetManager) member.offsetManager.coordinator = found;
  } finally {
    looking.delete(member);
  }
}

/**
 * Asks the current leader for the range. What was deleted before it was read is passed over; where the partition ends
 * before what was read, the member fails. Where it is to read was perhaps moved meanwhile, by a seek or a new assignment:
 * then that counts. A stop of the consumer waits for it, a few seconds at most.
 */
member.recoverFromOffsetOutOfRange = async function (this: Member, { topic, partition }: Place) {
  const place = { topic, partition };
  const offsets = this.offsetManager!;
  const next = () => Number(offsets.nextOffset(topic, partition));
  const position = next();
  const isMoved = () =>
    this.hasSeekOffset(place) || this.offsetManager !== offsets || next() !== position;
  const { begin, end } = await believable(
    () => rangeOf(this.cluster, place),
    ({ end }) => end < position && !isMoved(),
    systemClock,
  );
  if (isMoved()) return;
  if (position < begin) this.seek({ ...place, offset: String(begin) });
  if (position <= end) return;
  throw new kafkajs.KafkaJSNonRetriableError(
    `cannot go on with topic "${topic}" partition ${partition} at offset ${position}: its offsets are from ${begin} ` +
      `to ${end} now, so the brokers have lost what was read, or the topic was created anew; start again, or seek() ` +
      "to where it should go on",
  );
};

/** The range of a partition that its leader knows, after looking for that. */
async function rangeOf(
  cluster: Member["cluster"],
  { topic, partition }: Place,
): Promise<{ begin: number; end: number }> {
  await cluster.refreshMetadata();
  const partitions = [{ partition }];
  const [begin, end] = await Promise.all([true, false].map(async (fromBeginning) => {
    const [found] = await cluster.fetchTopicsOffset([{ topic, partitions, fromBeginning }]);
    const offset = found?.partitions[0]?.offset;
    if (offset !== undefined) return Number(offset);
    throw new kafkajs.KafkaJSError(`topic "${topic}" has no partition ${partition} now`);
  }));
  return { begin: begin!, end: end! };
}
