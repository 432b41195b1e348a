/** Where a {@linkcode KafkaError} happened. */
export interface KafkaErrorPlace {
  /** The topic. */
  topic?: string | undefined;
  /** The partition. */
  partition?: number | undefined;
  /** The key of the record, as text. */
  key?: string | undefined;
  /** Whether a retry may succeed. */
  retriable?: boolean | undefined;
  /** What the client library reported. */
  cause?: unknown;
}

/** The brokers refused something, or could not be reached in time. */
export class KafkaError extends Error {
  /** The name of the class. */
  override readonly name = "KafkaError";
  /** The topic, where one is concerned. */
  readonly topic: string | undefined;
  /** The partition, where one is concerned. */
  readonly partition: number | undefined;
  /** The key of the record, as text, where one record is concerned. */
  readonly key: string | undefined;
  /** Whether a retry may succeed. */
  readonly retriable: boolean;

  /** Makes the error. */
  constructor(message: string, place: KafkaErrorPlace = {}) {
    super(message, { cause: place.cause });
    this.topic = place.topic;
    this.partition = place.partition;
    this.key = place.key;
    this.retriable = place.retriable ?? false;
  }
}
