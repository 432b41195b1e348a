import { Buffer } from "node:buffer";
import type { BrokerRecord, Header } from "../client/broker.ts";
import { LEAST_RECORD_BYTES } from "./batch_format.ts";
import type { BatchHead } from "./batch_head.ts";
import { ByteReader } from "./byte_reader.ts";

const NO_HEADERS: readonly Header[] = [];

/** So many records are indexed at once: what takes a millisecond or less. */
const INDEXED_AT_ONCE = 1 << 13;

/** Records are copied in blocks that have so many bytes, or one record: who keeps one keeps no more than its block. */
const BLOCK_BYTES = 1 << 12;

/** How far the records of a batch are indexed. */
interface Continuation {
  /** Where the next record begins. */
  readonly at: number;
  /** Its number in the batch. */
  readonly record: number;
  /** The offset of the one before it. */
  readonly offset: number;
}

/**
 * Where the records of a batch, or some of them, are: all are checked, and each is made when it is asked for, of a
 * copy of its bytes.
 */
export class RecordIndex {
  /** How many records there are. */
  readonly length: number;
  /** How many bytes their keys and values have. */
  readonly bytes: number;
  /** Where the batch goes on, which another index has; undefined at its end. */
  readonly continuation: Continuation | undefined;
  readonly #places: Uint32Array;
  readonly #body: Uint8Array;
  /** Where the last record ends. */
  readonly #end: number;
  readonly #head: BatchHead;
  /** Reads the copied block, which has the records from the first of these numbers up to the second. */
  #block = new ByteReader(new Uint8Array());
  #blockFirst = 0;
  #blockEnd = 0;

  /**
   * Indexes records whose offset is at least `from`.
   *
   * @param body The records of the batch, not compressed any more.
   * @param continuation Where the index before this one ends; undefined for the first.
   * @throws {RangeError} If they are not what the head says, to the last byte.
   */
  constructor(body: Uint8Array, head: BatchHead, from: number, continuation?: Continuation) {
    const { count, baseOffset, lastOffset, baseTimestamp } = head;
    // Before a place is allocated for each: the count may be anything.
    if (count * LEAST_RECORD_BYTES > body.length) {
      throw new RangeError(`it has ${count} records in ${body.length} bytes`);
    }
    const first = continuation?.record ?? 0;
    const stop = Math.min(count, first + INDEXED_AT_ONCE);
    const places = new Uint32Array(stop - first);
    const reader = new ByteReader(body, continuation?.at ?? 0);
    let length = 0, bytes = 0, before = continuation?.offset ?? baseOffset - 1;
    for (let i = first; i < stop; i++) {
      const size = reader.varint();
      const begin = reader.at, end = begin + size;
      if (size < LEAST_RECORD_BYTES - 1 || end > body.length) {
        throw new RangeError(`record ${i} of ${count} does not end within the batch`);
      }
      reader.at = begin + 1; // the attributes, of which none are in use
      const timestamp = baseTimestamp + reader.varlong();
      const offset = baseOffset + reader.varint();
      const keyLength = reader.pass();
      const valueLength = reader.pass();
      passHeaders(reader, end);
      if (reader.at !== end) {
        throw new RangeError(`record ${i} of ${count} is not as long as its parts`);
      }
      if (offset <= before || offset > lastOffset) {
        throw new RangeError(`record ${i} of ${count} has the offset ${offset}`);
      }
      if (!Number.isSafeInteger(timestamp)) {
        throw new RangeError(`record ${i} of ${count} has a time past 2^53: ${timestamp}`);
      }
      before = offset;
      if (offset < from) continue;
      places[length++] = begin + 1;
      bytes += (keyLength > 0 ? keyLength : 0) + (valueLength > 0 ? valueLength : 0);
    }
    const { at } = reader;
    if (stop < count) this.continuation = { at, record: stop, offset: before };
    else if (at !== body.length) throw new RangeError("bytes follow its last record");
    this.length = length;
    this.bytes = bytes;
    this.#places = places;
    this.#body = body;
    this.#end = at;
    this.#head = head;
  }

