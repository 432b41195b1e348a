import { Buffer } from "node:buffer";
import kafkajs from "kafkajs";
import type { Cluster, GroupMember, PartitionAssigner } from "kafkajs";
import { type Candidate, sharers } from "../client/alone.ts";

const { AssignerProtocol: { MemberAssignment, MemberMetadata } } = kafkajs;

/** What a member learns through its assigner. */
export interface AssignerHooks {
  /** The connections of this member. */
  cluster(cluster: Cluster): void;
  /** The member is about to join: its generation ends here, whatever made it join. */
  joining(): void;
  /** How the member takes part in the generation that follows; asked before {@linkcode AssignerHooks.joining}. */
  candidate(): Candidate;
}

/** What an exclusive member says of itself to whoever shares out the partitions, before what it `held`. */
const EXCLUSIVE = "slipstream exclusive ";

/**
 * A round-robin assigner that gives a topic only to members that subscribed to it, and to one alone where
 * one must be alone.
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
        const { exclusive, held } = hooks.candidate();
        hooks.joining();
        const said = exclusive ? `${EXCLUSIVE}${held}` : "";
        return {
          name: this.name,
          metadata: MemberMetadata.encode({ version: 0, topics, userData: Buffer.from(said) }),
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
            userData: Buffer.alloc(0),
          }),
        }));
      },
    };
  };
}

interface Subscriber extends Candidate {
  readonly memberId: string;
}

/** Returns the members that share each topic, both in a stable order. */
function subscribersByTopic(members: readonly GroupMember[]): Map<string, readonly Subscriber[]> {
  const subscribers = new Map<string, Subscriber[]>();
  const sorted = members.toSorted((a, b) => a.memberId < b.memberId ? -1 : 1);
  for (const { memberId, memberMetadata } of sorted) {
    const metadata = MemberMetadata.decode(memberMetadata);
    const said = metadata?.userData?.toString() ?? "";
    const exclusive = said.startsWith(EXCLUSIVE);
    const held = exclusive ? Number(said.slice(EXCLUSIVE.length)) : 0;
    const subscriber = { memberId, exclusive, held };
    for (const topic of metadata?.topics ?? []) {
      subscribers.getOrInsertComputed(topic, () => []).push(subscriber);
    }
  }
  return new Map([...subscribers].map(([topic, readers]) => [topic, sharers(readers)]));
}

/** Returns whether a member of a group reads `topic`; one that has not said so yet may. */
export function mayRead(topic: string, memberMetadata: Buffer): boolean {
  if (memberMetadata.length === 0) return true;
  return MemberMetadata.decode(memberMetadata)?.topics.includes(topic) ?? true;
}

function* share(
  counts: readonly (readonly [string, readonly number[]])[],
  subscribers: ReadonlyMap<string, readonly Subscriber[]>,
  memberId: string,
): Generator<[string, number[]]> {
  for (const [topic, partitions] of counts) {
    const members = subscribers.get(topic)!;
    const place = members.findIndex((member) => member.memberId === memberId);
    if (place < 0) continue;
    const own = partitions.toSorted((a, b) => a - b).filter((_, i) => i % members.length === place);
    if (own.length > 0) yield [topic, own];
  }
}
