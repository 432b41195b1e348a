import { abortable, type Clock, delay, systemClock, withDeadline } from "../../clock.ts";
import type { Producer, ProducerOptions, ProducerRecord, RecordPlace } from "../client/broker.ts";
import { KafkaError } from "../client/errors.ts";
import { checkRecord, inWords, keyText, type TopicLimits } from "../client/record_check.ts";
import type { BrokerStatus } from "../client/status.ts";
import { BatchQueue, type Entry } from "./batch_queue.ts";
import type { Client } from "./client.ts";
import { createCluster } from "./cluster.ts";
import { isRetriable, toKafkaError, typeOf } from "./failures.ts";
import type { Outcome } from "./produce_request.ts";
import { Sender } from "./sender.ts";
import { Sequences } from "./sequences.ts";

/** The most bytes of a batch, as Java's `max.request.size`, also where a topic takes more. */
const MAX_REQUEST_BYTES = 1_048_576;

/** Refusals that may concern one record of a batch only: the batch is halved until that one is alone. */
const OF_ONE_RECORD = [
  "MESSAGE_TOO_LARGE",
  "RECORD_LIST_TOO_LARGE",
  "INVALID_RECORD",
  "INVALID_TIMESTAMP",
];

/** Refusals of a batch whose number does not follow that of the last one that the broker knows of. */
const OF_NUMBERS = [
  "OUT_OF_ORDER_SEQUENCE_NUMBER",
  "UNKNOWN_PRODUCER_ID",
  "INVALID_PRODUCER_EPOCH",
];

const NO_ANSWER = new KafkaError("no answer", { retriable: true });

/** A client that is connected, or just being. */
interface Opened extends Pick<Client, "lifetime"> {
  readonly connected: Promise<Sender>;
}

/** Says what a topic takes now. */
export type LimitsOf = () => Promise<TopicLimits>;

/**
 * Writes to one topic, idempotently: one batch at a time, to all of its partitions at once.
 *
 * What a broker has refused, or has not answered, is sent again with the same sequence numbers, and nothing
 * else is: what was stored and not answered is stored once.
 */
export class KafkaProducer implements Producer {
  readonly #create: () => Client;
  readonly #options: ProducerOptions;
  readonly #limitsOf: LimitsOf;
  readonly #clock: Clock;
  readonly #queue: BatchQueue;
  readonly #sequences = new Sequences();
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

  /** Sends a batch until all of it is confirmed, refused or too late. Entries that fail are failed one by one. */
  async #deliver(entries: readonly Entry[]): Promise<void> {
    const deadline = this.#clock.monotonic() + this.#options.deliveryTimeoutMs;
    /** The batches of each partition that are left, in order. */
    const left = new Map<number, (readonly Entry[])[]>();
    for (const [partition, batch] of Map.groupBy(entries, (entry) => entry.partition)) {
      left.set(partition, [batch]);
    }
    for (let pause = 100; left.size > 0;) {
      const outcomes = await this.#write(left, deadline);
      const late = this.#clock.monotonic() + pause >= deadline;
      let again: Outcome | undefined;
      for (const [partition, batches] of left) {
        const outcome = outcomes.get(partition) ?? { error: NO_ANSWER };
        if (this.#settle(partition, batches, outcome, late)) again ??= outcome;
        if (batches.length === 0) left.delete(partition);
      }
      if (again === undefined) {
        const stored = outcomes.values().some(({ offset }) => offset !== undefined);
        if (this.#away && stored) this.#tell({ type: "back" });
        this.#away &&= !stored;
        continue;
      }
      if (!this.#away) this.#tell({ type: "away", error: again.error });
      this.#away = true;
      await delay(this.#clock, pause, this.#dropping.signal).catch(() => {});
      pause = Math.min(pause * 2, 2_000);
    }
  }

  /** Confirms, fails or halves the first of the batches of a partition; returns whether it is to be sent again. */
  #settle(
    partition: number,
    batches: (readonly Entry[])[],
    { offset, error }: Outcome,
    late: boolean,
  ): boolean {
    const batch = batches[0]!;
    if (offset !== undefined) {
      this.#sequences.stored(partition, batch.length);
      for (const [i, entry] of batch.entries()) {
        entry.confirm?.({ partition, offset: offset < 0 ? offset : offset + i });
      }
      batches.shift();
      return false;
    }
    const type = typeOf(error) ?? "";
    if (batch.length > 1 && OF_ONE_RECORD.includes(type)) {
      const half = batch.length >> 1;
      batches.splice(0, 1, batch.slice(0, half), batch.slice(half));
      return false;
    }
    const renews = OF_NUMBERS.includes(type);
    const again = !late && (renews || isRetriable(error));
    if (renews || !again) this.#sequences.renew(partition);
    if (again) return true;
    for (const entry of batch) this.#queue.fail(entry, this.#refusal(entry, error, late));
    batches.shift();
    return false;
  }

  /** Sends the first batch to each partition, once, and returns what became of each. */
  async #write(
    left: ReadonlyMap<number, readonly (readonly Entry[])[]>,
    deadline: number,
  ): Promise<ReadonlyMap<number, Outcome>> {
    const records = new Map(
      left.entries().map(([partition, [batch]]) => [partition, batch!.map((it) => it.record)]),
    );
    const outcomes = new Map<number, Outcome>();
    const abandoned = new AbortController();
    const { connected, lifetime } = this.#opened();
    const unused = lifetime.use();
    const send = async () => {
      this.#dropping.signal.throwIfAborted();
      const sender = await connected;
      await sender.send(records, outcomes, abandoned.signal);
      return sender;
    };
    try {
      const leftMs = deadline - this.#clock.monotonic();
      const { signal } = this.#dropping;
      const sender = await withDeadline(this.#clock, leftMs, send(), () => NO_ANSWER, signal);
      if (!sender.isConnected) this.#discard();
      return outcomes;
    } catch (error) {
      abandoned.abort(error);
      this.#discard();
      // A copy: what is answered later comes too late.
      return new Map(
        left.keys().map((partition) => [
          partition,
          outcomes.get(partition) ?? { error },
        ]),
      );
    } finally {
      unused();
    }
  }

  #opened(): Opened {
    return this.#client ??= this.#connect();
  }

  #connect(): Opened {
    const { kafka, lifetime } = this.#create();
    const connect = async () => {
      const sender = new Sender(
        createCluster(kafka),
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
    const unused = lifetime.use();
    return { connected: connect().finally(unused), lifetime };
  }

  #discard(): void {
    const client = this.#client;
    this.#client = undefined;
    if (!client) return;
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
