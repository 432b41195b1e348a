import type { ProducerState } from "../records/batch_writer.ts";

/** The id that a broker gave to an idempotent producer. */
export type ProducerId = Pick<ProducerState, "producerId" | "producerEpoch">;

/** Sequence numbers are below this, and begin again. */
const SEQUENCES = 2 ** 31;

/**
 * Numbers the batches of each partition, so that a broker stores one once however often it is sent.
 *
 * - A batch has the same numbers until it is known to be stored, or certainly is not: whoever sends it again
 *   sends the same records.
 * - A partition whose last batch was given up, of which nobody may know what became, goes on with an id that
 *   it has never had: with the old one the broker could take the next batch for that one. The id stands in
 *   each batch, so that others keep theirs.
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

  /** Returns the numbers of the next batch of a partition. */
  of(partition: number): ProducerState {
    const { id, next } = this.#partitions.getOrInsertComputed(
      partition,
      () => ({ id: this.#id!, next: 0 }),
    );
    return { ...id, baseSequence: next };
  }

  /** The next batch of a partition, with so many records, is stored. */
  stored(partition: number, count: number): void {
    const numbers = this.#partitions.get(partition)!;
    numbers.next = (numbers.next + count) % SEQUENCES;
  }

  /** The next batch of a partition is given up, or the broker does not know the numbers before it. */
  renew(partition: number): void {
    if (this.#partitions.delete(partition)) this.#id = undefined;
  }
}
