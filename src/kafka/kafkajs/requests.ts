import type { Cluster } from "kafkajs";

/** What a member learns from its requests: kafkajs has no events for it. */
export interface RequestHooks {
  /** It asks to take part in the group as this member; called before the request is sent. */
  joins(memberId: string): void;
  /** It asks what it is given in a generation of the group; called before the request is sent. */
  syncs(generation: number): void;
  /** It asks for records of these partitions; called before the request is sent. */
  fetches(topic: string, partitions: readonly number[]): void;
}

interface FetchRequest {
  readonly topics: readonly {
    readonly topic: string;
    readonly partitions: readonly { readonly partition: number }[];
  }[];
}

type Make = (request: { readonly memberId: string }) => unknown;

/** A broker of kafkajs, as far as it makes requests. */
interface Requesting {
  lookupRequest: (apiKey: number, definition: unknown) => Make;
  joinGroup(request: object): Promise<unknown>;
  syncGroup(request: { readonly generationId: number }): Promise<unknown>;
  fetch(request: FetchRequest): Promise<unknown>;
}

/** Tells `hooks` of the requests that are made through `cluster`. */
export function watchRequests(cluster: Cluster, hooks: RequestHooks): void {
  const watched = new WeakSet<object>();
  const find = cluster.findBroker;
  cluster.findBroker = async (node) => {
    const broker = await find.call(cluster, node);
    if (!watched.has(broker)) {
      watched.add(broker);
      watch(broker as unknown as Requesting, hooks);
    }
    return broker;
  };
}

function watch(broker: Requesting, hooks: RequestHooks): void {
  const { fetch, joinGroup, syncGroup } = broker;
  broker.syncGroup = (request) => {
    hooks.syncs(request.generationId);
    return syncGroup.call(broker, request);
  };
  broker.fetch = (request) => {
    for (const { topic, partitions } of request.topics) {
      hooks.fetches(topic, partitions.map(({ partition }) => partition));
    }
    return fetch.call(broker, request);
  };
  broker.joinGroup = (request) => {
    // It makes two requests, the second with the name that the coordinator gives; it looks up how at once.
    const lookup = broker.lookupRequest;
    broker.lookupRequest = (apiKey, definition) => {
      const make = lookup.call(broker, apiKey, definition);
      return (join) => {
        hooks.joins(join.memberId);
        return make(join);
      };
    };
    try {
      return joinGroup.call(broker, request);
    } finally {
      broker.lookupRequest = lookup;
    }
  };
}
