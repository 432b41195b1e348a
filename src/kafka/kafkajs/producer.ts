import type { Buffer } from "node:buffer";
import type { Message, Producer as Connected } from "kafkajs";
import kafkajs from "kafkajs";
import { type Clock, delay, systemClock } from "../../clock.ts";
import type { Producer, ProducerOptions, ProducerRecord, RecordPlace } from "../client/broker.ts";
import { KafkaError } from "../client/errors.ts";
import { checkRecord, inWords, keyText, type TopicLimits } from "../client/record_check.ts";
import { abortable } from "../client/patience.ts";
import type { BrokerStatus } from "../client/status.ts";
import { BatchQueue, type Entry } from "./batch_queue.ts";
import { toBuffer } from "./buffer.ts";
import type { Client } from "./client.ts";
import { compressionTypes } from "./compression.ts";
import { CONFIRM, type Confirm, type Confirmable } from "./confirmations.ts";
import { isRetriable, toKafkaError, typeOf } from "./failures.ts";
import { NULL_HEADER } from "./repairs.ts";

/** Few attempts inside the client: what it gives up on goes through a new one. */
const FEW = { retries: 2, initialRetryTime: 100, maxRetryTime: 1_000 };

/** The most bytes of a batch, as Java's `max.request.size`, also where a topic takes more. */
const MAX_REQUEST_BYTES = 1_048_576;

/** Refusals that may concern one record of a batch only: the batch is halved until that one is alone. */
const OF_ONE_RECORD = [
  "MESSAGE_TOO_LARGE",
  "RECORD_LIST_TOO_LARGE",
  "INVALID_RECORD",
  "INVALID_TIMESTAMP",
];

const NO_LEADER = new KafkaError("the partition has no leader", { retriable: true });

/** A client that is connected, or just being. */
interface Opened extends Pick<Client, "lifeline"> {
  readonly connected: Promise<Connected>;
}

/** Says what a topic takes now. */
export type LimitsOf = () => Promise<TopicLimits>;

/**
 * Writes to one topic through a kafkajs producer: idempotent, one batch at a time.
 *
 * After a batch failed its client is thrown away, and what is unconfirmed, nothing else, is sent again, in
 * order, by a new one: kafkajs reuses the sequence numbers of a failed batch, and the broker would take the next
 * batch for a repetition of it and drop it.
 */
export class KafkaProducer implements Producer {
  readonly #create: () => Client;
  readonly #options: ProducerOptions;
  readonly #limitsOf: LimitsOf;
  readonly #clock: Clock;
  readonly #queue: BatchQueue;
  readonly #ended = new Set<Promise<void>>();
  /** Aborts when what is left is dropped. */
  readonly #dropping = new AbortController();
  #limits: TopicLimits;
  #client: Opened | undefined;
  #sticky = 0;
  #away = false;
  /** Is called when the producer is closed, which waits for it. */
  ended: () => Promise<void> = () => Promise.resolve();

