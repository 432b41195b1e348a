import "./internals.ts";
import "./repairs.ts";
import kafkajs from "kafkajs";
import type { Admin, Kafka, KafkaConfig } from "kafkajs";
import { type Clock, delay } from "../../clock.ts";
import type { ConnectionOptions } from "../client/connection.ts";
import type { ReadTopicOptions } from "../topic/check_options.ts";
import { KafkaError } from "../client/errors.ts";
import { createCluster, versionsOf } from "./cluster.ts";
import { isRefused, toKafkaError } from "./failures.ts";
import { ClientLifetime } from "./client_lifetime.ts";
import type { Attempt } from "./shared_connect.ts";
import { checkVersions } from "./versions.ts";

/** A kafkajs, and what ends it. */
export interface Client {
  /** Makes producers, consumers and administrative clients. */
  readonly kafka: Kafka;
  /** Ends all that it has made. */
  readonly lifetime: ClientLifetime;
  /** How long a broker may take to answer, in milliseconds. */
  readonly requestTimeoutMs: number;
}

/** Tries again without end: kafkajs never resets its budget, and gives up on the whole when it is used up. */
export const ENDLESS = { retries: 1e6, initialRetryTime: 100, maxRetryTime: 1_000 };

/** How to reach the brokers, with durations in milliseconds. */
type Connection = ReadTopicOptions<ConnectionOptions>;

/**
 * Makes the client; nothing is connected yet. What it asks is repeated `retries` times, and more often
 * where that is what it takes to try each address: kafkajs goes from one to the next at a repetition.
 */
export function createClient(options: Connection, retries = 3): Client {
  const {
    brokers = [],
    clientId = "slipstream",
    connectionTimeout = 1_000,
    authenticationTimeout = 10_000,
    requestTimeout = 30_000,
    ssl = false,
    sasl,
  } = options;
  const lifetime = new ClientLifetime();
  const config = {
    brokers,
    clientId,
    connectionTimeout,
    authenticationTimeout,
    requestTimeout,
    ssl,
    ...(sasl !== undefined && { sasl }),
    retry: {
      retries: lifetime.retries(Math.max(retries, brokers.length - 1)),
      initialRetryTime: 100,
      maxRetryTime: 1_000,
    },
    socketFactory: lifetime.socketFactory,
    logLevel: kafkajs.logLevel.NOTHING,
  };
  const kafka = new kafkajs.Kafka(config as KafkaConfig);
  return { kafka, lifetime, requestTimeoutMs: requestTimeout };
}

/**
 * Connects an administrative client, trying again with growing pauses while the brokers do not answer.
 *
 * @throws {KafkaError} When they refuse us (authentication, certificate), or are too old.
 */
export async function reach(
  client: Client,
  options: Connection,
  clock: Clock,
  { signal, status }: Attempt,
): Promise<Admin> {
  // Each address is tried once before the brokers are said to be away.
  const scout = createClient(options, 0);
  // Who waits no more does not wait for brokers that take connections and answer nothing.
  const cut = () => {
    scout.lifetime.cut();
    client.lifetime.cut();
  };
  signal.addEventListener("abort", cut, { once: true });
  const used = [scout, client].map(({ lifetime }) => lifetime.use());
  try {
    return await reachBy(scout, client, options, clock, { signal, status });
  } finally {
    signal.removeEventListener("abort", cut);
    for (const end of used) end();
  }
}

async function reachBy(
  scout: Client,
  client: Client,
  { brokers = [] }: Connection,
  clock: Clock,
  { signal, status }: Attempt,
): Promise<Admin> {
  for (let pause = 100, away = false;; pause = Math.min(pause * 2, 2_000)) {
    signal.throwIfAborted();
    const first = createCluster(scout.kafka);
    const lasting = client.kafka.admin();
    try {
      await first.connect();
      checkVersions(brokers, versionsOf(first));
      await lasting.connect();
      signal.throwIfAborted();
      if (away) status({ type: "back" });
      return lasting;
    } catch (error) {
      await lasting.disconnect().catch(() => {});
      if (error instanceof KafkaError) throw error;
      if (isRefused(error)) throw toKafkaError(`Cannot connect to ${brokers}`, error);
      if (signal.aborted) throw signal.reason;
      status({ type: "away", error });
      away = true;
    } finally {
      await first.disconnect().catch(() => {});
    }
    await delay(clock, pause, signal);
  }
}
