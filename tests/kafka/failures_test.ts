import { assertEquals } from "@std/assert";
import kafkajs from "kafkajs";
import kafkajsErrors from "kafkajs/src/errors.js";
import protocol from "kafkajs/src/protocol/error.js";
import { KafkaError } from "../../src/kafka/client/errors.ts";
import {
  isConnectionFailure,
  isRetriable,
  toKafkaError,
} from "../../src/kafka/kafkajs/failures.ts";

// The package says nothing of the types of these.
const classes: Record<string, new (error: unknown, more?: object) => Error> = kafkajsErrors;
const { errorCodes, createErrorFromCode } = protocol as {
  errorCodes: { code: number; retriable: boolean }[];
  createErrorFromCode(code: number): Error;
};

function make(name: string, cause: unknown = "failed", more = {}): Error {
  return new classes[`KafkaJS${name}`]!(cause, more);
}

/** What a failure becomes that kafkajs gives up on. */
function exhausted(error: Error): Error {
  return make("NumberOfRetriesExceeded", error, { retryCount: 3, retryTime: 100 });
}

const errors: [string, Error, boolean][] = [
  ["a lost connection", make("ConnectionClosedError"), true],
  ["a request without an answer", make("RequestTimeoutError"), true],
  ["a lock that was not free", make("LockTimeout"), true],
  ["a producer that was disconnected", make("Error", "disconnected", { retriable: true }), true],
  ["a socket's failure", Object.assign(new Error("reset"), { code: "ECONNRESET" }), true],
  ["an error of kafkajs that says so", make("NonRetriableError"), false],
  ["a broker without the request", make("ServerDoesNotSupportApiKey"), false],
  ["refused credentials", make("SASLAuthenticationError"), false],
  ["an error that nobody knows", new Error("what is this"), false],
  ["a mistake in a program", new TypeError("undefined is not a function"), false],
  ["our own, of a partition without a leader", new KafkaError("x", { retriable: true }), true],
  ["our own", new KafkaError("x"), false],
];
for (const [what, error, retriable] of errors) {
  Deno.test(`isRetriable() is ${retriable} for ${what}, also when kafkajs wrapped it`, () => {
    assertEquals(isRetriable(error), retriable);
    if (!(error instanceof KafkaError)) assertEquals(isRetriable(exhausted(error)), retriable);
    assertEquals(toKafkaError("Cannot", error).retriable, retriable);
  });
}

Deno.test("isRetriable() takes what brokers report as the protocol says", () => {
  const wrong = errorCodes.filter(({ code, retriable }) =>
    isRetriable(exhausted(createErrorFromCode(code))) !== retriable
  );
  assertEquals(wrong, []);
  assertEquals(isRetriable(createErrorFromCode(12_345)), false);
});

Deno.test("isRetriable() knows each class of kafkajs by its name", () => {
  // These need another argument, or stand for others.
  const not = ["ProtocolError", "OffsetOutOfRange", "MemberIdRequired", "CreateTopicError"];
  const skipped = /Aggregate|NumberOfRetries|DeleteTopicRecords|AlterPartition|DeleteGroups/;
  const retriable = Object.entries(classes).filter(([name, Class]) =>
    Class.prototype instanceof classes.KafkaJSError! && !not.some((end) => name.endsWith(end)) &&
    !skipped.test(name) && isRetriable(new Class("failed", {}))
  );
  assertEquals(retriable.map(([name]) => name.slice("KafkaJS".length)).toSorted(), [
    "BrokerNotFound",
    "ConnectionClosedError",
    "ConnectionError",
    "GroupCoordinatorNotFound",
    "LockTimeout",
    "MetadataNotLoaded",
    "NoBrokerAvailableError",
    "RequestTimeoutError",
    "StaleTopicMetadataAssignment",
    "Timeout",
    "TopicMetadataNotLoaded",
  ]);
});

Deno.test("isConnectionFailure() tells a failure on the way from one of what was asked", () => {
  assertEquals(isConnectionFailure(exhausted(errors[0]![1])), true);
  assertEquals(isConnectionFailure(createErrorFromCode(6)), false);
});

Deno.test("toKafkaError() names the first of several failures", () => {
  const several = new kafkajs.KafkaJSAggregateError("Topic creation errors", [
    createErrorFromCode(37),
  ]);
  const { message } = toKafkaError(
    "Cannot create",
    make("NonRetriableError", several, { cause: several }),
  );
  assertEquals(message, "Cannot create: Number of partitions is invalid (INVALID_PARTITIONS)");
});
