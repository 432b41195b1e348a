import type { BrokerRecord, ProducerRecord } from "../client/broker.ts";
import { Copies } from "./copies.ts";

/** Records that follow each other, and how many bytes their keys and values have. */
export interface Slice {
  /** The records. */
  readonly records: BrokerRecord[];
  /** Their bytes. */
  readonly bytes: number;
}

/** One partition: records in the order of their offsets, the oldest of which are dropped. */
export class PartitionLog {
  readonly #maxRecords: number;
  readonly #copies = new Copies();
  /** The records, behind the places of those that were dropped. */
  #records: (BrokerRecord | undefined)[] = [];
  #dropped = 0;
  #low = 0;
  #high = 0;

  /** Begins empty; keeps at most `maxRecords`. */
  constructor(maxRecords: number) {
    this.#maxRecords = maxRecords;
  }

  /** The offset of the oldest record that is kept. */
  get low(): number {
    return this.#low;
  }

  /** The offset of the next record. */
  get high(): number {
    return this.#high;
  }

  /** Adds a record and returns its offset. */
  append(record: ProducerRecord, now: number): number {
    const { key, value, headers, timestamp = now } = record;
    const offset = this.#high++;
    this.#records.push({
      offset,
      key: this.#copies.of(key),
      value: this.#copies.of(value),
      timestamp,
      headers: headers.map(([name, bytes]) => [name, this.#copies.of(bytes)]),
    });
    if (this.#records.length - this.#dropped > this.#maxRecords) this.#drop();
    return offset;
  }

  /** Leaves `count` offsets without records. */
  skip(count: number): void {
    this.#high += count;
  }

  #drop(): void {
    this.#records[this.#dropped++] = undefined;
    this.#low = this.#records[this.#dropped]!.offset;
    // Places are given back in blocks, so that a full log does not move all its records for each new one.
    if (this.#dropped * 2 >= this.#records.length) {
      this.#records = this.#records.slice(this.#dropped);
      this.#dropped = 0;
    }
  }

  /** Returns records from an offset on: up to `most`, and up to `mostBytes` unless the first has more. */
  read(from: number, most: number, mostBytes: number): Slice {
    const records: BrokerRecord[] = [];
    let bytes = 0;
    for (let i = this.#find(from); i < this.#records.length && records.length < most; i++) {
      const record = this.#records[i]!;
      const size = (record.key?.length ?? 0) + (record.value?.length ?? 0);
      if (records.length > 0 && bytes + size > mostBytes) break;
      records.push(record);
      bytes += size;
    }
    return { records, bytes };
  }

  /** The offset of the first record at or after a time; the end when there is none. */
  offsetAt(timestamp: number): number {
    for (let i = this.#dropped; i < this.#records.length; i++) {
      if (this.#records[i]!.timestamp >= timestamp) return this.#records[i]!.offset;
    }
    return this.#high;
  }

  /** Keeps only the last record of each key, as log compaction does: offsets get holes. */
  compact(): void {
    const records = this.#records.slice(this.#dropped) as BrokerRecord[];
    const last = new Map<string, number>();
    for (const { key, offset } of records) if (key) last.set(String(key), offset);
    this.#records = records.filter(({ key, offset }) => !key || last.get(String(key)) === offset);
    this.#dropped = 0;
  }

  /** Returns the index of the first record that is kept, at or after an offset. */
  #find(offset: number): number {
    let from = this.#dropped, to = this.#records.length;
    while (from < to) {
      const middle = (from + to) >> 1;
      if (this.#records[middle]!.offset < offset) from = middle + 1;
      else to = middle;
    }
    return from;
  }
}
