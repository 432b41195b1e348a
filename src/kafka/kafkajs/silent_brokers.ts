/**
 * Brokers that answer nothing, as when their machine has died: with kafkajs 2.2.4 each request waits for its own
 * time-out, one after another, and the broker is still asked for the partitions that it led until metadata is five
 * minutes old.
 *
 * Here all that waits fails with the first that times out while nothing was answered; and whoever needs a broker next,
 * also over another client of this process, first learns who leads now.
 */
import type { Cluster as Removing } from "kafkajs";
import ClusterOfKafkajs from "kafkajs/src/cluster/index.js";
import ConnectionPool from "kafkajs/src/network/connectionPool.js";
import { settledWithin, systemClock } from "../../clock.ts";
import {
  type BrokerConnection,
  type ClusterInternals,
  type Exchange,
  forgetBroker,
} from "./cluster.ts";
import { isConnectionFailure } from "./failures.ts";

/** How long the next request waits for what is learnt; the partition of another may have no leader for long. */
const LEARN_MS = 1_000;

const JOIN_GROUP = 11;
const INT_32 = 4;

interface Connection {
  readonly socket?: { destroy(): void } | null;
  /** What was received, and not read. */
  chunks: unknown[];
  bytesBuffered: number;
  bytesNeeded: number;
  rejectRequests(error: unknown): void;
  disconnect(): Promise<unknown>;
}

type Pool = BrokerConnection["connectionPool"] & { readonly pool: readonly Connection[] };

interface Cluster extends Pick<Removing, "refreshMetadata" | "removeBroker">, ClusterInternals {
  findBroker(node: { nodeId: string }): Promise<unknown>;
  findGroupCoordinatorMetadata(group: object): Promise<unknown>;
}

/** When a request was last answered, by address. */
const answered = new Map<string, number>();
/** The addresses that answer nothing, each with the clusters that have noticed the last time-out. */
const silent = new Map<string, WeakSet<Cluster>>();
/** Over which a member waits for others to join: until then the broker answers nothing else there. */
const joining = new WeakSet<Pool>();
/** Failures of which all that waited was told. */
const handled = new WeakSet<Error>();

const pools: Pool = ConnectionPool.prototype;
const { send } = pools;

pools.send = async function <T>(this: Pool, exchange: Exchange<T>): Promise<T> {
  const joins = exchange.request.apiKey === JOIN_GROUP;
  const began = systemClock.monotonic();
  if (joins) joining.add(this);
  try {
    const answer = await send.call(this, exchange) as T;
    hears(this);
    return answer;
  } catch (error) {
    if (!isConnectionFailure(error)) hears(this); // it answered with an error
    else if ((error as Error).name === "KafkaJSRequestTimeoutError") {
      const since = answered.get(nameOf(this)) ?? -Infinity;
      if (since < began && (joins || !joining.has(this))) cut(this, error as Error);
    }
    throw error;
  } finally {
    if (joins) joining.delete(this);
  }
};

function hears(pool: Pool): void {
  const name = nameOf(pool);
  answered.set(name, systemClock.monotonic());
  if (silent.size > 0) silent.delete(name);
}

/** Fails everything that waits for a broker; those failures arrive here again, hence the check. */
function cut(pool: Pool, error: Error): void {
  if (handled.has(error)) return;
  handled.add(error);
  silent.set(nameOf(pool), new WeakSet());
  for (const connection of pool.pool) {
    const { socket } = connection;
    connection.rejectRequests(error);
    void connection.disconnect().catch(() => {}).then(() => socket?.destroy());
    // What comes next on this connection is of another one.
    Object.assign(connection, { chunks: [], bytesBuffered: 0, bytesNeeded: INT_32 });
  }
}

const clusters: Cluster = ClusterOfKafkajs.prototype;
const { findBroker, findGroupCoordinatorMetadata } = clusters;

clusters.findBroker = async function (this: Cluster, node: { nodeId: string }): Promise<unknown> {
  await notice(this);
  return await findBroker.call(this, node);
};

/** For the coordinator of a group it asks any broker. */
clusters.findGroupCoordinatorMetadata = async function (
  this: Cluster,
  group: object,
): Promise<unknown> {
  await notice(this);
  return await findGroupCoordinatorMetadata.call(this, group);
};

/** Drops the connections to brokers that have become silent, where there are others, which tell who leads now. */
async function notice(cluster: Cluster): Promise<void> {
  if (silent.size === 0) return;
  const brokers = Object.values(cluster.brokerPool.brokers);
  const isNew = ({ connectionPool }: BrokerConnection) =>
    silent.get(nameOf(connectionPool))?.has(cluster) === false;
  const gone = brokers.filter(isNew);
  if (gone.length === 0 || gone.length === brokers.length) return;
  for (const broker of gone) {
    silent.get(nameOf(broker.connectionPool))!.add(cluster);
    forgetBroker(cluster, broker);
  }
  await settledWithin(systemClock, LEARN_MS, cluster.refreshMetadata());
}

function nameOf({ host, port }: BrokerConnection["connectionPool"]): string {
  return `${host}:${port}`;
}
