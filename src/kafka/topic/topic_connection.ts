import { runDetached } from "../../flow/run/current.ts";
import type {
  AskOptions,
  Broker,
  Producer,
  ProducerRecord,
  RecordPlace,
  TopicSpec,
} from "../client/broker.ts";
import { KafkaBroker } from "../kafkajs/broker.ts";
import type { Settings } from "./options.ts";
import { linked, type LinkedSignal } from "../../clock.ts";

/**
 * The way of one topic to its brokers: nothing is connected before the first use.
 *
 * - Each call is waited for until its own signal aborts, or {@linkcode TopicConnection.end} is called.
 */
export class TopicConnection<K, V> {
  readonly #topic: string;
  readonly #settings: Settings<K, V>;
  readonly #ended = new AbortController();
  #broker: Broker | undefined;
  #exists = false;

  /** Connects nothing yet. */
  constructor(topic: string, settings: Settings<K, V>) {
    this.#topic = topic;
    this.#settings = settings;
  }

  /**
   * Returns the broker when the topic exists, or may be created by whoever uses it.
   *
   * @throws The signal's reason, as soon as it aborts.
   */
  open(signal?: AbortSignal): Promise<Broker> {
    return runDetached(() => this.#open(signal)); // what lives on belongs to no message
  }

  async #open(signal?: AbortSignal): Promise<Broker> {
    const broker = this.#own();
    if (this.#settings.allowAutoTopicCreation && !this.#exists) {
      using until = this.#until(signal);
      await this.#create(broker, until);
      this.#exists = true;
    }
    return broker;
  }

  async #create(broker: Broker, options: AskOptions): Promise<void> {
    try {
      await broker.partitions(this.#topic, options);
    } catch (error) {
      options.signal?.throwIfAborted();
      if ((error as { retriable?: boolean }).retriable) throw error;
      await broker.ensure(this.#topic, {}, options);
    }
  }

  /** Creates the topic if it is missing. */
  ensure(spec: TopicSpec): Promise<boolean> {
    return this.#own().ensure(this.#topic, spec, { signal: this.#ended.signal });
  }

  /** Opens a writer to the topic. */
  openProducer(lingerMs: number, signal?: AbortSignal): Promise<Producer> {
    return runDetached(() => this.#openProducer(lingerMs, signal));
  }

  async #openProducer(lingerMs: number, signal?: AbortSignal): Promise<Producer> {
    const topic = this.#topic;
    const { dry, onStatus: status } = this.#settings;
    if (dry) return dryProducer(({ key, value }) => status?.({ type: "dry", topic, key, value }));
    const broker = await this.open(signal);
    using until = this.#until(signal);
    return await broker.producer({
      ...this.#settings,
      topic,
      lingerMs,
      deliveryTimeoutMs: this.#settings.deliveryTimeout,
      startTimeoutMs: this.#settings.startTimeout,
      status,
      signal: until.signal,
    });
  }

  /** Nobody waits for a connection any more, and nobody gets one. */
  end(): void {
    this.#ended.abort(this.#closedError());
  }

  /** Disconnects; a broker that was given stays open. */
  async close(): Promise<void> {
    await this.#broker?.close();
  }

  /**
   * Checks that it has not ended.
   *
   * @throws {TypeError} If it has.
   */
  checkOpen(): void {
    if (this.#ended.signal.aborted) throw this.#closedError();
  }

  #closedError(): TypeError {
    return new TypeError(`Cannot use topic "${this.#topic}" as it is closed`);
  }

  /** The broker that was given, or one of its own. */
  #own(): Broker {
    this.checkOpen();
    const { broker, brokers } = this.#settings;
    if (broker) return broker;
    if (brokers) return this.#broker ??= new KafkaBroker(this.#settings);
    throw new TypeError(`Cannot reach topic "${this.#topic}": give it "brokers" or a "broker"`);
  }

  #until(signal: AbortSignal | undefined): LinkedSignal {
    return linked([this.#ended.signal, signal]);
  }
}

/** The place of a record that was not sent. */
const NOWHERE: RecordPlace = { partition: -1, offset: -1 };

/** A producer that sends nothing, and tells what it would send. */
function dryProducer(tell: (record: ProducerRecord) => void): Producer {
  return {
    send: (record) => Promise.try(() => tell(record)).then(() => NOWHERE),
    add: (record) => tell(record),
    flush: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}
