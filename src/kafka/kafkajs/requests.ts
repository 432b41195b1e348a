import type { Cluster } from "kafkajs";
import { type Asked, fetchResponse, type Response } from "./fetching.ts";

/** What a member learns from its requests: kafkajs has no events for it. */
export interface RequestHooks<T> {
  /** It asks to take part in the group as this member; called before the request is sent. */
  joins(memberId: string): void;
  /** It asks what it is given in a generation of the group; called before the request is sent. */
  syncs(generation: number): void;
  /** It asks for records of a partition; what this returns comes with them. */
  fetches(partition: number): T;
  /** It was answered that a partition ends at the position that it asked for, with what `fetches` had returned. */
  atEnd(partition: number, position: number, tag: T): void;
}

interface FetchRequest {
  readonly topics: readonly {
    readonly topic: string;
    readonly partitions: readonly {
      readonly partition: number;
      readonly fetchOffset: string;
      readonly maxBytes: number;
    }[];
  }[];
}

// deno-lint-ignore no-explicit-any -- of each request another
type Make = (request: any) => any;

/** A broker of kafkajs, as far as it makes requests. */
interface Requesting {
  lookupRequest: (apiKey: number, definition: unknown) => Make;
  joinGroup(request: object): Promise<unknown>;
  syncGroup(request: { readonly generationId: number }): Promise<unknown>;
  fetch(request: FetchRequest): Promise<unknown>;
}

/**
 * Tells `hooks` of the requests that a member of a group makes through `cluster`, and has its fetches, which are
 * all of one topic, read as `fetching.ts` does.
 */
export function watchRequests<T>(cluster: Cluster, hooks: RequestHooks<T>): void {
  const watched = new WeakSet<object>();
  /** How many bytes are asked of a partition whose batch was cut off. */
  const wanted = new Map<number, number>();
  const find = cluster.findBroker;
  cluster.findBroker = async (node) => {
    const broker = await find.call(cluster, node);
    if (!watched.has(broker)) {
      watched.add(broker);
      watch(broker as unknown as Requesting, hooks, wanted);
    }
    return broker;
  };
}

function watch<T>(
  broker: Requesting,
  hooks: RequestHooks<T>,
  wanted: Map<number, number>,
): void {
  const { fetch, joinGroup, syncGroup } = broker;
  broker.syncGroup = (request) => {
    hooks.syncs(request.generationId);
    return syncGroup.call(broker, request);
  };
  broker.fetch = (request) => {
    const asked = new Map<number, Asked<T>>();
    const topics = request.topics.map(({ topic, partitions }) => ({
      topic,
      partitions: partitions.map(({ partition, fetchOffset, maxBytes }) => {
        asked.set(partition, { from: Number(fetchOffset), tag: hooks.fetches(partition) });
        const bytes = Math.max(maxBytes, wanted.get(partition) ?? 0);
        wanted.delete(partition);
        return { partition, fetchOffset, maxBytes: bytes };
      }),
    }));
    const make = (make: Make): Make => (given) => {
      const made = make(given);
      const response: Response = fetchResponse(
        made.request.apiVersion,
        asked,
        {
          cutOff: (partition, bytes) => void wanted.set(partition, bytes),
          atEnd: (partition, { from, tag }) => hooks.atEnd(partition, from, tag),
        },
      );
      return { ...made, response };
    };
    return making(broker, make, () => fetch.call(broker, { ...request, topics }));
  };
  broker.joinGroup = (request) => {
    // It makes two requests, the second with the name that the coordinator gives.
    const make = (make: Make): Make => (join) => {
      hooks.joins(join.memberId);
      return make(join);
    };
    return making(broker, make, () => joinGroup.call(broker, request));
  };
}

/** Calls `ask`, which looks up at once how its request is made, and has it made as `change` says. */
function making<R>(broker: Requesting, change: (make: Make) => Make, ask: () => R): R {
  const lookup = broker.lookupRequest;
  broker.lookupRequest = (apiKey, definition) => change(lookup.call(broker, apiKey, definition));
  try {
    return ask();
  } finally {
    broker.lookupRequest = lookup;
  }
}
