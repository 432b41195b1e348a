import type { BrokerRecord, Records } from "../client/broker.ts";
import type { BatchHead } from "./batch_head.ts";
import type { RecordIndex } from "./record_index.ts";
import type { UndecodableBatchError } from "./undecodable_batch_error.ts";

/**
 * What was fetched from one partition.
 *
 * Keys and values are views of copies of a few kilobytes, so that who keeps one does not keep all of the fetch.
 * Headers are copies.
 */
export class FetchedRecords implements Records {
  /** How many records there are. */
  length = 0;
  /** How many bytes their keys and values have. */
  bytes = 0;
  /** The position after all of it, past batches without records; where it began when there is nothing. */
  next: number;
  /** The heads of the batches, in order, also of those whose records are left out. */
  readonly batches: BatchHead[] = [];
  /** The batch after these that cannot be decoded: nothing from it on was read. */
  failure: UndecodableBatchError | undefined;
  /**
   * How many bytes the batch at the end lacks, which is cut off and left out; 0 when none is. When it is the
   * only one, another fetch of as few bytes brings nothing either.
   */
  missing = 0;
  readonly #parts: { readonly first: number; readonly index: RecordIndex }[] = [];
  #last = 0;

  /** Begins with nothing, at a position. */
  constructor(from: number) {
    this.next = from;
  }

  /** Adds a batch, whose records `indexes` have, unless they are left out. */
  add(head: BatchHead, indexes: readonly RecordIndex[] = []): void {
    this.batches.push(head);
    this.next = Math.max(this.next, head.lastOffset + 1);
    for (const index of indexes) {
      if (index.length === 0) continue;
      this.#parts.push({ first: this.length, index });
      this.length += index.length;
      this.bytes += index.bytes;
    }
  }

  /** Returns the record at an index; undefined outside the list. */
  at(index: number): BrokerRecord | undefined {
    if (!(index >= 0 && index < this.length)) return undefined;
    let part = this.#parts[this.#last]!;
    while (index < part.first) part = this.#parts[--this.#last]!;
    while (index >= part.first + part.index.length) part = this.#parts[++this.#last]!;
    return part.index.at(index - part.first);
  }
}
