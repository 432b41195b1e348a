import { checkOptions } from "../../options.ts";
import type { TlsOptions } from "../client/connection.ts";
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

/** What an option must be, in words, and the test for it. */
interface Rule {
  readonly must: string;
  readonly test: (value: unknown) => boolean;
}

const integer = (least: number): Rule => ({
  must: `an integer >= ${least}`,
  test: (value) => Number.isSafeInteger(value) && (value as number) >= least,
});
const oneOf = (...values: unknown[]): Rule => ({
  must: `one of ${values.map((value) => JSON.stringify(value)).join(", ")}`,
  test: (value) => values.includes(value),
});
const text: Rule = {
  must: "a string that is not empty, and has no half of a surrogate pair",
  test: (value) => typeof value === "string" && value !== "" && value.isWellFormed(),
};
const flag = oneOf(true, false);
const callback: Rule = { must: "a function", test: (value) => typeof value === "function" };
const withMethods = (...names: string[]): Rule => ({
  must: `an object with the methods ${names.join(" and ")}`,
  test: (value) => isObject(value) && names.every((name) => typeof value[name] === "function"),
});

const RULES: Readonly<Record<string, Rule>> = {
  brokers: {
    must: 'a list of addresses like "host:9092"',
    test: (value) => Array.isArray(value) && value.length > 0 && value.every(isAddress),
  },
  clientId: text,
  ssl: {
    must: "a boolean or an object",
    test: (value) => typeof value === "boolean" || isObject(value),
  },
  sasl: {
    must:
      'an object with a mechanism ("plain", "scram-sha-256", "scram-sha-512" with username and ' +
      'password, or "oauthbearer" with oauthBearerProvider)',
    test: isSasl,
  },
  saslWithoutTls: oneOf("refuse", "allow"),
  connectionTimeout: integer(1),
  authenticationTimeout: integer(1),
  requestTimeout: integer(1),
  metadataMaxAge: integer(1),
  broker: withMethods("join", "producer"),
  groupId: text,
  offset: { must: "", test: () => true },
  sessionTimeout: integer(1),
  rebalanceTimeout: integer(1),
  heartbeatInterval: integer(1),
  maxWaitTimeInMs: integer(1),
  maxBytesPerPartition: integer(1),
  maxBytes: integer(1),
  minBytes: integer(1),
  processingTimeoutMs: integer(1),
  startTimeoutMs: integer(0),
  allowAutoTopicCreation: flag,
  compression: oneOf("none", "gzip", "snappy", "lz4", "zstd"),
  lingerMs: integer(0),
  batchSize: integer(1),
  bufferMemory: integer(1),
  deliveryTimeoutMs: integer(1),
  dry: flag,
  onStatus: callback,
  codec: withMethods("encode", "decode"),
  keyCodec: withMethods("encode", "decode"),
  keys: oneOf("optional", "required"),
  app: withMethods("configure"),
};

/**
 * Checks the options of `owner`.
 *
 * @throws {TypeError} If one has no such name, the wrong shape, or contradicts another.
 */
export function checkTopicOptions(
  owner: string,
  options: object,
  without: readonly string[] = [],
): void {
  const names = Object.keys(RULES).filter((name) => !without.includes(name));
  checkOptions(owner, options, names);
  checkNested(owner, options);
  checkAddresses(owner, options);
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || RULES[name]!.test(value)) continue;
    // The value may be a secret.
    throw new TypeError(`Cannot configure ${owner} as "${name}" must be ${RULES[name]!.must}`);
  }
  const { offset, heartbeatInterval, sessionTimeout } = options as Record<string, unknown>;
  if (offset !== undefined) checkStartOffset(owner, offset);
  if (Number(heartbeatInterval) >= Number(sessionTimeout)) {
    throw new RangeError(
      `Cannot configure ${owner} as "heartbeatInterval" must be less than "sessionTimeout": ` +
        `${heartbeatInterval} >= ${sessionTimeout}`,
    );
  }
  checkSasl(owner, options);
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

function isAddress(value: unknown): boolean {
  return typeof value === "string" && /^.+:\d{1,5}$/.test(value);
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
