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
export { type PartitionOffsets, Topic } from "./topic.ts";
export { type Configurable, type TopicDefaults, type TopicOptions } from "./options.ts";
export { type ConnectionOptions, type SaslOptions, type TlsOptions } from "./connection.ts";
export { type Codecs, Message, type Origin } from "./message.ts";
export { type Tombstone, tombstone } from "../tombstone.ts";
export { type Codec } from "../codecs/codec.ts";
export { type DeadLetterOrigin, sendBack } from "./dead_letter.ts";
export { type OutgoingHeaders, type OutgoingMessage, type TopicOutput } from "./outgoing.ts";
export { type Offsets, type SeekPosition, type StartOffset } from "./positions.ts";
export { KafkaBroker, type KafkaBrokerOptions } from "./kafkajs/broker.ts";
export { KafkaError, type KafkaErrorPlace } from "./errors.ts";
export { type BrokerStatus } from "./status.ts";
export {
  type AskOptions,
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
} from "./broker.ts";
export { CodecError, type ErrorPlace, FlowError } from "../errors.ts";
export { type Clock } from "../clock.ts";
export {
  type Commit,
  type Companion,
  END,
  type Feed,
  type FeedSource,
  type Host,
  openFeed,
  openSink,
  type PartState,
  type SinkPort,
  type SinkTarget,
  WAIT,
  type Witness,
} from "../flow/feed.ts";
export type { Resumption, Root, StateDriver } from "../flow/state.ts";
export {
  Gate,
  type Holder,
  type Positioned,
  type StartLimit,
  type StartPreparation,
} from "../flow/gate.ts";
export { type Acknowledged, Receipt } from "../flow/receipt.ts";
