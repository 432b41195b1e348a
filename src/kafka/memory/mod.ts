/**
 * The embedded broker: Kafka in the memory of one process, for examples, tests and programs that need no
 * server yet.
 *
 * @example
 * ```ts
 * import { MemoryBroker } from "@slipstream/slipstream/memory";
 *
 * await using broker = new MemoryBroker({ partitions: 4 });
 * await broker.ensure("emoji", {});
 * ```
 *
 * @module
 */
export { MemoryBroker, type MemoryBrokerOptions } from "./broker.ts";
export {
  type Assignment,
  type Broker,
  type BrokerRecord,
  type Chunk,
  type Compression,
  type GroupHandlers,
  type Header,
  type Instant,
  type JoinOptions,
  type Membership,
  type Positions,
  type Producer,
  type ProducerOptions,
  type ProducerRecord,
  type RecordPlace,
  type Records,
  type TopicSpec,
} from "../broker.ts";
export { KafkaError, type KafkaErrorPlace } from "../errors.ts";
export { type BrokerStatus } from "../status.ts";
export { type Clock } from "../../clock.ts";
