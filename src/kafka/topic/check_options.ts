import {
  anything,
  callback,
  checkOptions,
  duration,
  flag,
  must,
  number,
  oneOf,
  type Read,
  readOptions,
  type Rules,
  withMethods,
} from "../../options.ts";
import type { TlsOptions } from "../client/connection.ts";
import type { TopicOptions } from "./topic_options.ts";
import { checkStartOffset } from "./positions.ts";

/** The options of Node's `tls.connect` that `ssl` takes. */
const TLS_NAMES = [
  "ca",
  "cert",
  "key",
  "passphrase",
  "servername",
  "rejectUnauthorized",
] as const satisfies (keyof TlsOptions)[];

/** What `sasl` takes, with a password and with a token. */
const PASSWORD_NAMES = ["mechanism", "username", "password"] as const;
const TOKEN_NAMES = ["mechanism", "oauthBearerProvider"] as const;

const integer = (least: number) => number({ least, integer: true });
const wholeMs = (least: number) => duration({ least, whole: true });
const identifier = must(
  "a string that is not empty, and has no half of a surrogate pair",
  (value) => typeof value === "string" && value !== "" && value.isWellFormed(),
);

// What may hold a secret is not shown.
const RULES = {
  brokers: must('a list of addresses like "host:9092"', isAddresses, { secret: true }),
  clientId: identifier,
  ssl: must("a boolean or an object", (value) => typeof value === "boolean" || isObject(value), {
    secret: true,
  }),
  sasl: must(
    'an object with a mechanism ("plain", "scram-sha-256", "scram-sha-512" with username and ' +
      'password, or "oauthbearer" with oauthBearerProvider)',
    isSasl,
    { secret: true },
  ),
  saslWithoutTls: oneOf("refuse", "allow"),
  connectionTimeout: wholeMs(1),
  authenticationTimeout: wholeMs(1),
  requestTimeout: wholeMs(1),
  metadataMaxAge: wholeMs(1),
  broker: withMethods("join", "producer"),
  groupId: identifier,
  offset: anything,
  sessionTimeout: wholeMs(1),
  rebalanceTimeout: wholeMs(1),
  heartbeatInterval: wholeMs(1),
  maxWaitTimeInMs: integer(1),
  maxBytesPerPartition: integer(1),
  maxBytes: integer(1),
  minBytes: integer(1),
  processingTimeout: wholeMs(1),
  startTimeout: wholeMs(0),
  allowAutoTopicCreation: flag,
  compression: oneOf("none", "gzip", "snappy", "lz4", "zstd"),
  linger: wholeMs(0),
  batchSize: integer(1),
  bufferMemory: integer(1),
  deliveryTimeout: wholeMs(1),
  dry: flag,
  onStatus: callback,
  codec: withMethods("encode", "decode"),
  keyCodec: withMethods("encode", "decode"),
  keys: oneOf("optional", "required"),
  app: withMethods("configure"),
} as const satisfies Rules<TopicOptions>;

/** Options with durations in milliseconds. */
export type ReadTopicOptions<O> = Read<O, typeof RULES>;

/**
 * Reads the options of `owner`.
 *
 * @throws {TypeError} If one has no such name, the wrong shape, or contradicts another.
 * @throws {RangeError} If a figure is out of bounds.
 */
export function readTopicOptions<O extends object>(
  owner: string,
  options: O,
  without: readonly string[] = [],
): ReadTopicOptions<O> {
  const rules = Object.fromEntries(
    Object.entries(RULES).filter(([name]) => !without.includes(name)),
  );
  checkOptions(owner, options, Object.keys(rules));
  checkNested(owner, options);
  checkAddresses(owner, options);
  const read = readOptions<TopicOptions, object>(owner, options, rules) as TopicOptions;
  const { offset, heartbeatInterval, sessionTimeout } = read;
  if (offset !== undefined) checkStartOffset(owner, offset);
  if (Number(heartbeatInterval) >= Number(sessionTimeout)) {
    throw new RangeError(
      `Cannot configure ${owner} as "heartbeatInterval" must be less than "sessionTimeout": ` +
        `${heartbeatInterval} >= ${sessionTimeout}`,
    );
  }
  checkSasl(owner, options);
  return read as ReadTopicOptions<O>;
}

/** Checks the names inside `ssl` and `sasl`; what they are set to may be a secret, and is not shown. */
function checkNested(owner: string, { ssl, sasl }: { ssl?: unknown; sasl?: unknown }): void {
  if (isObject(ssl)) checkOptions(`"ssl" of ${owner}`, ssl, TLS_NAMES);
  if (!isObject(sasl)) return;
  const hasToken = sasl.mechanism === "oauthbearer";
  checkOptions(`"sasl" of ${owner}`, sasl, hasToken ? TOKEN_NAMES : PASSWORD_NAMES);
}

/** Refuses addresses with credentials in them, which kafkajs would take for the host and the port. */
function checkAddresses(owner: string, { brokers }: { brokers?: unknown }): void {
  if (!Array.isArray(brokers)) return;
  const given = brokers.find((broker) => typeof broker === "string" && broker.includes("@"));
  if (given === undefined) return;
  const shown = `***${given.slice(given.lastIndexOf("@"))}`;
  throw new TypeError(
    `Cannot configure ${owner} as "brokers" must be addresses like "host:9092": ` +
      `"${shown}" has credentials, which belong in "sasl"`,
  );
}

interface Sensitive {
  readonly brokers?: string[];
  readonly ssl?: unknown;
  readonly sasl?: unknown;
  readonly saslWithoutTls?: string;
}

/** Refuses credentials over a connection that anybody on the way can read. */
function checkSasl(owner: string, options: Sensitive): void {
  const { brokers = [], ssl, sasl, saslWithoutTls } = options;
  if (!sasl || (ssl !== undefined && ssl !== false) || saslWithoutTls === "allow") return;
  const open = brokers.find((broker) => !isLoopback(broker));
  if (open === undefined) return;
  throw new TypeError(
    `Cannot configure ${owner} as "sasl" would send credentials to "${open}" unencrypted: ` +
      'set "ssl", or allow it with "saslWithoutTls"',
  );
}

function isLoopback(address: string): boolean {
  const host = address.slice(0, address.lastIndexOf(":")).replace(/^\[|\]$/g, "");
  return host === "localhost" || host === "::1" || /^127(\.\d+){3}$/.test(host);
}

function isAddresses(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 &&
    value.every((each) => typeof each === "string" && /^.+:\d{1,5}$/.test(each));
}

function isSasl(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { mechanism, username, password, oauthBearerProvider } = value;
  if (mechanism === "oauthbearer") return typeof oauthBearerProvider === "function";
  return ["plain", "scram-sha-256", "scram-sha-512"].includes(mechanism as string) &&
    typeof username === "string" && typeof password === "string";
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
