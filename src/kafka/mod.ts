/**
 * Kafka in and out: {@linkcode Topic}, and the broker interface behind it.
 *
 * @example
 * ```ts ignore
 * import { Topic } from "@slipstream/slipstream/kafka";
 *
 * await using topic = new Topic("emoji", { brokers: ["localhost:9092"], groupId: "demo" });
 * await topic.send({ key: "trophy", value: "🏆" });
 * for await (const message of topic) console.log(message.key, message.value);
 * ```
 *
 * @module
 */
export { type PartitionOffsets, Topic } from "./topic/topic.ts";
export type { Configurable, TopicDefaults, TopicOptions } from "./topic/topic_options.ts";
export { type ConnectionOptions, type SaslOptions, type TlsOptions } from "./client/connection.ts";
export { type Codecs, type Keys, Message, type Origin } from "./topic/message.ts";
export { type Tombstone, tombstone } from "../tombstone.ts";
export { type Codec } from "../codecs/codec.ts";
export { type DeadLetterOrigin, redrive } from "./topic/dead_letter.ts";
export { type OutgoingHeaders, type OutgoingMessage, type TopicInput } from "./topic/outgoing.ts";
export { type Offsets, type SeekPosition, type StartOffset } from "./topic/positions.ts";
export { KafkaBroker, type KafkaBrokerOptions } from "./kafkajs/broker.ts";
export { KafkaError, type KafkaErrorPlace } from "./client/errors.ts";
export { UndecodableBatchError, type UndecodablePlace } from "./records/undecodable_batch_error.ts";
export { type BrokerStatus } from "./client/status.ts";
export {
  type Broker,
  type BrokerRecord,
  type Compression,
  type Header,
  type Positions,
  type RecordPlace,
  type TopicSpec,
} from "./client/broker.ts";
export { CodecError, type ErrorPlace, FlowError } from "../errors.ts";
export { type Clock } from "../clock.ts";
