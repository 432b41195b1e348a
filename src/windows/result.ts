/**
 * What a window gives to the handler.
 *
 * - `id` stays the same over revisions; one `(id, revision)` has one content, also after a crash. A result may come
 *   more than once: the sink that keeps the greatest revision of each `id` has the truth.
 *
 * @typeParam K The key.
 * @typeParam V The value of the aggregates.
 */
export interface WindowResult<K, V> {
  /** The key of its messages. */
  readonly key: K;
  /** When it begins, in milliseconds since the epoch: included. */
  readonly start: number;
  /** When it ends: excluded. A sliding window includes the time of its message, which is its end. */
  readonly end: number;
  /** The results of the aggregates. */
  readonly value: V;
  /**
   * Its name: the partition (`*` where windows have messages of all; of a merge also the source), the key, and the
   * start.
   */
  readonly id: string;
  /** Counts the results of this `id`, from 1. */
  readonly revision: number;
  /** True for a result given when the window had closed; one may follow where late messages are accepted. */
  readonly final: boolean;
  /** Other ids that were given before and are part of this one now: sessions that were merged. Delete them. */
  readonly replaces: readonly string[];
  /** The number of a count window among those of its key, from 0. */
  readonly index?: number;
  /** True when a correction has taken its last message away: then nothing is left of it. */
  readonly empty?: boolean;
}

/** What is kept of a message that is late: of a `Message` of a Topic its fields. */
export type LateMessage<M> = M extends
  { readonly topic: string; readonly partition: number; readonly offset: number }
  ? Pick<M, Extract<"topic" | "partition" | "offset" | "timestamp" | "key" | "value", keyof M>>
  : M;

/**
 * A message that came when windows for it had closed.
 *
 * @typeParam M The messages.
 * @typeParam K Their keys.
 */
export interface Late<M, K = unknown> {
  /** The message: a copy. */
  readonly message: LateMessage<M>;
  /** The key. */
  readonly key: K;
  /** Its time, in milliseconds since the epoch. */
  readonly time: number;
  /** How far its time is behind the watermark of its partition, in milliseconds. */
  readonly latenessMs: number;
  /** The name of its source. */
  readonly source: string;
  /** The partition there. */
  readonly partition: number;
  /** The position after it in its source, where there is one. */
  readonly position: unknown;
  /** The windows that it is missing in; none for sessions and sliding windows. */
  readonly windows: readonly { readonly start: number; readonly end: number }[];
}
