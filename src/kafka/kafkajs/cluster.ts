import type { Assigner, Cluster, Kafka } from "kafkajs";

/** What a broker of kafkajs has beside its declared methods, as far as it is used here. */
export interface BrokerConnection {
  /** The first and the last version of each request that the broker takes, by the request's number. */
  readonly versions: ApiVersions | null;
  /** Its connections. */
  readonly connectionPool: {
    readonly host: string;
    readonly port: number;
    /** Sends a request and resolves to its answer. */
    send<T>(exchange: Exchange<T>): Promise<T>;
  };
  /** Ends its connections. */
  disconnect(): Promise<void>;
  /** Asks for the id of an idempotent producer. */
  initProducerId(request: { transactionTimeout: number }): Promise<
    { readonly producerId: string; readonly producerEpoch: number }
  >;
}

/** What a cluster of kafkajs has beside its declared methods, as far as it is used here. */
export interface ClusterInternals {
  /** The brokers that it knows, and what the one speaks that it was connected by. */
  readonly brokerPool: {
    readonly brokers: Readonly<Record<string, BrokerConnection>>;
    readonly versions: ApiVersions | null;
  };
}

/** The first and the last version of each request, by its number. */
export type ApiVersions = Readonly<
  Record<number, { readonly minVersion: number; readonly maxVersion: number } | undefined>
>;

/** A request and how its answer is read. */
export interface Exchange<T> {
  /** The request. */
  readonly request: {
    readonly apiKey: number;
    readonly apiName: string;
    readonly apiVersion: number;
    /** Returns the bytes after the request's head, in what kafkajs takes for one of its encoders. */
    encode(): Promise<{ readonly buf: Uint8Array; readonly buffer: Uint8Array }>;
  };
  /** Reads the answer. */
  readonly response: {
    /** Reads the bytes after the answer's head. */
    decode(bytes: Uint8Array): Promise<T>;
    /** Throws what was answered as an error. */
    parse(answer: T): Promise<T>;
  };
}

const NO_ASSIGNER: Assigner = {
  name: "none",
  version: 0,
  assign: () => Promise.resolve([]),
  protocol: () => ({ name: "none", metadata: new Uint8Array() as never }),
};

/** Makes connections of their own to the brokers: kafkajs shows them to the assigners of consumers only. */
export function createCluster(kafka: Kafka): Cluster {
  let found: Cluster | undefined;
  kafka.consumer({
    groupId: "none",
    allowAutoTopicCreation: false,
    partitionAssigners: [({ cluster }) => {
      found = cluster;
      return NO_ASSIGNER;
    }],
  });
  return found!;
}

/** Returns what the broker speaks that a cluster was connected by. */
export function versionsOf(cluster: Cluster): ApiVersions | null {
  return (cluster as unknown as ClusterInternals).brokerPool.versions;
}

const forgotten = new WeakSet<BrokerConnection>();

/** Has the next request to a broker use another connection, if it is still there: this one may never answer. */
export function forgetBroker(
  cluster: Pick<Cluster, "removeBroker">,
  broker: BrokerConnection,
): void {
  if (forgotten.has(broker)) return; // a newer connection may have the same address, and must not be removed
  forgotten.add(broker);
  cluster.removeBroker(broker.connectionPool);
  void broker.disconnect().catch(() => {});
}

/** The connections of a kafkajs client to the coordinators of groups. */
interface Coordinator {
  leaveGroup(request: { groupId: string; memberId: string }): Promise<unknown>;
}

/**
 * Leaves a group as `memberId`, over a connection of its own: on the one on which the member joins, a
 * coordinator answers nothing before it has answered that.
 */
export async function leaveGroup(
  kafka: Kafka,
  { groupId, topic }: { readonly groupId: string; readonly topic: string },
  memberId: string,
): Promise<void> {
  const cluster = createCluster(kafka);
  try {
    await cluster.connect();
    await cluster.addMultipleTargetTopics([topic]); // finds the brokers
    const coordinator = await cluster.findGroupCoordinator({ groupId }) as unknown as Coordinator;
    await coordinator.leaveGroup({ groupId, memberId });
  } finally {
    await cluster.disconnect();
  }
}
