/**
 * Brokers that answer nothing, as when their machine has died: with kafkajs 2.2.4 each request waits for a time-out of
 * its own, one after the other, and the broker is asked for what it led until metadata is five minutes old.
 *
 * Here all that waits fails with the first that has timed out; and whoever needs the broker next, also over another
 * client of this process, learns first who leads now.
 */
import ClusterOfKafkajs from "kafkajs/src/cluster/index.js";
import ConnectionPool from "kafkajs/src/network/connectionPool.js";

interface Address {
  readonly host: string;
  readonly port: number;
}

interface Pool extends Address {
  readonly pool: readonly { rejectRequests(error: unknown): void }[];
  send(exchange: unknown): Promise<unknown>;
  destroy(): Promise<void>;
}

interface Cluster {
  readonly brokerPool: {
    readonly brokers: Readonly<Record<string, { readonly connectionPool: Pool }>>;
  };
  findBroker(node: { nodeId: string }): Promise<unknown>;
  findGroupCoordinatorMetadata(group: object): Promise<unknown>;
  removeBroker(address: Address): void;
  refreshMetadata(): Promise<void>;
}

/** Addresses at which a request has timed out and none was answered since, each with the clusters that have noticed. */
const silent = new Map<string, WeakSet<Cluster>>();

const errors = new WeakSet<Error>();

const connections: Pool = ConnectionPool.prototype;
const { send } = connections;

connections.send = async function (this: Pool, exchange: unknown): Promise<unknown> {
  try {
    const answer = await send.call(this, exchange);
    if (silent.size > 0) silent.delete(nameOf(this));
    return answer;
  } catch (error) {
    if ((error as Error).name === "KafkaJSRequestTimeoutError") cut(this, error as Error);
    throw error;
  }
};

/** Ends what waits for a broker; what fails by that comes here, too. */
function cut(connections: Pool, error: Error): void {
  if (errors.has(error)) return;
  errors.add(error);
  silent.getOrInsertComputed(nameOf(connections), () => new WeakSet());
  for (const connection of connections.pool) connection.rejectRequests(error);
  void connections.destroy().catch(() => {});
}

const cluster: Cluster = ClusterOfKafkajs.prototype;
const { findBroker, findGroupCoordinatorMetadata } = cluster;

cluster.findBroker = async function (this: Cluster, node: { nodeId: string }): Promise<unknown> {
  await notice(this);
  return await findBroker.call(this, node);
};

/** It asks any broker who that is. */
cluster.findGroupCoordinatorMetadata = async function (
  this: Cluster,
  group: object,
): Promise<unknown> {
  await notice(this);
  return await findGroupCoordinatorMetadata.call(this, group);
};

/** Drops the connections to brokers that have become silent, and learns who leads now. */
async function notice(cluster: Cluster): Promise<void> {
  if (silent.size === 0) return;
  const { brokers } = cluster.brokerPool;
  const gone = Object.values(brokers).map(({ connectionPool }) => connectionPool).filter((it) =>
    silent.get(nameOf(it))?.has(cluster) === false
  );
  for (const connections of gone) {
    silent.get(nameOf(connections))!.add(cluster);
    cluster.removeBroker(connections);
  }
  if (gone.length > 0) await cluster.refreshMetadata();
}

function nameOf({ host, port }: Address): string {
  return `${host}:${port}`;
}
