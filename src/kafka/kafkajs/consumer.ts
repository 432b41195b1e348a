import type { Consumer, Kafka } from "kafkajs";
import type { JoinOptions } from "../broker.ts";
import { type AssignerHooks, subscribersOnly } from "./assigner.ts";
import { ENDLESS } from "./client.ts";

/** Makes a consumer that never gives up and assigns topics to their subscribers; it is not connected yet. */
export function createConsumer(
  kafka: Kafka,
  options: JoinOptions,
  metadataMaxAge: number,
  hooks: AssignerHooks,
): Consumer {
  const { groupId, sessionTimeout, rebalanceTimeout, heartbeatInterval } = options;
  const { maxWaitTimeInMs, maxBytesPerPartition, minBytes, maxBytes } = options;
  return kafka.consumer({
    groupId,
    sessionTimeout,
    rebalanceTimeout,
    heartbeatInterval,
    maxWaitTimeInMs,
    maxBytesPerPartition,
    minBytes,
    maxBytes,
    metadataMaxAge,
    retry: ENDLESS,
    partitionAssigners: [subscribersOnly(hooks)],
  });
}
