import { FORMAT_AT, HEAD_BYTES, MAX_BATCH_BYTES, PREFIX_BYTES } from "./batch_format.ts";
import { type BatchHead, readHead } from "./batch_head.ts";
import { safeInt64 } from "./byte_reader.ts";
import { compressors } from "./compression/compressors.ts";
import { inSteps, mustYield, spend, yielded } from "./compression/yielding.ts";
import { FetchedRecords } from "./fetched_records.ts";
import { RecordIndex } from "./record_index.ts";
import { UndecodableBatchError } from "./undecodable_batch_error.ts";

/** So many bytes are checked, or indexed, in the time in which one is decompressed. */
const CHECKED_FOR_ONE = 8;

/** A transaction that was aborted, as the answer to a fetch names it. */
export interface AbortedTransaction {
  /** Who began it. */
  readonly producerId: bigint;
  /** Its first offset in the partition. */
  readonly firstOffset: number;
}

/** How the bytes of a partition are read. */
export interface ReadOptions {
  /** The position that was fetched from: what lies before it is left out. */
  readonly from: number;
  /**
   * The end of the partition when it was fetched: whatever a damaged batch says of its offsets, the error names
   * none from there on. @default {Infinity}
   */
  readonly end?: number | undefined;
  /** The transactions that were aborted, when only what is committed is asked for. @default {[]} */
  readonly aborted?: readonly AbortedTransaction[] | undefined;
  /** The most bytes that the records of a batch may have when they are decompressed. @default {MAX_BATCH_BYTES} */
  readonly maxBatchBytes?: number | undefined;
}

/**
 * Reads the record batches that a fetch brought from one partition, of message format 2.
 *
 * - Records of aborted transactions, control batches and batches that compaction has emptied are passed: they
 *   move the position.
 * - A batch that is cut off at the end is left out, as the protocol asks.
 * - At a batch that cannot be decoded reading stops: what comes before it is there, and it is the `failure`.
 *   Who goes on fetches anew from the offset after it, since the bytes behind it may depend on it (a marker
 *   that ends a transaction).
 *
 * Gives a promise only where decompression takes long: then it lets others have their turn.
 *
 * @see The Kafka protocol guide, "Record Batch" and "Fetch API"; which records of transactions are passed is
 *   as in the Java client's `CompletedFetch`.
 */
export function readBatches(
  bytes: Uint8Array,
  options: ReadOptions,
): FetchedRecords | Promise<FetchedRecords> {
  return new BatchReader(bytes, options).read();
}

class BatchReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #options: ReadOptions;
  readonly #fetched: FetchedRecords;
  /** The aborted transactions that begin further on, in order. */
  readonly #aborted: AbortedTransaction[];
  /** The producers in whose aborted transactions we are. */
  readonly #aborting = new Set<bigint>();
  #at = 0;

  constructor(bytes: Uint8Array, options: ReadOptions) {
    const { buffer, byteOffset, length } = bytes;
    // Not a Buffer, whose views cost more.
    this.#bytes = new Uint8Array(buffer, byteOffset, length);
    this.#view = new DataView(buffer, byteOffset, length);
    this.#options = options;
    this.#fetched = new FetchedRecords(options.from);
    this.#aborted = (options.aborted ?? []).toSorted((a, b) => a.firstOffset - b.firstOffset);
  }

  read(): FetchedRecords | Promise<FetchedRecords> {
    for (;;) {
      const end = this.#endOfBatch();
      if (end === undefined) return this.#fetched;
      try {
        const decoding = this.#decode(this.#bytes.subarray(this.#at, end));
        if (decoding !== undefined) return this.#readOn(decoding, end);
      } catch (cause) {
        return this.#fail(cause, end);
      }
      this.#at = end;
      if (mustYield()) return yielded().then(() => this.read());
    }
  }

  async #readOn(decoding: Promise<void>, end: number): Promise<FetchedRecords> {
    try {
      await decoding;
    } catch (cause) {
      return this.#fail(cause, end);
    }
    this.#at = end;
    if (mustYield()) await yielded();
    return this.read();
  }

  /** Where the batch ends that begins here; undefined when there is no whole one. */
  #endOfBatch(): number | undefined {
    const view = this.#view, at = this.#at;
    const left = view.byteLength - at;
    if (left <= FORMAT_AT) {
      // As many as a head has are sure to lack.
      if (left > 0) this.#fetched.missing = HEAD_BYTES - left;
      return undefined;
    }
    const size = PREFIX_BYTES + view.getInt32(at + 8);
    const format = view.getInt8(at + FORMAT_AT);
    if (size > left && format === 2) {
      this.#fetched.missing = size - left;
      return undefined;
    }
    // One that is not a batch ends with the bytes, or where it says that it does.
    return at + (size > FORMAT_AT ? Math.min(size, left) : left);
  }

  #decode(batch: Uint8Array): Promise<void> | undefined {
    const format = this.#view.getInt8(this.#at + FORMAT_AT);
    if (format !== 2) {
      throw new RangeError(
        `the topic holds messages of format ${format}, and only format 2, of Kafka 0.11 and later, is read`,
      );
    }
    const length = this.#view.getInt32(this.#at + 8);
    if (batch.length < HEAD_BYTES || length !== batch.length - PREFIX_BYTES) {
      throw new RangeError(`its length is ${length}`);
    }
    const head = readHead(batch);
    spend(batch.length / CHECKED_FOR_ONE);
    const { baseOffset, lastOffset, compression } = head;
    if (baseOffset <= (this.#fetched.batches.at(-1)?.lastOffset ?? -1)) {
      throw new RangeError(`it begins at offset ${baseOffset}, before the end of the one before`);
    }
    if (this.#isPassed(head) || lastOffset < this.#options.from) {
      this.#fetched.add(head);
      return undefined;
    }
    const body = batch.subarray(HEAD_BYTES);
    // Compaction may leave a batch without a record, and without what a compressor writes of nothing.
    if (compression === "none" || body.length === 0) return this.#take(head, body);
    const { maxBatchBytes = MAX_BATCH_BYTES } = this.#options;
    const plain = compressors[compression].decompress(body, maxBatchBytes);
    if (plain instanceof Promise) return plain.then((plain) => this.#take(head, plain));
    return this.#take(head, plain);
  }

  /** Returns whether a batch is a mark, or aborted; keeps track of what is aborted. */
  #isPassed({ producerId, lastOffset, isControl, isTransactional }: BatchHead): boolean {
    while (this.#aborted.length > 0 && this.#aborted[0]!.firstOffset <= lastOffset) {
      this.#aborting.add(this.#aborted.shift()!.producerId);
    }
    // Whatever a mark says, the transaction of its producer is over.
    if (isControl) this.#aborting.delete(producerId);
    return isControl || isTransactional && this.#aborting.has(producerId);
  }

  #take(head: BatchHead, body: Uint8Array): Promise<void> | undefined {
    const indexes: RecordIndex[] = [];
    let taken = 0;
    const taking = inSteps(() => {
      const index = new RecordIndex(body, head, this.#options.from, indexes.at(-1)?.continuation);
      indexes.push(index);
      const at = index.continuation?.at ?? body.length;
      spend((at - taken) / CHECKED_FOR_ONE);
      taken = at;
      if (index.continuation !== undefined) return undefined;
      this.#fetched.add(head, indexes);
      return true;
    });
    return taking instanceof Promise ? taking.then(() => {}) : undefined;
  }

  #fail(cause: unknown, end: number): FetchedRecords {
    const at = this.#at, bytes = this.#bytes;
    const { end: endOfPartition = Infinity } = this.#options;
    const baseOffset = this.#safeAt(at) ?? 0;
    // What the head says, if it has got that far, is not sure: it must end before what follows.
    const hasDelta = at + 27 <= bytes.length && this.#view.getInt8(at + FORMAT_AT) === 2;
    const lastOffset = baseOffset + (hasDelta ? this.#view.getInt32(at + 23) : 0);
    const following = end + 8 <= bytes.length ? this.#safeAt(end) ?? Infinity : Infinity;
    const most = Math.min(following, endOfPartition) - 1;
    const firstOffset = Math.max(this.#fetched.next, Math.min(baseOffset, most));
    this.#fetched.failure = new UndecodableBatchError({
      firstOffset,
      // Not below the first, so that who passes it gets on.
      lastOffset: Math.max(firstOffset, Math.min(lastOffset, most)),
      bytes: bytes.subarray(at, end),
      cause,
    });
    return this.#fetched;
  }

  #safeAt(at: number): number | undefined {
    try {
      return safeInt64(this.#view, at);
    } catch {
      return undefined;
    }
  }
}
