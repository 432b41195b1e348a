/** Reads the errors of kafkajs: what failed, and whether trying again can help. */
import { KafkaError, type KafkaErrorPlace } from "../errors.ts";

interface Failure {
  readonly name?: string;
  readonly type?: string;
  readonly code?: string;
  readonly message?: string;
  readonly retriable?: boolean;
  readonly cause?: unknown;
  readonly originalError?: unknown;
}

/** Returns the innermost error that kafkajs wrapped. */
export function rootOf(error: unknown): Failure {
  let root = error as Failure;
  for (let depth = 0; depth < 8; depth++) {
    const inner = root.cause ?? root.originalError;
    if (typeof inner !== "object" || inner === null || inner === root) break;
    root = inner as Failure;
  }
  return root;
}

/** Returns Kafka's name of an error, like `MESSAGE_TOO_LARGE`; undefined when no broker reported it. */
export function typeOf(error: unknown): string | undefined {
  return (error as Failure)?.type ?? rootOf(error).type;
}

const REFUSED_CERTIFICATE = /certificate|self.signed|CERT_|UnknownIssuer|unable to verify/i;

/** Says whether the brokers, or TLS, refused us: no later attempt can succeed. */
export function isRefused(error: unknown): boolean {
  const { name, message = "", type = "", code = "" } = rootOf(error);
  return (error as Failure)?.name === "KafkaJSSASLAuthenticationError" ||
    name === "KafkaJSSASLAuthenticationError" ||
    type.endsWith("AUTHORIZATION_FAILED") || type === "SASL_AUTHENTICATION_FAILED" ||
    REFUSED_CERTIFICATE.test(message) || REFUSED_CERTIFICATE.test(code) ||
    REFUSED_CERTIFICATE.test((error as Failure)?.message ?? "");
}

/** Failures on the way to the brokers: kafkajs wraps some of them as if nothing could help. */
const ON_THE_WAY =
  /^KafkaJS(Connection|RequestTimeout|BrokerNotFound|NoBrokerAvailable|.*MetadataNotLoaded)/;

/** Says whether the connection failed, rather than what was asked. */
export function isConnectionFailure(error: unknown): boolean {
  return !isRefused(error) && ON_THE_WAY.test(rootOf(error).name ?? "");
}

/** Says whether doing the same again later may succeed. */
export function isRetriable(error: unknown): boolean {
  if (isRefused(error)) return false;
  return isConnectionFailure(error) ||
    (rootOf(error).retriable ?? (error as Failure)?.retriable) !== false;
}

/** Turns an error of kafkajs into one of ours. */
export function toKafkaError(
  what: string,
  error: unknown,
  place: KafkaErrorPlace = {},
): KafkaError {
  if (error instanceof KafkaError) return error;
  const root = rootOf(error);
  const reason = root.message ?? String(error);
  return new KafkaError(`${what}: ${root.type ? `${reason} (${root.type})` : reason}`, {
    retriable: isRetriable(error),
    ...place,
    cause: error,
  });
}
