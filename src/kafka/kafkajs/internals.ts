/**
 * Checks, before anything of kafkajs is used, that it has the internals which this room patches or watches: another
 * version than 2.2.4 would else lose them silently.
 */
import Broker from "kafkajs/src/broker/index.js";
import BrokerPool from "kafkajs/src/cluster/brokerPool.js";
import Cluster from "kafkajs/src/cluster/index.js";
import Batch from "kafkajs/src/consumer/batch.js";
import ConsumerGroup from "kafkajs/src/consumer/consumerGroup.js";
import errors from "kafkajs/src/errors.js";
import RequestQueue from "kafkajs/src/network/requestQueue/index.js";
import SocketRequest from "kafkajs/src/network/requestQueue/socketRequest.js";
import Connection from "kafkajs/src/network/connection.js";
import ConnectionPool from "kafkajs/src/network/connectionPool.js";
import protocolErrors from "kafkajs/src/protocol/error.js";
import fetched from "kafkajs/src/protocol/requests/fetch/v11/response.js";

/** Classes, or objects, of kafkajs by name, and the members that they must have. */
export type Internals = Readonly<Record<string, readonly [holder: unknown, ...members: string[]]>>;

/**
 * Checks that every member is there.
 *
 * @throws {TypeError} If some are missing; names all of them.
 */
export function checkInternals(internals: Internals): void {
  const missing = Object.entries(internals).flatMap(([name, [holder, ...members]]) => {
    // What a constructor assigns is only in the text of the class.
    const text = typeof holder === "function" ? `${holder}` : Object.keys(holder ?? {}).join();
    return members.filter((it) => !new RegExp(`\\b${it}\\b`).test(text)).map((it) =>
      `${name}.${it}`
    );
  });
  if (missing.length === 0) return;
  throw new TypeError(
    `Cannot use this version of kafkajs, as it lacks ${missing.join(", ")}: use 2.2.4`,
  );
}

checkInternals({
  Batch: [Batch, "messages", "offset"],
  Broker: [
    Broker,
    "connect",
    "fetch",
    "initProducerId",
    "isConnected",
    "joinGroup",
    "leaveGroup",
    "lookupRequest",
    "offsetCommit",
    "syncGroup",
    "versions",
  ],
  BrokerPool: [
    BrokerPool,
    "brokers",
    "createSeedBroker",
    "findBroker",
    "findConnectedBroker",
    "metadataExpireAt",
    "seedBroker",
    "versions",
    "withBroker",
  ],
  Cluster: [
    Cluster,
    "addMultipleTargetTopics",
    "addTargetTopic",
    "brokerPool",
    "findBroker",
    "findControllerBroker",
    "findGroupCoordinator",
    "findTopicPartitionMetadata",
    "refreshMetadata",
    "refreshMetadataIfNecessary",
    "removeBroker",
  ],
  Connection: [
    Connection,
    "bytesBuffered",
    "bytesNeeded",
    "chunks",
    "disconnect",
    "rejectRequests",
    "socket",
  ],
  ConnectionPool: [ConnectionPool, "host", "pool", "port", "send"],
  ConsumerGroup: [
    ConsumerGroup,
    "cluster",
    "coordinator",
    "fetch",
    "fetchOffset",
    "groupId",
    "hasSeekOffset",
    "heartbeat",
    "joinAndSync",
    "lastRequest",
    "offsetManager",
    "recoverFromOffsetOutOfRange",
    "seek",
  ],
  RequestQueue: [
    RequestQueue,
    "broker",
    "destroy",
    "inflight",
    "pending",
    "rejectAll",
    "requestTimeoutIntervalId",
    "scheduleCheckPendingRequests",
    "scheduleRequestTimeoutCheck",
    "throttledUntil",
  ],
  SocketRequest: [SocketRequest, "sentAt"],
  "the errors": [errors, "KafkaJSConnectionClosedError", "KafkaJSConnectionError"],
  "the errors of the protocol": [protocolErrors, "createErrorFromCode"],
  "the response to fetch": [fetched, "parse"],
});
