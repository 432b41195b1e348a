import type { Codec } from "../../codecs/codec.ts";
import type { Duration } from "../../duration.ts";
import type { Broker, Compression } from "../client/broker.ts";
import type { ConnectionOptions } from "../client/connection.ts";
import type { BrokerStatus } from "../client/status.ts";
import type { Keys } from "./message.ts";
import type { StartOffset } from "./positions.ts";

/** Options that `App.configure` may set for all topics. Names are those of kafkajs where it has one. */
export interface TopicDefaults extends ConnectionOptions {
  /** The broker to use instead of `brokers`: it is borrowed, not closed. */
  broker?: Broker | undefined;
  /** The consumer group; needed for reading. */
  groupId?: string | undefined;
  /**
   * Where a group without commits starts: the beginning, the end, a time, or an offset for each partition. The end,
   * or a time, is looked up once for the whole group, by the member that reads partition 0; the others wait for it.
   * Offsets by partition take precedence over commits, the first time that this topic is read; partitions they do not
   * name start at the beginning. Partitions that are added later always start at their beginning.
   *
   * @default {"latest"}
   */
  offset?: StartOffset | undefined;
  /** How long a member may go without a heartbeat before the group gives its partitions to others. @default {10_000} */
  sessionTimeout?: Duration | undefined;
  /** How long a member may take to hand its partitions over. @default {60_000} */
  rebalanceTimeout?: Duration | undefined;
  /** The time between heartbeats. @default {1000} */
  heartbeatInterval?: Duration | undefined;
  /** Milliseconds that a fetch waits for `minBytes`; resuming takes up to twice as long. @default {250} */
  maxWaitTimeInMs?: number | undefined;
  /** The most bytes that one fetch brings from one partition. @default {1048576} */
  maxBytesPerPartition?: number | undefined;
  /** The most bytes that one fetch brings. @default {10485760} */
  maxBytes?: number | undefined;
  /** The fewest bytes that a fetch waits for. @default {1} */
  minBytes?: number | undefined;
  /**
   * How long a message may take, with everything made from it, before its partitions go to other members. It
   * is the default of `handlerTimeout` in the flows that read the topic, and a `handlerTimeout` replaces it; a
   * flow behind a Proxy, or a loop over the topic, has no other limit. The time counts from when no earlier message is
   * open, and not while the topic is paused, or while `batch()` or `untilEnd()` holds the message.
   *
   * @default {300_000}
   */
  processingTimeout?: Duration | undefined;
  /** How long the first connection may take. @default {60_000} */
  startTimeout?: Duration | undefined;
  /** Whether a missing topic is created, with the brokers' defaults. @default {true} */
  allowAutoTopicCreation?: boolean | undefined;
  /** How batches are compressed. @default {"none"} */
  compression?: Compression | undefined;
  /** How long a batch of a sink waits for more. @default {5} */
  linger?: Duration | undefined;
  /** The most records in a batch of a sink. @default {1000} */
  batchSize?: number | undefined;
  /**
   * How many bytes of records a sink may have in flight before its writers wait, like Java's `buffer.memory`. Batches
   * have at most a megabyte, and no more than the topic accepts.
   *
   * @default {33554432}
   */
  bufferMemory?: number | undefined;
  /**
   * How long the brokers may take to confirm a batch once its turn has come: an outage up to that long is
   * survived. A commit waits for a Topic that much longer than its `flushTimeout`; stopping is still bounded by
   * `drainTimeout`.
   *
   * @default {120_000}
   */
  deliveryTimeout?: Duration | undefined;
  /** Sends nothing, and reports each message to `onStatus` instead. @default {false} */
  dry?: boolean | undefined;
  /** Called with the events of the connection and the group. */
  onStatus?: ((status: BrokerStatus) => void) | undefined;
}

/** Something with defaults for topics: an `App`. */
export interface Configurable {
  /** Sets defaults for topics created from now on. */
  configure(options: TopicDefaults): void;
}

/** Options of a {@linkcode Topic}. */
export interface TopicOptions<K = string, V = string, R extends Keys = "optional">
  extends TopicDefaults {
  /** Turns values into bytes and back. @default {a TextCodec} */
  codec?: Codec<V> | undefined;
  /** Turns keys into bytes and back. @default {a TextCodec} */
  keyCodec?: Codec<K> | undefined;
  /**
   * With `"required"`, the type of a message's key has no null, so that it can be the key of a Cache as it is. Reading
   * the key of a message that has none throws a `CodecError`, which meets `onError`; sending one is refused.
   *
   * @default {"optional"}
   */
  keys?: R | undefined;
  /** The app whose defaults it uses. @default {the default app} */
  app?: Configurable | undefined;
}
