import kafkajs from "kafkajs";
import type { Cluster, GroupMember, PartitionAssigner } from "kafkajs";

const { AssignerProtocol: { MemberAssignment, MemberMetadata } } = kafkajs;

/** What a member learns through its assigner. */
export interface AssignerHooks {
  /** The connections of this member. */
  cluster(cluster: Cluster): void;
  /** The member is about to join: its generation ends here, whatever made it join. */
  joining(): void;
}

/**
 * A round-robin assigner that gives a topic only to members that subscribed to it.
 *
 * kafkajs gives the topics of the leader to every member, and forgets the topics that only others read.
 */
export function subscribersOnly(hooks: AssignerHooks): PartitionAssigner {
  return ({ cluster }) => {
    hooks.cluster(cluster);
    return {
      name: "RoundRobinAssigner",
      version: 0,
      protocol({ topics }) {
        hooks.joining();
        return {
          name: this.name,
          metadata: MemberMetadata.encode({ version: 0, topics, userData }),
        };
      },
      async assign({ members }) {
        const subscribers = subscribersByTopic(members);
        await cluster.addMultipleTargetTopics([...subscribers.keys()]);
        const counts = [...subscribers.keys()].map((topic) =>
          [
            topic,
            cluster.findTopicPartitionMetadata(topic).map((found) => found.partitionId),
          ] as const
        );
        return members.map(({ memberId }) => ({
          memberId,
          memberAssignment: MemberAssignment.encode({
            version: 0,
            assignment: Object.fromEntries(share(counts, subscribers, memberId)),
            userData,
          }),
        }));
      },
    };
  };
}

const userData = new Uint8Array() as Parameters<typeof MemberMetadata.encode>[0]["userData"];

/** Returns the members that want each topic, both in a stable order. */
export function subscribersByTopic(members: readonly GroupMember[]): Map<string, string[]> {
  const subscribers = new Map<string, string[]>();
  const sorted = members.toSorted((a, b) => a.memberId < b.memberId ? -1 : 1);
  for (const { memberId, memberMetadata } of sorted) {
    for (const topic of MemberMetadata.decode(memberMetadata)?.topics ?? []) {
      subscribers.getOrInsertComputed(topic, () => []).push(memberId);
    }
  }
  return subscribers;
}

function* share(
  counts: readonly (readonly [string, readonly number[]])[],
  subscribers: ReadonlyMap<string, readonly string[]>,
  memberId: string,
): Generator<[string, number[]]> {
  for (const [topic, partitions] of counts) {
    const members = subscribers.get(topic)!;
    const place = members.indexOf(memberId);
    if (place < 0) continue;
    const own = partitions.toSorted((a, b) => a - b).filter((_, i) => i % members.length === place);
    if (own.length > 0) yield [topic, own];
  }
}
