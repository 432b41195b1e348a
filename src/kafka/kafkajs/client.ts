import "./compression.ts";
import "./repairs.ts";
import kafkajs from "kafkajs";
import type { Admin, Kafka, KafkaConfig } from "kafkajs";
import { type Clock, delay } from "../../clock.ts";
import type { ConnectionOptions } from "../connection.ts";
import { KafkaError } from "../errors.ts";
import type { BrokerStatus } from "../status.ts";
import { isRefused, toKafkaError } from "./failures.ts";

/** Tries again without end: kafkajs never resets its budget, and gives up on the whole when it is used up. */
export const ENDLESS = { retries: 1e6, initialRetryTime: 100, maxRetryTime: 1_000 };

/** Makes the client; nothing is connected yet. */
export function createClient(options: ConnectionOptions): Kafka {
  const {
    brokers = [],
    clientId = "slipstream",
    connectionTimeout = 1_000,
    authenticationTimeout = 10_000,
    requestTimeout = 30_000,
    ssl = false,
    sasl,
  } = options;
  const config = {
    brokers,
    clientId,
    connectionTimeout,
    authenticationTimeout,
    requestTimeout,
    ssl,
    ...(sasl !== undefined && { sasl }),
    retry: { retries: 3, initialRetryTime: 100, maxRetryTime: 1_000 },
    logLevel: kafkajs.logLevel.NOTHING,
  };
  return new kafkajs.Kafka(config as KafkaConfig);
}

/** With what {@linkcode reach} tries. */
export interface ReachOptions {
  /** The time. */
  readonly clock: Clock;
  /** The addresses, for the error. */
  readonly brokers: readonly string[];
  /** How many milliseconds to try. */
  readonly startTimeoutMs: number;
  /** Is told that the brokers are away. */
  readonly status?: ((status: BrokerStatus) => void) | undefined;
  /** Ends the trying. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Connects an administrative client, trying again with growing pauses while the brokers do not answer.
 *
 * @throws {KafkaError} At once when they refuse us (authentication, certificate); else after
 * `startTimeoutMs`.
 */
export async function reach(kafka: Kafka, options: ReachOptions): Promise<Admin> {
  const { clock, brokers, startTimeoutMs, status, signal } = options;
  const deadline = clock.now() + startTimeoutMs;
  for (let pause = 100, failed = false;; pause = Math.min(pause * 2, 2_000)) {
    signal?.throwIfAborted();
    const admin = kafka.admin({ retry: { retries: 0 } });
    try {
      await admin.connect();
      if (failed) status?.({ type: "back" });
      await admin.disconnect();
      const lasting = kafka.admin();
      await lasting.connect();
      return lasting;
    } catch (error) {
      await admin.disconnect().catch(() => {});
      if (isRefused(error)) throw toKafkaError(`Cannot connect to ${brokers}`, error);
      if (!failed) status?.({ type: "away", error });
      failed = true;
      if (clock.now() + pause > deadline) {
        const { message } = toKafkaError(`after ${startTimeoutMs} ms`, error);
        throw new KafkaError(`Cannot connect to ${brokers} ${message}`, {
          retriable: true,
          cause: error,
        });
      }
      await delay(clock, pause, signal);
    }
  }
}
