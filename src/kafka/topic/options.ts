import { checkDefaults, defaultsOf } from "../../defaults.ts";
import { redactText } from "../../redact.ts";
import type { Keys } from "./message.ts";
import type { TopicDefaults, TopicOptions } from "./topic_options.ts";
import { type ReadTopicOptions, readTopicOptions } from "./check_options.ts";

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
  & ReadTopicOptions<TopicOptions<K, V, Keys>>
  & {
    readonly [Name in keyof typeof BUILT_IN]: NonNullable<ReadTopicOptions<TopicDefaults>[Name]>;
  };

checkDefaults((values) => {
  readTopicOptions<TopicDefaults>("the topics", values, ["codec", "keyCodec", "keys", "app"]);
});

/** Merges a topic's options over the defaults; the result has only what somebody gave. */
export function mergeOptions<K, V>(
  topic: string,
  options: TopicOptions<K, V, Keys>,
): TopicOptions<K, V, Keys> {
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
export function toSettings<K, V>(
  topic: string,
  merged: TopicOptions<K, V, Keys>,
): Settings<K, V> {
  return readTopicOptions(`topic "${topic}"`, { ...BUILT_IN, ...merged }) as Settings<K, V>;
}

const SECRETS = new Set(["password", "passphrase", "key", "oauthBearerProvider"]);
const HIDDEN = new Set(["app", "codec", "keyCodec", "broker", "onStatus"]);

/** Returns options as they may be printed: passwords, keys and tokens as `***`, without objects that do things. */
export function redactOptions(options: object): Record<string, unknown> {
  const shown = Object.entries(options).filter(([name]) => !HIDDEN.has(name));
  return Object.fromEntries(shown.map(([name, value]) => [name, mask(value)]));
}

function mask(value: unknown): unknown {
  if (typeof value === "string") return redactText(value);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(mask);
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, SECRETS.has(name) ? "***" : mask(inner)]),
  );
}
