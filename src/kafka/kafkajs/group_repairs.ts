/**
 * Repairs of the members of groups of kafkajs 2.2.4:
 *
 * - One whose join failed goes on with the partitions that it had, and if the coordinator had forgotten it, for ever:
 *   it then sends no heartbeat by which it would learn that it is no member.
 * - It asks the coordinator that it joined at, also when that is gone for good.
 */
import type { Cluster } from "kafkajs";
import ConsumerGroup from "kafkajs/src/consumer/consumerGroup.js";
import { createErrorFromCode } from "kafkajs/src/protocol/error.js";
import { type BrokerConnection, forgetBroker } from "./cluster.ts";
import { isConnectionFailure } from "./failures.ts";

/** A member of a group; it fetches by its assignment, and asks its coordinator. */
interface Member {
  readonly cluster: Pick<Cluster, "findGroupCoordinator" | "removeBroker">;
  readonly groupId: string;
  readonly offsetManager: { coordinator: unknown } | null;
  coordinator: BrokerConnection;
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
  return Promise.reject(createErrorFromCode(REBALANCE_IN_PROGRESS));
};

/** Where the coordinator is not reached, the group may have another, which knows this member. */
member.heartbeat = async function (this: Member, options: { interval: number }): Promise<void> {
  const { cluster, groupId, coordinator } = this;
  try {
    await heartbeat.call(this, options);
  } catch (error) {
    if (isConnectionFailure(error)) {
      forgetBroker(cluster, coordinator);
      // It is asked at the next heartbeat; where there is none yet, it is looked for then.
      const found = await cluster.findGroupCoordinator({ groupId }).catch(() => coordinator);
      this.coordinator = found as unknown as BrokerConnection;
      if (this.offsetManager) this.offsetManager.coordinator = found;
    }
    throw error;
  }
};
