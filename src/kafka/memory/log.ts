import type { BrokerRecord, ProducerRecord } from "../broker.ts";

/** One partition: records in the order of their offsets, the oldest of which are dropped. */
export class PartitionLog {
  readonly #maxRecords: number;
  #records: BrokerRecord[] = [];
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
      key: key && key.slice(),
      value: value && value.slice(),
      timestamp,
      headers: headers.map(([name, bytes]) => [name, bytes.slice()]),
    });
    // Dropped in blocks, so that a full log does not move all its records for each new one.
    if (this.#records.length >= this.#maxRecords * 1.25 + 1) {
      this.#records.splice(0, this.#records.length - this.#maxRecords);
      this.#low = this.#records[0]!.offset;
    } else if (this.#records.length > this.#maxRecords) {
      this.#low = this.#records[this.#records.length - this.#maxRecords]!.offset;
    }
    return offset;
  }

  /** Returns up to `most` records from an offset on. */
  read(from: number, most: number): BrokerRecord[] {
    const start = this.#find(Math.max(from, this.#low));
    return this.#records.slice(start, start + most);
  }

  /** The offset of the first record at or after a time; the end when there is none. */
  offsetAt(timestamp: number): number {
    const from = this.#find(this.#low);
    for (let i = from; i < this.#records.length; i++) {
      if (this.#records[i]!.timestamp >= timestamp) return this.#records[i]!.offset;
    }
    return this.#high;
  }

  /** Keeps only the last record of each key, as log compaction does: offsets get holes. */
  compact(): void {
    const last = new Map<string, number>();
    for (const { key, offset } of this.#records) if (key) last.set(String(key), offset);
    this.#records = this.#records.filter(({ key, offset }) =>
      !key || last.get(String(key)) === offset
    );
  }

  /** Returns the index of the first record at or after an offset. */
  #find(offset: number): number {
    let from = 0, to = this.#records.length;
    while (from < to) {
      const middle = (from + to) >> 1;
      if (this.#records[middle]!.offset < offset) from = middle + 1;
      else to = middle;
    }
    return from;
  }
}
