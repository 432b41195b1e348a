import type { Producer, ProducerOptions, ProducerRecord, RecordPlace } from "../client/broker.ts";
import { checkRecord, type TopicLimits } from "../client/record_check.ts";

/** Stores a record and returns its offset. */
export type Append = (partition: number, record: ProducerRecord) => number;

/** Writes to one topic in memory: every record is confirmed at once. */
export class MemoryProducer implements Producer {
  readonly #options: ProducerOptions;
  readonly #limits: () => TopicLimits;
  readonly #append: Append;
  readonly #ended: () => void;
  #written = 0;
  #closed = false;

  /** Writes through `append` what `limits` lets pass; calls `ended` when it is closed. */
  constructor(
    options: ProducerOptions,
    limits: () => TopicLimits,
    append: Append,
    ended: () => void,
  ) {
    this.#options = options;
    this.#limits = limits;
    this.#append = append;
    this.#ended = ended;
  }

  /** Writes one record. */
  send(record: ProducerRecord): Promise<RecordPlace> {
    return Promise.try(() => this.#write(record));
  }

  /** Writes one record. */
  add(record: ProducerRecord): void {
    this.#write(record);
  }

  /** Everything is confirmed already. */
  flush(): Promise<void> {
    return Promise.resolve();
  }

  /** Ends. */
  close(): Promise<void> {
    this.#closed = true;
    this.#ended();
    return Promise.resolve();
  }

  #write(record: ProducerRecord): RecordPlace {
    if (this.#closed) throw new TypeError("Cannot send as the producer is closed");
    const limits = this.#limits();
    const batch = Math.floor(this.#written++ / this.#options.batchSize);
    const { compression } = this.#options;
    const { partition } = checkRecord(record, limits, batch % limits.partitions, compression);
    return { partition, offset: this.#append(partition, record) };
  }
}
