import type { Codec } from "../codecs/codec.ts";
import { checkDefaults, defaultsOf } from "../defaults.ts";
import type { Broker, Compression } from "./broker.ts";
import { checkTopicOptions } from "./check_options.ts";
import type { ConnectionOptions } from "./connection.ts";
import type { StartOffset } from "./positions.ts";
import type { BrokerStatus } from "./status.ts";

/** What `App.configure` may set for all topics. Names are kafkajs's where it has one. */
export interface TopicDefaults extends ConnectionOptions {
  /** The broker to use instead of `brokers`: it is borrowed, not closed. */
  broker?: Broker | undefined;
  /** The consumer group; needed for reading. */
  groupId?: string | undefined;
  /**
   * Where a group starts that has not committed: the beginning, the end, a time, or an offset for each
   * partition. The end, or a time, is looked up once for the whole group, by the member that reads
   * partition 0; the others wait for it. Offsets by partition count more than commits, the first time that this topic is read;
   * partitions they do not name start at the beginning. Partitions that are added later start at their
   * beginning, always.
   *
   * @default {"latest"}
   */
  offset?: StartOffset | undefined;
  /** Milliseconds without a heartbeat after which the group gives the partitions to others. @default {10000} */
  sessionTimeout?: number | undefined;
  /** Milliseconds that a member may take to hand its partitions over. @default {60000} */
  rebalanceTimeout?: number | undefined;
  /** Milliseconds between heartbeats. @default {1000} */
  heartbeatInterval?: number | undefined;
  /** Milliseconds that a fetch waits for `minBytes`; resuming takes up to twice as long. @default {250} */
  maxWaitTimeInMs?: number | undefined;
  /** The most bytes that one fetch brings from one partition. @default {1048576} */
  maxBytesPerPartition?: number | undefined;
  /** The most bytes that one fetch brings. @default {10485760} */
  maxBytes?: number | undefined;
  /** The fewest bytes that a fetch waits for. @default {1} */
  minBytes?: number | undefined;
  /**
   * Milliseconds that a message may take, with all that is made of it, before its partitions are given to
   * others. It is the default of `handlerTimeoutMs` in the flows that read the topic, which replaces it where it
   * is given; a flow behind a Proxy, or a loop over the topic, has no other limit. It counts from when no
   * message before it is open; not while the topic is paused, or while `batch()` or `untilEnd()` holds it.
   *
   * @default {300000}
   */
  processingTimeoutMs?: number | undefined;
  /** Milliseconds that the first connection may take. @default {60000} */
  startTimeoutMs?: number | undefined;
  /** Whether a topic that is missing is created, with the brokers' defaults. @default {true} */
  allowAutoTopicCreation?: boolean | undefined;
  /** How batches are compressed. @default {"none"} */
  compression?: Compression | undefined;
  /** Milliseconds that a batch of a sink waits for more. @default {5} */
  lingerMs?: number | undefined;
  /** The most records in a batch of a sink. @default {1000} */
  batchSize?: number | undefined;
  /**
   * How many bytes of records a sink may have under way before whoever writes to it waits, as Java's
   * `buffer.memory`. Batches have a megabyte at most, and no more than the topic takes.
   *
   * @default {33554432}
   */
  bufferMemory?: number | undefined;
  /**
   * Milliseconds within which the brokers must confirm a batch once its turn has come: so long an outage is
   * survived. A barrier waits as much longer for a Topic than its `flushTimeoutMs`; stopping is bounded by
   * `drainMs` all the same.
   *
   * @default {120000}
   */
  deliveryTimeoutMs?: number | undefined;
  /** Sends nothing, and tells `onStatus` what it would send. @default {false} */
  dry?: boolean | undefined;
  /** Is told what happens to the connection and the group. */
  onStatus?: ((status: BrokerStatus) => void) | undefined;
}

/** Something with defaults for topics: an `App`. */
export interface Configurable {
  /** Sets options that topics made from now on have, where they are not given others. */
  configure(options: TopicDefaults): void;
}

/** With what a {@linkcode Topic} is made. */
export interface TopicOptions<K = string, V = string> extends TopicDefaults {
  /** Turns values into bytes and back. @default {a TextCodec} */
  codec?: Codec<V> | undefined;
  /** Turns keys into bytes and back. @default {a TextCodec} */
  keyCodec?: Codec<K> | undefined;
  /** The app whose defaults it has. @default {the default app} */
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
  processingTimeoutMs: 300_000,
  startTimeoutMs: 60_000,
  allowAutoTopicCreation: true,
  compression: "none",
  lingerMs: 5,
  batchSize: 1_000,
  bufferMemory: 33_554_432,
  deliveryTimeoutMs: 120_000,
  dry: false,
} as const satisfies TopicDefaults;

/** Options with every value that has a default. */
export type Settings<K, V> =
  & TopicOptions<K, V>
  & { [Name in keyof typeof BUILT_IN]: NonNullable<TopicDefaults[Name]> };

checkDefaults((values) => checkTopicOptions("the topics", values, ["codec", "keyCodec", "app"]));

/** Merges a topic's options over the defaults; the result has only what somebody gave. */
export function mergeOptions<K, V>(topic: string, options: TopicOptions<K, V>): TopicOptions<K, V> {
  const owner = `topic "${topic}"`;
  checkTopicOptions(owner, options);
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const inherited: Record<string, unknown> = { ...defaultsOf(options.app).values };
  // Its own way to the brokers replaces the one of the defaults, whichever of the two it is.
  if (options.brokers !== undefined) delete inherited.broker;
  if (options.broker !== undefined) delete inherited.brokers;
  const merged = { ...inherited, ...Object.fromEntries(given) };
  checkTopicOptions(owner, { ...BUILT_IN, ...merged });
  return merged;
}

/** Adds the built-in values to merged options. */
export function toSettings<K, V>(merged: TopicOptions<K, V>): Settings<K, V> {
  return { ...BUILT_IN, ...merged } as Settings<K, V>;
}
