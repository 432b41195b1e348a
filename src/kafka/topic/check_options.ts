import {
  anything,
  callback,
  duration,
  flag,
  must,
  nested,
  number,
  oneOf,
  type Read,
  readOptions,
  type Rule,
  type Rules,
  withMethods,
} from "../../options.ts";
import type { TlsOptions } from "../client/connection.ts";
import type { TopicOptions } from "./topic_options.ts";
import { checkStartOffset } from "./positions.ts";

const integer = (least: number) => number({ least, integer: true });
const wholeMs = (least: number) => duration({ least, whole: true });
const identifier = must(
  "a string that is not empty, and has no half of a surrogate pair",
  (value) => typeof value === "string" && value !== "" && value.isWellFormed(),
);

// What may hold a secret is not shown.
const secret = (be: string, fits: (value: unknown) => boolean) => must(be, fits, { secret: true });

/** Addresses; credentials in one are refused, since kafkajs would take them for the host and the port. */
const addresses: Rule = (value, what) => {
  const given = Array.isArray(value) &&
    value.find((each) => typeof each === "string" && each.includes("@"));
  if (!given) return secret('a list of addresses like "host:9092"', isAddresses)(value, what);
  const shown = `***${given.slice(given.lastIndexOf("@"))}`;
  throw new TypeError(
    `Cannot use ${what} as it must be addresses like "host:9092": "${shown}" has credentials, which ` +
      'belong in "sasl"',
  );
};

/** The options of Node's `tls.connect` that `ssl` takes. */
const TLS_RULES = {
  ca: anything,
  cert: anything,
  key: anything,
  passphrase: anything,
  servername: anything,
  rejectUnauthorized: anything,
} as const satisfies Rules<TlsOptions>;

/** True or false, or TLS options. */
const ssl: Rule = (value, what) =>
  isObject(value)
    ? nested(TLS_RULES)(value, what)
    : secret("a boolean or an object", (it) => typeof it === "boolean")(value, what);

/** Credentials: a name and a password, or a token. */
const sasl: Rule = (value, what) => {
  if (isObject(value)) {
    const hasToken = value.mechanism === "oauthbearer";
    nested(hasToken ? TOKEN_RULES : PASSWORD_RULES)(value, what);
  }
  return credentials(value, what);
};
const PASSWORD_RULES = { mechanism: anything, username: anything, password: anything } as const;
const TOKEN_RULES = { mechanism: anything, oauthBearerProvider: anything } as const;
const credentials = secret(
  'an object with a mechanism ("plain", "scram-sha-256", "scram-sha-512" with username and ' +
    'password, or "oauthbearer" with oauthBearerProvider)',
  isSasl,
);

const RULES = {
  brokers: addresses,
  clientId: identifier,
  ssl,
  sasl,
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
  if (Object.hasOwn(Object(options), "fromBeginning")) {
    throw new TypeError(
      `Cannot use option "fromBeginning" of ${owner}: write offset: "earliest", or "latest" for false`,
    );
  }
  const rules = Object.fromEntries(
    Object.entries(RULES).filter(([name]) => !without.includes(name)),
  );
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
