import type { SinkPort } from "../../flow/source/feed.ts";
import type { Correction } from "../../types.ts";
import type { Producer, ProducerRecord } from "../client/broker.ts";
import { DeadLetters, isFlowFailure } from "./dead_letter.ts";
import type { TopicInput } from "./outgoing.ts";

/** The header of results of messages that were handled again; its value is the epoch of the correction. */
const CORRECTION_HEADER = "slipstream-correction";

const encoder = new TextEncoder();

/** With what a {@linkcode TopicSink} writes. */
export interface SinkContext<K, V> {
  /** Opens the producer; called once, at the first value. */
  readonly open: () => Promise<Producer>;
  /** Turns a value into a record. */
  readonly toRecord: (output: TopicInput<K, V>) => ProducerRecord | Promise<ProducerRecord>;
  /** Is called when the writing has ended. */
  readonly closed: () => void;
  /** How long the brokers may be away. */
  readonly deliveryTimeoutMs: number;
  /** Aborts at the hard end: what is not confirmed is dropped. */
  readonly signal: AbortSignal;
}

/**
 * A topic while flows write to it: records are batched, in order, and are confirmed by `flush()`.
 *
 * A value that can be seen to be refused (its partition, its size, its codec) throws in `write()`. One that
 * the brokers refuse later fails every `flush()` from then on: no acknowledgement may go out for its source.
 *
 * While the brokers are away `flush()` waits for them, up to `deliveryTimeout`.
 */
export class TopicSink<K, V> implements SinkPort<TopicInput<K, V>> {
  /** See `SinkPort`. */
  readonly patienceMs: number;
  readonly #context: SinkContext<K, V>;
  readonly #letters = new DeadLetters();
  #opening: Promise<Producer> | undefined;
  #producer: Producer | undefined;

  /** Opens nothing before the first value. */
  constructor(context: SinkContext<K, V>) {
    this.#context = context;
    this.patienceMs = context.deliveryTimeoutMs;
  }

  /** Takes one value; a promise is backpressure. */
  write(output: TopicInput<K, V>): void | Promise<void> {
    if (!isFlowFailure(output)) return this.#take(output);
    return this.#letters.once(output, () => this.#take(output));
  }

  #take(output: TopicInput<K, V>): void | Promise<void> {
    const record = this.#context.toRecord(output);
    if (this.#producer && !(record instanceof Promise)) return this.#producer.add(record);
    return this.#write(record);
  }

  /** Takes the result of a message that is handled again: a header of its record says so. */
  correct(output: TopicInput<K, V>, { epoch }: Correction): void | Promise<void> {
    if (isFlowFailure(output)) return this.write(output); // an error is not a result of a message
    const mark = (record: ProducerRecord): ProducerRecord => ({
      ...record,
      headers: [...record.headers, [CORRECTION_HEADER, encoder.encode(String(epoch))]],
    });
    const record = this.#context.toRecord(output);
    return this.#write(record instanceof Promise ? record.then(mark) : mark(record));
  }

  async #write(record: ProducerRecord | Promise<ProducerRecord>): Promise<void> {
    this.#producer ??= await (this.#opening ??= this.#open());
    await this.#producer.add(await record);
  }

  #open(): Promise<Producer> {
    return this.#context.open().catch((error) => {
      this.#opening = undefined;
      throw error;
    });
  }

  /** Resolves when everything taken so far is confirmed. */
  async flush(): Promise<void> {
    await this.#producer?.flush();
  }

  /** Ends writing; at the hard end it waits for nothing. */
  async close(): Promise<void> {
    const producer = this.#producer ?? await this.#opening?.catch(() => undefined);
    await producer?.close(this.#context.signal);
    this.#context.closed();
  }
}
