import { createCluster } from "./cluster.ts";
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
  const cluster = createCluster(client.kafka);
  try {
    await cluster.connect();
    await cluster.addMultipleTargetTopics([topic]); // finds the brokers
    const coordinator = await cluster.findGroupCoordinator({ groupId }) as unknown as Coordinator;
    await coordinator.leaveGroup({ groupId, memberId });
  } finally {
    await cluster.disconnect();
  }
}
