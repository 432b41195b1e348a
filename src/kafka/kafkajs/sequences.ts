import type { ProducerState } from "../records/batch_writer.ts";

/** The id that a broker gave to an idempotent producer. */
export type ProducerId = Pick<ProducerState, "producerId" | "producerEpoch">;

/** Sequence numbers are below this, and begin again. */
const SEQUENCES = 2 ** 31;

/**
 * Numbers the batches of each partition, so that a broker stores one once however often it is sent, and stores
 * none before those with lower numbers.
 *
 * - A partition where a batch is missing, since it was given up, goes on with an id that it has never had: with
 *   the old one the broker could take the next batch for that one. The id stands in each batch, so that others
 *   keep theirs.
 */
export class Sequences {
  readonly #partitions = new Map<number, { readonly id: ProducerId; next: number }>();
  /** The id of partitions that have none. */
  #id: ProducerId | undefined;

  /** Returns whether an id must be given before these partitions can be written to. */
  needsId(partitions: Iterable<number>): boolean {
    return this.#id === undefined &&
      !Iterator.from(partitions).every((partition) => this.#partitions.has(partition));
  }

  /** Gives the id of partitions that have none, which none has had. */
  give(id: ProducerId): void {
    this.#id = id;
  }

  /** Returns the numbers of the next batch of a partition, with so many records; undefined without an id. */
  take(partition: number, count: number): ProducerState | undefined {
    if (this.needsId([partition])) return undefined;
    const numbers = this.#partitions.getOrInsertComputed(
      partition,
      () => ({ id: this.#id!, next: 0 }),
    );
    const baseSequence = numbers.next;
    numbers.next = after(baseSequence, count);
    return { ...numbers.id, baseSequence };
  }

  /** A batch of a partition is missing: the next one has another id. */
  renew(partition: number): void {
    if (this.#partitions.delete(partition)) this.#id = undefined;
  }
}

/** Returns the number of the record that is so many after that with the number `sequence`. */
export function after(sequence: number, count: number): number {
  return (sequence + count) % SEQUENCES;
}
