import type {
  AskOptions,
  Broker,
  GroupHandlers,
  JoinOptions,
  Membership,
  Positions,
} from "../../src/kafka/client/broker.ts";

/** What an {@linkcode alteredBroker} does otherwise; each is given what the broker would do. */
export interface Alterations {
  readonly join?: (join: () => Promise<Membership>) => Promise<Membership>;
  readonly offsets?: (look: () => Promise<Positions>, options?: AskOptions) => Promise<Positions>;
  readonly committed?: (look: () => Promise<Positions>) => Promise<Positions>;
  readonly commit?: (
    positions: Positions,
    commit: () => Promise<"committed" | "fenced">,
  ) => Promise<"committed" | "fenced">;
  /** Is told of each member that joins. */
  readonly joined?: (member: Membership, handlers: GroupHandlers) => void;
}

/** Returns a broker that does as `broker` does, but for `alterations`; closing it closes nothing. */
export function alteredBroker(broker: Broker, alterations: Alterations): Broker {
  const { committed, commit, joined, join, offsets } = alterations;
  return {
    async join(options: JoinOptions, handlers: GroupHandlers): Promise<Membership> {
      const enter = () => broker.join(options, handlers);
      const member = await (join === undefined ? enter() : join(enter));
      joined?.(member, handlers);
      const altered: Partial<Membership> = commit === undefined ? {} : {
        commit: (generation, positions) =>
          commit(positions, () => member.commit(generation, positions)),
      };
      return {
        commit: (generation, positions) => member.commit(generation, positions),
        pause: (partitions) => member.pause(partitions),
        resume: (partitions) => member.resume(partitions),
        seek: (partition, offset) => member.seek(partition, offset),
        leave: () => member.leave(),
        rejoin: () => member.rejoin(),
        close: () => member.close(),
        ...altered,
      };
    },
    committed(groupId, topic) {
      const look = () => broker.committed(groupId, topic);
      return committed === undefined ? look() : committed(look);
    },
    producer: (options) => broker.producer(options),
    ensure: (topic, spec) => broker.ensure(topic, spec),
    partitions: (topic) => broker.partitions(topic),
    offsets(topic, at, options) {
      const look = () => broker.offsets(topic, at, options);
      return offsets === undefined ? look() : offsets(look, options);
    },
    close: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
