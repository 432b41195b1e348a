import type { Cluster } from "kafkajs";
import type { Client } from "./client.ts";

/** The connections of a kafkajs client to the coordinators of groups. */
interface Coordinator {
  leaveGroup(request: { groupId: string; memberId: string }): Promise<unknown>;
}

/**
 * Leaves a group as `memberId`, over a connection of its own: on the one on which the member joins, a
 * coordinator answers nothing before it has answered that.
 */
export async function leaveGroup(
  client: Client,
  { groupId, topic }: { readonly groupId: string; readonly topic: string },
  memberId: string,
): Promise<void> {
  let cluster: Cluster | undefined;
  // kafkajs shows its connections to assigners only.
  const other = client.kafka.consumer({
    groupId,
    retry: { retries: 0 },
    partitionAssigners: [(found) => {
      cluster = found.cluster;
      return {
        name: "none",
        version: 0,
        assign: () => Promise.resolve([]),
        protocol: () => ({ name: "none", metadata: new Uint8Array() as never }),
      };
    }],
  });
  try {
    await other.connect();
    await other.subscribe({ topic }); // finds the brokers
    const coordinator = await cluster!.findGroupCoordinator({ groupId }) as unknown as Coordinator;
    await coordinator.leaveGroup({ groupId, memberId });
  } finally {
    await other.disconnect();
  }
}
