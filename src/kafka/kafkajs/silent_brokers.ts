/**
 * Brokers that answer nothing, as when their machine has died: with kafkajs 2.2.4 each request waits for its own
 * time-out, one after another; the broker is still asked for the partitions that it led until metadata is five minutes
 * old, and for what any broker knows; and a client that begins with its address never comes to the next one.
 *
 * Here all that waits fails with the first that times out while nothing was answered; whoever needs a broker next,
 * also over another client of this process, first learns who leads now; what any broker knows is asked of those that
 * answer, and of the others last; and a broker that does not answer while connecting counts as unreachable.
 */
import type { Cluster as Removing } from "kafkajs";
import BrokerOfKafkajs from "kafkajs/src/broker/index.js";
import BrokerPoolOfKafkajs from "kafkajs/src/cluster/brokerPool.js";
import ClusterOfKafkajs from "kafkajs/src/cluster/index.js";
import errors from "kafkajs/src/errors.js";
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
}

interface Broker extends BrokerConnection {
  connect(): Promise<void>;
  isConnected(): boolean;
}

interface BrokerPool {
  readonly brokers: Readonly<Record<string, Broker>>;
  readonly seedBroker: Broker | undefined;
  createSeedBroker(): Promise<void>;
  findBroker(node: { nodeId: string }): Promise<Broker>;
  findConnectedBroker(): Promise<Broker>;
  withBroker<T>(ask: (node: { nodeId: string; broker: Broker }) => Promise<T>): Promise<T | null>;
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
    else if (isTimeout(error)) {
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
const { findBroker } = clusters;

clusters.findBroker = async function (this: Cluster, node: { nodeId: string }): Promise<unknown> {
  await notice(this);
  return await findBroker.call(this, node);
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

const brokers: Broker = BrokerOfKafkajs.prototype;
const { connect } = brokers;

/** With such a failure kafkajs goes on to the next address, after any other it stays. */
brokers.connect = async function (this: Broker): Promise<void> {
  try {
    await connect.call(this);
  } catch (error) {
    const { message } = error as Error;
    // A login that is not answered counts as refused with kafkajs.
    if (!isTimeout(error) && !message?.endsWith("timed out")) throw error;
    cut(this.connectionPool as Pool, error as Error);
    throw new errors.KafkaJSConnectionError(message, { broker: nameOf(this.connectionPool) });
  }
};

const brokerPools: BrokerPool = BrokerPoolOfKafkajs.prototype;
const { createSeedBroker, findConnectedBroker, withBroker } = brokerPools;

/** The first address by which a client connects is one that answers; after that each has its turn. */
brokerPools.createSeedBroker = async function (this: BrokerPool): Promise<void> {
  const isFirst = this.seedBroker === undefined;
  const passed = new Set<string>();
  for (;;) {
    await createSeedBroker.call(this);
    const name = nameOf(this.seedBroker!.connectionPool);
    if (!isFirst || !silent.has(name) || passed.has(name)) return;
    passed.add(name);
  }
};

brokerPools.findConnectedBroker = async function (this: BrokerPool): Promise<Broker> {
  const { answering, others } = split(this);
  const nodeIds = others.length === 0 ? [] : [
    ...answering.filter((id) => this.brokers[id]!.isConnected()),
    ...answering.filter((id) => !this.brokers[id]!.isConnected()),
  ];
  for (const nodeId of nodeIds) {
    const found = await this.findBroker({ nodeId }).catch(() => undefined);
    if (found !== undefined) return found;
  }
  return await findConnectedBroker.call(this);
};

brokerPools.withBroker = async function <T>(
  this: BrokerPool,
  ask: (node: { nodeId: string; broker: Broker }) => Promise<T>,
): Promise<T | null> {
  const { answering, others } = split(this);
  if (others.length === 0) return await withBroker.call(this, ask) as T | null;
  let unreachable: unknown;
  for (const nodeId of [...answering, ...others]) {
    let broker: Broker;
    try {
      broker = await this.findBroker({ nodeId });
    } catch (error) {
      unreachable = error;
      continue;
    }
    try {
      return await ask({ nodeId, broker });
    } catch {
      // The next one may know.
    }
  }
  if (unreachable !== undefined) throw unreachable;
  return null;
};

/** Returns the ids of the brokers, apart from those that answer nothing. */
function split({ brokers }: BrokerPool): Record<"answering" | "others", string[]> {
  const isSilent = (id: string) => silent.has(nameOf(brokers[id]!.connectionPool));
  const { true: others = [], false: answering = [] } = Object.groupBy(
    Object.keys(brokers),
    (id) => `${isSilent(id)}` as const,
  );
  return { answering, others };
}

function isTimeout(error: unknown): boolean {
  return (error as Error).name === "KafkaJSRequestTimeoutError";
}

function nameOf({ host, port }: BrokerConnection["connectionPool"]): string {
  return `${host}:${port}`;
}
