import type { Codec } from "../../codecs/codec.ts";
import { checkDefaults, defaultsOf } from "../../defaults.ts";
import type { Broker, Compression } from "../client/broker.ts";
import type { Duration } from "../../duration.ts";
import { type ReadTopicOptions, readTopicOptions } from "./check_options.ts";
import type { ConnectionOptions } from "../client/connection.ts";
import type { StartOffset } from "./positions.ts";
import type { BrokerStatus } from "../client/status.ts";

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
  /** Whether a topic that is missing is created, with the brokers' defaults. @default {true} */
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
  /** Sends nothing, and reports to `onStatus` what it would send. @default {false} */
  dry?: boolean | undefined;
  /** Called with what happens to the connection and the group. */
  onStatus?: ((status: BrokerStatus) => void) | undefined;
}

/** Something with defaults for topics: an `App`. */
export interface Configurable {
  /** Sets defaults for topics created from now on. */
  configure(options: TopicDefaults): void;
}

/** Options of a {@linkcode Topic}. */
export interface TopicOptions<K = string, V = string> extends TopicDefaults {
  /** Turns values into bytes and back. @default {a TextCodec} */
  codec?: Codec<V> | undefined;
  /** Turns keys into bytes and back. @default {a TextCodec} */
  keyCodec?: Codec<K> | undefined;
  /** The app whose defaults it uses. @default {the default app} */
  app?: Configurable | undefined;
}

/** The values of the options that nobody gave. */
const BUILT_IN = {
  offset: "latest",
  sessionTimeout: 10_000,
  rebalanceTimeout: 60_000,
  heartbeatInterval: 1_000,
  maxWaitTimeInMs: 250,
  maxBytesPerPartition: 1_048_576,
  maxBytes: 10_485_760,
  minBytes: 1,
  processingTimeout: 300_000,
  startTimeout: 60_000,
  allowAutoTopicCreation: true,
  compression: "none",
  linger: 5,
  batchSize: 1_000,
  bufferMemory: 33_554_432,
  deliveryTimeout: 120_000,
  dry: false,
} as const satisfies TopicDefaults;

/** Options with every value that has a default, and with durations in milliseconds. */
export type Settings<K, V> =
  & ReadTopicOptions<TopicOptions<K, V>>
  & {
    readonly [Name in keyof typeof BUILT_IN]: NonNullable<ReadTopicOptions<TopicDefaults>[Name]>;
  };

checkDefaults((values) => {
  readTopicOptions<TopicDefaults>("the topics", values, ["codec", "keyCodec", "app"]);
});

/** Merges a topic's options over the defaults; the result has only what somebody gave. */
export function mergeOptions<K, V>(topic: string, options: TopicOptions<K, V>): TopicOptions<K, V> {
  const owner = `topic "${topic}"`;
  readTopicOptions(owner, options);
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const inherited: Record<string, unknown> = { ...defaultsOf(options.app).values };
  // Its own way to the brokers replaces the one of the defaults, whichever of the two it is.
  if (options.brokers !== undefined) delete inherited.broker;
  if (options.broker !== undefined) delete inherited.brokers;
  const merged = { ...inherited, ...Object.fromEntries(given) };
  toSettings(topic, merged);
  return merged;
}

/** Reads merged options, with the built-in values. */
export function toSettings<K, V>(topic: string, merged: TopicOptions<K, V>): Settings<K, V> {
  return readTopicOptions(`topic "${topic}"`, { ...BUILT_IN, ...merged }) as Settings<K, V>;
}
