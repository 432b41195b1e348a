/** Reads the errors of kafkajs: what failed, and whether trying again can help. */
import { redactText } from "../../redact.ts";
import { KafkaError, type KafkaErrorPlace } from "../client/errors.ts";

interface Failure {
  readonly name?: string;
  readonly type?: string;
  readonly code?: string;
  readonly message?: string;
  readonly retriable?: boolean;
  readonly cause?: unknown;
  readonly originalError?: unknown;
  readonly errors?: readonly unknown[];
}

/** Returns the innermost error that kafkajs wrapped. */
function rootOf(error: unknown): Failure {
  let root = error as Failure;
  for (let depth = 0; depth < 8; depth++) {
    const inner = root.cause ?? root.originalError ?? root.errors?.[0];
    if (typeof inner !== "object" || inner === null || inner === root) break;
    root = inner as Failure;
  }
  return root;
}

/** Returns Kafka's name of an error, like `MESSAGE_TOO_LARGE`; undefined when no broker reported it. */
export function typeOf(error: unknown): string | undefined {
  return (error as Failure)?.type ?? rootOf(error).type;
}

/** What Deno says to a connection that it was not allowed. */
const NOT_ALLOWED = /Requires net access to "([^"]+)"/;

const REFUSED_CERTIFICATE = /certificate|self.signed|CERT_|UnknownIssuer|unable to verify/i;

/** Returns whether the brokers, TLS or Deno refused us: no later attempt can succeed. */
export function isRefused(error: unknown): boolean {
  const { name, message = "", type = "", code = "" } = rootOf(error);
  return (error as Failure)?.name === "KafkaJSSASLAuthenticationError" ||
    name === "KafkaJSSASLAuthenticationError" ||
    type.endsWith("AUTHORIZATION_FAILED") || type === "SASL_AUTHENTICATION_FAILED" ||
    REFUSED_CERTIFICATE.test(message) || REFUSED_CERTIFICATE.test(code) ||
    REFUSED_CERTIFICATE.test((error as Failure)?.message ?? "") || NOT_ALLOWED.test(message);
}

/** Kafkajs's failures on the way to the brokers: it wraps some of them as if nothing could help. */
const ON_THE_WAY: ReadonlySet<string | undefined> = new Set([
  "KafkaJSConnectionError",
  "KafkaJSConnectionClosedError",
  "KafkaJSRequestTimeoutError",
  "KafkaJSBrokerNotFound",
  "KafkaJSNoBrokerAvailableError",
  "KafkaJSMetadataNotLoaded",
  "KafkaJSTopicMetadataNotLoaded",
]);

/** What sockets report that another connection may not meet. */
const OF_SOCKETS: ReadonlySet<string | undefined> = new Set([
  "ECONNABORTED",
  "ECONNREFUSED",
  "ECONNRESET",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EPIPE",
  "ETIMEDOUT",
]);

/** Other failures of kafkajs that pass, whatever it says of them. */
const PASSING: ReadonlySet<string | undefined> = new Set([
  "KafkaJSGroupCoordinatorNotFound",
  "KafkaJSLockTimeout",
  "KafkaJSStaleTopicMetadataAssignment",
  "KafkaJSTimeout",
]);

/** Failures of which kafkajs says itself whether they pass: those that a broker reported, by their code. */
const SAY_THEMSELVES: ReadonlySet<string | undefined> = new Set([
  "KafkaJSCreateTopicError",
  "KafkaJSError",
  "KafkaJSMemberIdRequired",
  "KafkaJSOffsetOutOfRange",
  "KafkaJSProtocolError",
]);

/** Returns whether the connection failed, rather than what was asked. */
export function isConnectionFailure(error: unknown): boolean {
  const { name, code } = rootOf(error);
  return !isRefused(error) && (ON_THE_WAY.has(name) || OF_SOCKETS.has(code));
}

/** Returns whether doing the same again later may succeed: of failures that are known to pass, no others. */
export function isRetriable(error: unknown): boolean {
  if (error instanceof KafkaError) return error.retriable;
  if (isRefused(error)) return false;
  const { name, retriable } = rootOf(error);
  return isConnectionFailure(error) || PASSING.has(name) ||
    (SAY_THEMSELVES.has(name) && retriable === true);
}

/**
 * Returns whether a broker answered that it cannot tell yet, as while a coordinator is loaded or a leader is
 * elected. That a topic is unknown is an answer.
 */
export function isNotYet(error: unknown): boolean {
  if (error instanceof KafkaError) return error.retriable;
  const type = typeOf(error);
  return type !== undefined && type !== "UNKNOWN_TOPIC_OR_PARTITION" && isRetriable(error);
}

/** Turns an error of kafkajs into one of ours. */
export function toKafkaError(
  what: string,
  error: unknown,
  place: KafkaErrorPlace = {},
): KafkaError {
  if (error instanceof KafkaError) return error;
  const root = rootOf(error);
  const message = redactText(root.message ?? String(error));
  const host = NOT_ALLOWED.exec(message)?.[1];
  // The address may be one that the brokers name, and nobody here has written.
  const reason = host === undefined ? message : `run again with --allow-net=${host}: ${message}`;
  return new KafkaError(`${what}: ${root.type ? `${reason} (${root.type})` : reason}`, {
    retriable: isRetriable(error),
    ...place,
    cause: error,
  });
}