  private constructor(
    create: () => Client,
    options: ProducerOptions,
    limits: TopicLimits,
    limitsOf: LimitsOf,
    clock: Clock,
  ) {
    this.#create = create;
    this.#options = options;
    this.#limits = limits;
    this.#limitsOf = limitsOf;
    this.#clock = clock;
    this.#queue = new BatchQueue({
      ...options,
      clock,
      maxBytes: () => Math.min(this.#limits.maxBytes, MAX_REQUEST_BYTES),
      deliver: (batch) => this.#deliver(batch),
    });
  }

  /** Opens a producer, connected. */
  static async open(
    create: () => Client,
    options: ProducerOptions & { signal: AbortSignal },
    limitsOf: LimitsOf,
    clock: Clock = systemClock,
  ): Promise<KafkaProducer> {
    const { topic, signal } = options;
    const limits = await abortable(limitsOf(), signal);
    const producer = new KafkaProducer(create, options, limits, limitsOf, clock);
    try {
      await abortable(producer.#opened().connected, signal);
    } catch (error) {
      producer.#discard();
      signal.throwIfAborted();
      throw toKafkaError(`Cannot open a producer for topic "${topic}"`, error, { topic });
    }
    return producer;
  }

  /** Writes one record and resolves when it is confirmed. */
  async send(record: ProducerRecord): Promise<RecordPlace> {
    return await this.#queue.confirmed(await this.#entry(record));
  }

  /** Takes one record for the next batch. */
  add(record: ProducerRecord): void | Promise<void> {
    if (record.partition !== undefined && record.partition >= this.#limits.partitions) {
      return this.#entry(record).then((entry) => this.#queue.add(entry));
    }
    return this.#queue.add(this.#checked(record));
  }

  /** Resolves when everything that was added before this call is confirmed. */
  flush(): Promise<void> {
    return this.#queue.flush();
  }

  /** Sends what is left, and ends; when `signal` aborts, what is left is dropped. */
  async close(signal?: AbortSignal): Promise<void> {
    const drop = () => this.#dropping.abort(new KafkaError("the producer was closed at once"));
    this.ended();
    if (signal?.aborted) drop();
    signal?.addEventListener("abort", drop, { once: true });
    await this.#queue.close();
    signal?.removeEventListener("abort", drop);
    this.#discard();
    await Promise.all([this.ended(), ...this.#ended]);
  }

  /** Checks a record; one for a partition that is not known asks once more how many there are. */
  async #entry(record: ProducerRecord): Promise<Entry> {
    if (record.partition !== undefined && record.partition >= this.#limits.partitions) {
      this.#limits = await this.#limitsOf();
    }
    return this.#checked(record);
  }

  #checked(record: ProducerRecord): Entry {
    const { compression } = this.#options;
    if (this.#queue.startsBatch) this.#sticky = (this.#sticky + 1) % this.#limits.partitions;
    return checkRecord(record, this.#limits, this.#sticky, compression);
  }

  /** Sends a batch until it is confirmed, refused or too late. Entries that fail are failed one by one. */
  async #deliver(
    entries: readonly Entry[],
    deadline = this.#clock.monotonic() + this.#options.deliveryTimeoutMs,
  ): Promise<void> {
    let batch = entries;
    for (let pause = 100;; pause = Math.min(pause * 2, 2_000)) {
      const { left, error } = await this.#write(batch, deadline);
      if (left.length === 0) break;
      batch = left;
      if (batch.length > 1 && OF_ONE_RECORD.includes(typeOf(error) ?? "")) {
        const half = batch.length >> 1;
        await this.#deliver(batch.slice(0, half), deadline);
        return await this.#deliver(batch.slice(half), deadline);
      }
      const late = this.#clock.monotonic() + pause >= deadline;
      if (late || !isRetriable(error)) {
        for (const entry of batch) this.#queue.fail(entry, this.#refusal(entry, error, late));
        return;
      }
      if (!this.#away) this.#tell({ type: "away", error });
      this.#away = true;
      await delay(this.#clock, pause, this.#dropping.signal).catch(() => {});
    }
    if (this.#away) this.#tell({ type: "back" });
    this.#away = false;
  }

  /** Sends a batch and confirms the entries that were stored; returns the others, and why they were not. */
  async #write(
    batch: readonly Entry[],
    deadline: number,
  ): Promise<{ left: readonly Entry[]; error: unknown }> {
    const { topic, compression } = this.#options;
    const next = new Map<number, number>();
    const confirm: Confirm = (partition, baseOffset) => void next.set(partition, baseOffset);
    const { connected, lifeline } = this.#opened();
    const unused = lifeline.use();
    const send = async () => {
      this.#dropping.signal.throwIfAborted();
      const client = await connected;
      const results = await client.send({
        topic,
        acks: -1,
        compression: compressionTypes[compression],
        messages: batch.map((entry) => toMessage(entry, confirm)),
      });
      for (const { partition, baseOffset } of results) confirm(partition, Number(baseOffset));
    };
    let failure: { error: unknown } | undefined;
    try {
      await within(this.#clock, deadline, abortable(send(), this.#dropping.signal));
    } catch (error) {
      failure = { error };
    } finally {
      unused();
    }
    const left = batch.filter((entry) => {
      const offset = next.get(entry.partition);
      if (offset === undefined) return true;
      next.set(entry.partition, offset + 1);
      entry.confirm?.({ partition: entry.partition, offset });
      return false;
    });
    // Also where all was stored, at different attempts: kafkajs has counted none of it.
    if (failure !== undefined || left.length > 0) this.#discard();
    // kafkajs drops what goes to a partition that it has not heard of yet.
    const { error } = failure ?? { error: NO_LEADER };
    return { left, error };
  }

  #opened(): Opened {
    return this.#client ??= this.#connect();
  }

  #connect(): Opened {
    const { kafka, lifeline } = this.#create();
    const connect = async () => {
      const client = kafka.producer({
        idempotent: true,
        allowAutoTopicCreation: false,
        createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
        retry: { ...FEW, retries: lifeline.retries(FEW.retries) },
      });
      try {
        await client.connect();
      } catch (error) {
        await client.disconnect().catch(() => {}); // a part of it may be connected
        throw error;
      }
      return client;
    };
    const unused = lifeline.use();
    return { connected: connect().finally(unused), lifeline };
  }

  #discard(): void {
    const client = this.#client;
    this.#client = undefined;
    if (!client) return;
    const { connected, lifeline } = client;
    const disconnected = connected.then((open) => open.disconnect());
    const ended = lifeline.close(this.#clock, disconnected);
    this.#ended.add(ended);
    ended.then(() => this.#ended.delete(ended));
  }

  /** Tells of the brokers; what that throws ends the producer. */
  #tell(status: BrokerStatus): void {
    try {
      this.#options.status?.(status);
    } catch (error) {
      this.#queue.end(error as Error);
    }
  }

  #refusal({ record, partition }: Entry, error: unknown, late: boolean): KafkaError {
    const { topic, deliveryTimeoutMs } = this.#options;
    const key = keyText(record.key);
    const what = `Cannot send ${inWords(key)} to topic "${topic}" partition ${partition}`;
    const when = late && isRetriable(error) ? ` within ${deliveryTimeoutMs} ms` : "";
    const place = { topic, partition, key };
    if (!(error instanceof KafkaError)) return toKafkaError(what + when, error, place);
    const { retriable, message } = error; // one of ours, which names no record
    return new KafkaError(`${what}${when}: ${message}`, { retriable, ...place, cause: error });
  }
}

function toMessage({ record, partition }: Entry, confirm: Confirm): Message & Confirmable {
  const { key, value, headers, timestamp } = record;
  return {
    [CONFIRM]: confirm,
    key: key && toBuffer(key),
    value: value && toBuffer(value),
    partition,
    ...(timestamp !== undefined && { timestamp: String(timestamp) }),
    ...(headers.length > 0 && { headers: toHeaders(headers) }),
  };
}

function toHeaders(headers: ProducerRecord["headers"]): Record<string, Buffer[]> {
  const grouped: Record<string, Buffer[]> = Object.create(null);
  for (const [name, value] of headers) {
    (grouped[name] ??= []).push(value === null ? NULL_HEADER : toBuffer(value));
  }
  return grouped;
}

async function within<T>(clock: Clock, deadline: number, promise: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const cancel = clock.timer(
    () => reject(new KafkaError("no answer", { retriable: true })),
    Math.max(0, deadline - clock.monotonic()),
  );
  promise.catch(() => {});
  try {
    return await Promise.race([promise, late]);
  } finally {
    cancel();
  }
}
