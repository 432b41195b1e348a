import { abortable, type Clock, systemClock, withDeadline } from "../../clock.ts";
import type { Producer, ProducerOptions, ProducerRecord, RecordPlace } from "../client/broker.ts";
import { KafkaError } from "../client/errors.ts";
import { checkRecord, inWords, keyText, type TopicLimits } from "../client/record_check.ts";
import type { BrokerStatus } from "../client/status.ts";
import { BatchQueue, type Entry } from "./batch_queue.ts";
import type { Client } from "./client.ts";
import { createCluster } from "./cluster.ts";
import { type Answered, Deliveries, NO_ANSWER } from "./deliveries.ts";
import { isRetriable, toKafkaError } from "./failures.ts";
import { type Batch, MAX_IN_FLIGHT } from "./partition_queue.ts";
import { Sender } from "./sender.ts";
import { Sequences } from "./sequences.ts";

/** The most bytes of a batch, as Java's `max.request.size`, also where a topic takes more. */
const MAX_REQUEST_BYTES = 1_048_576;

/**
 * An attempt to send may take so many times as long as an answer: to learn who leads, to connect, and to send. After that
 * another client takes over, whatever this one waits for.
 */
const ANSWERS = 3;

/** A client that is connected, or just being. */
interface Opened extends Client {
  readonly connected: Promise<Sender>;
}

/** Says what a topic takes now. */
export type LimitsOf = () => Promise<TopicLimits>;

/** Writes to one topic, idempotently: each record is stored once, in order, while the producer lives. */
export class KafkaProducer implements Producer {
  readonly #create: () => Client;
  readonly #options: ProducerOptions;
  readonly #limitsOf: LimitsOf;
  readonly #clock: Clock;
  readonly #queue: BatchQueue;
  readonly #deliveries: Deliveries;
  readonly #sequences = new Sequences();
  readonly #ended = new Set<Promise<void>>();
  /** Aborts when what is left is dropped. */
  readonly #dropping = new AbortController();
  #limits: TopicLimits;
  #client: Opened | undefined;
  #sticky = 0;
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
    this.#deliveries = new Deliveries({
      clock,
      deliveryTimeoutMs: options.deliveryTimeoutMs,
      signal: this.#dropping.signal,
      sequences: this.#sequences,
      send: (batches, answered, deadline) => this.#send(batches, answered, deadline),
      refuse: (entry, error, late) => this.#queue.fail(entry, this.#refusal(entry, error, late)),
      tell: (status) => this.#tell(status),
    });
    this.#queue = new BatchQueue({
      ...options,
      clock,
      maxInFlight: MAX_IN_FLIGHT,
      maxBytes: () => Math.min(this.#limits.maxBytes, MAX_REQUEST_BYTES),
      deliver: (batch) => this.#deliveries.deliver(batch),
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

  /** Sends a batch to each of some partitions, once. */
  async #send(
    batches: ReadonlyMap<number, Batch>,
    answered: Answered,
    deadline: number,
  ): Promise<void> {
    this.#dropping.signal.throwIfAborted();
    const abandoned = new AbortController();
    const client = this.#opened();
    const { connected, lifetime, requestTimeoutMs } = client;
    const unused = lifetime.use();
    const send = async () => {
      const sender = await connected;
      await sender.send(batches, answered, abandoned.signal);
      return sender;
    };
    try {
      const leftMs = Math.min(deadline - this.#clock.monotonic(), ANSWERS * requestTimeoutMs);
      const { signal } = this.#dropping;
      const sender = await withDeadline(this.#clock, leftMs, send(), () => NO_ANSWER, signal);
      if (!sender.isConnected) this.#discard(client);
    } catch (error) {
      abandoned.abort(error);
      this.#discard(client);
      throw error;
    } finally {
      unused();
    }
  }

  #opened(): Opened {
    return this.#client ??= this.#connect();
  }

  #connect(): Opened {
    const client = this.#create();
    const connect = async () => {
      const sender = new Sender(
        createCluster(client.kafka),
        this.#options,
        this.#sequences,
        this.#clock,
      );
      try {
        await sender.connect();
      } catch (error) {
        await sender.disconnect().catch(() => {}); // a part of it may be connected
        throw error;
      }
      return sender;
    };
    const unused = client.lifetime.use();
    return { ...client, connected: connect().finally(unused) };
  }

  /** Ends a client, unless another has taken its place, and this one has been ended. */
  #discard(client = this.#client): void {
    if (!client || client !== this.#client) return;
    this.#client = undefined;
    const { connected, lifetime } = client;
    const disconnected = connected.then((open) => open.disconnect());
    const ended = lifetime.close(this.#clock, disconnected);
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
