/**
 * Repairs of kafkajs 2.2.4, which nobody maintains:
 *
 * - An idle connection keeps a timer of 1 ms running, and makes Node's timers warn of a negative delay, since
 *   it looks for pending requests where none wait.
 * - It measures with the time of day: set back by an hour, it sends no heartbeat for an hour, and no request
 *   to a broker that had throttled it; set on, all requests in flight have timed out.
 * - Its look at requests that take too long keeps a process running that waits for none.
 * - A member whose join failed goes on with the partitions that it had, and if the coordinator had forgotten it,
 *   for ever: it then sends no heartbeat by which it would learn that it is no member.
 * - A member asks the coordinator that it joined at, also when that is gone for good.
 */
import BrokerPool from "kafkajs/src/cluster/brokerPool.js";
import ConsumerGroup from "kafkajs/src/consumer/consumerGroup.js";
import RequestQueue from "kafkajs/src/network/requestQueue/index.js";
import SocketRequest from "kafkajs/src/network/requestQueue/socketRequest.js";
import protocolErrors from "kafkajs/src/protocol/error.js";
import { systemClock } from "../../clock.ts";
import { isConnectionFailure } from "./failures.ts";

interface Queue {
  readonly pending: readonly unknown[];
  readonly throttledUntil: number;
  readonly requestTimeoutIntervalId?: { unref?(): void };
  scheduleCheckPendingRequests(): void;
  scheduleRequestTimeoutCheck(): void;
}

const queue: Queue = RequestQueue.prototype;
const schedule = queue.scheduleCheckPendingRequests;
const scheduleTimeouts = queue.scheduleRequestTimeoutCheck;

queue.scheduleCheckPendingRequests = function (this: Queue): void {
  if (this.pending.length === 0 && this.throttledUntil <= systemClock.now()) return;
  schedule.call(this);
};

queue.scheduleRequestTimeoutCheck = function (this: Queue): void {
  scheduleTimeouts.call(this);
  this.requestTimeoutIntervalId?.unref?.();
};

/** A member of a group; it fetches by its assignment, and asks its coordinator. */
interface Member {
  readonly cluster: { findGroupCoordinator(group: { groupId: string }): Promise<unknown> };
  readonly groupId: string;
  readonly offsetManager: { coordinator: unknown } | null;
  coordinator: unknown;
  joinAndSync(): Promise<void>;
  fetch(nodeId: string): Promise<unknown>;
  heartbeat(options: { interval: number }): Promise<void>;
}

const member: Member = ConsumerGroup.prototype;
const { joinAndSync, fetch, heartbeat } = member;
const REBALANCE_IN_PROGRESS = 27;
/** Those that have begun to join, until they have joined. */
const joining = new WeakSet<Member>();

member.joinAndSync = async function (this: Member): Promise<void> {
  joining.add(this);
  await joinAndSync.call(this);
  joining.delete(this);
};

/** Has it join, if it is no member. */
member.fetch = function (this: Member, nodeId: string): Promise<unknown> {
  if (!joining.has(this)) return fetch.call(this, nodeId);
  return Promise.reject(protocolErrors.createErrorFromCode(REBALANCE_IN_PROGRESS));
};

/** Finds the coordinator anew where it is not reached: the group may have another, which knows this member. */
member.heartbeat = async function (this: Member, options: { interval: number }): Promise<void> {
  try {
    await heartbeat.call(this, options);
  } catch (error) {
    if (isConnectionFailure(error)) await findCoordinator(this).catch(() => {}); // at the next heartbeat
    throw error;
  }
};

async function findCoordinator(member: Member): Promise<void> {
  const { cluster, groupId, offsetManager } = member;
  const coordinator = await cluster.findGroupCoordinator({ groupId });
  member.coordinator = coordinator;
  if (offsetManager) offsetManager.coordinator = coordinator;
}

moveWithTheClock(ConsumerGroup.prototype, "lastRequest");
moveWithTheClock(RequestQueue.prototype, "throttledUntil");
moveWithTheClock(SocketRequest.prototype, "sentAt");
moveWithTheClock(BrokerPool.prototype, "metadataExpireAt");

/** Has what passes since a moment, or until it, stay the same when the clock is set: the moment moves with it. */
function moveWithTheClock(prototype: object, property: string): void {
  const { now, monotonic } = systemClock;
  const moments = new WeakMap<object, number | null>();
  Object.defineProperty(prototype, property, {
    get(this: object) {
      const moment = moments.get(this) ?? null;
      return moment === null ? null : moment - monotonic() + now();
    },
    set(this: object, moment: number | null) {
      moments.set(this, moment === null ? null : moment - now() + monotonic());
    },
  });
}
