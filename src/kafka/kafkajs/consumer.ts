import type { Consumer } from "kafkajs";
import type { Clock } from "../../clock.ts";
import type { GroupHandlers, JoinOptions } from "../client/broker.ts";
import { type AssignerHooks, subscribersOnly } from "./assigner.ts";
import { type Client, ENDLESS } from "./client.ts";

/** What a member needs of its broker. */
export interface MembershipContext {
  /** A client that no other member uses. */
  readonly client: Client;
  /** The callbacks of the group; they throw nothing. */
  readonly handlers: GroupHandlers;
  /** The time. */
  readonly clock: Clock;
  /** Milliseconds after which what is known about topics is asked again. */
  readonly metadataMaxAge: number;
}

/** Makes a consumer that gives up when it is ended, and assigns topics to their subscribers; it is not connected yet. */
export function createConsumer(
  { client: { kafka, lifetime }, metadataMaxAge }: MembershipContext,
  options: JoinOptions,
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
    retry: {
      ...ENDLESS,
      retries: lifetime.retries(ENDLESS.retries),
      restartOnFailure: () => Promise.resolve(!lifetime.ended),
    },
    partitionAssigners: [subscribersOnly(hooks)],
  });
}