  /** Returns a record; the index must be below the length. */
  at(index: number): BrokerRecord {
    if (index < this.#blockFirst || index >= this.#blockEnd) this.#copyFrom(index);
    const reader = this.#block;
    const { baseTimestamp, appendTime, baseOffset } = this.#head;
    reader.at = this.#places[index]! - this.#places[this.#blockFirst]!;
    const delta = reader.varlong();
    const offset = baseOffset + reader.varint();
    const keyLength = reader.pass();
    const keyEnd = reader.at;
    const valueLength = reader.pass();
    const valueEnd = reader.at;
    const timestamp = appendTime ?? baseTimestamp + delta;
    return new FetchedRecord(
      reader.bytes,
      offset,
      timestamp,
      keyLength,
      keyEnd,
      valueLength,
      valueEnd,
      appendTime !== undefined,
    );
  }

  #copyFrom(first: number): void {
    const places = this.#places;
    const begin = places[first]!;
    let end = first + 1;
    while (end < this.length && places[end]! - begin < BLOCK_BYTES) end++;
    const bytes = this.#body.subarray(begin, end < this.length ? places[end] : this.#end);
    this.#block = new ByteReader(new Uint8Array(bytes));
    this.#blockFirst = first;
    this.#blockEnd = end;
  }
}

function passHeaders(reader: ByteReader, end: number): void {
  const count = reader.varint();
  if (count === 0) return;
  if (count < 0) throw new RangeError(`a record has ${count} headers`);
  for (let i = 0; i < count; i++) {
    if (reader.pass() < 0) throw new RangeError("a header has no name");
    reader.pass();
    if (reader.at > end) throw new RangeError("a header does not end within its record");
  }
}

/** A record that was fetched. Its key and its value are views of its block; its headers, which are few, are copies. */
class FetchedRecord implements BrokerRecord {
  readonly offset: number;
  readonly timestamp: number;
  readonly #bytes: Uint8Array;
  readonly #keyLength: number;
  readonly #keyEnd: number;
  readonly #valueLength: number;
  readonly #valueEnd: number;
  readonly #appended: boolean;

  constructor(
    bytes: Uint8Array,
    offset: number,
    timestamp: number,
    keyLength: number,
    keyEnd: number,
    valueLength: number,
    valueEnd: number,
    appended: boolean,
  ) {
    this.#bytes = bytes;
    this.offset = offset;
    this.timestamp = timestamp;
    this.#keyLength = keyLength;
    this.#keyEnd = keyEnd;
    this.#valueLength = valueLength;
    this.#valueEnd = valueEnd;
    this.#appended = appended;
  }

  get appended(): boolean {
    return this.#appended;
  }

  get key(): Uint8Array | null {
    return view(this.#bytes, this.#keyLength, this.#keyEnd);
  }

  get value(): Uint8Array | null {
    return view(this.#bytes, this.#valueLength, this.#valueEnd);
  }

  get headers(): readonly Header[] {
    const bytes = this.#bytes;
    if (bytes[this.#valueEnd] === 0) return NO_HEADERS;
    const reader = new ByteReader(bytes, this.#valueEnd);
    const count = reader.varint();
    const headers: Header[] = [];
    for (let i = 0; i < count; i++) {
      const name = text(bytes, reader.pass(), reader.at);
      const value = view(bytes, reader.pass(), reader.at);
      headers.push([name, value && value.slice()]);
    }
    return headers;
  }
}

function view(bytes: Uint8Array, length: number, end: number): Uint8Array | null {
  return length < 0 ? null : bytes.subarray(end - length, end);
}

/** Bytes that are not UTF-8 become U+FFFD, as in the Java client. */
function text(bytes: Uint8Array, length: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + end - length, length).toString();
}
