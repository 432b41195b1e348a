import type { PartitionStore } from "./checkpoint_options.ts";
import { type HandoffRecord, toRecord } from "./record.ts";

/** The partitions of the dependent, as {@linkcode PartitionHandoff} sees them. */
export interface HandoffPartitions {
  /** Returns the record of a partition; undefined when nothing is known of it. */
  record(partition: number): HandoffRecord | undefined;
  /** Takes over the record of a partition. */
  restore(record: HandoffRecord): void;
  /** The partition is read by another process now. */
  forget(partition: number): void;
}

/** What one process knows of a partition. */
export interface PartitionEntry {
  /** Differs in every version of the entry. */
  readonly id: string;
  /** Whether it was written by a commit; false when the partition was only claimed. */
  readonly written: boolean;
  /** What is kept; undefined when nothing is yet. */
  readonly record: HandoffRecord | undefined;
}

/** The row of one partition. */
export interface PartitionRow {
  /** The version of this format. */
  readonly version: 1;
  /** The entries of the processes that have read it and that no other has taken over yet, by owner. */
  readonly entries: Readonly<Record<string, PartitionEntry>>;
}

/** The row of a partition that this process reads. */
interface Claim {
  /** The record that it holds, as a text; undefined when it must be written in any case. */
  kept: string | undefined;
  /** The entries that were taken over of other processes, with their ids; none once this process's has it all. */
  adopted: ReadonlyMap<string, string>;
}

/**
 * The rows of a dependent's partitions, in a store that all processes open: what is known of a partition
 * goes with it to the process that reads it next. A row has an entry for each process that has read the
 * partition and that no other has taken over yet.
 *
 * - A process that is given a partition takes over all entries before it decides where to begin, and leaves
 *   one of its own, which tells the next process that it was there.
 * - A process writes its own entry only, and removes those that it has taken over. So one that does not know
 *   yet that it has lost a partition overwrites nothing, however late it writes; the broker refuses its
 *   positions, and its entry only causes some messages to be handled again.
 * - Entries are written before positions are committed, and read after the group has given the partition
 *   away: what belongs to the committed position is always there.
 */
export class PartitionHandoff {
  /** Which entries are this process's. */
  owner: string = crypto.randomUUID();
  readonly #store: PartitionStore;
  readonly #prefix: string;
  readonly #partitions: HandoffPartitions;
  #claims: ReadonlyMap<number, Claim> = new Map();
  #assignments = 0;

  /** Keeps rows under `prefix` followed by the partition. */
  constructor(store: PartitionStore, prefix: string, partitions: HandoffPartitions) {
    this.#store = store;
    this.#prefix = prefix;
    this.#partitions = partitions;
  }

  /** A run begins: the rows are read anew. */
  begin(): void {
    this.#assignments++; // a claim in flight is given up
    for (const partition of this.#claims.keys()) this.#partitions.forget(partition);
    this.#claims = new Map();
  }

  /** Claims the rows of the partitions that are about to be read, and takes over their entries. */
  async assign(partitions: readonly number[]): Promise<void> {
    const assignment = ++this.#assignments;
    const rows = await Promise.all(partitions.map((partition) => this.#claim(partition)));
    if (assignment !== this.#assignments) return;
    const before = this.#claims;
    for (const partition of before.keys()) {
      if (!partitions.includes(partition)) this.#partitions.forget(partition);
    }
    const claims = new Map<number, Claim>();
    partitions.forEach((partition, index) => {
      const { [this.owner]: own, ...others } = rows[index]!.entries;
      const record = own!.record;
      const adopted = new Map(Object.entries(others).map(([owner, { id }]) => [owner, id]));
      const alone = adopted.size === 0;
      claims.set(partition, { kept: alone ? JSON.stringify(record) : undefined, adopted });
      // Where no other process was, memory is newer than the row.
      if (record === undefined || (alone && before.has(partition))) return;
      this.#partitions.restore(record);
    });
    this.#claims = claims;
  }

  async #claim(partition: number): Promise<PartitionRow> {
    const key = this.#key(partition);
    const id = crypto.randomUUID();
    const { owner } = this;
    return await this.#store.update(key, (value): PartitionRow => {
      const entries = toRecord<PartitionRow>(key, value)?.entries ?? {};
      const own = entries[owner];
      const alone = Object.keys(entries).every((other) => other === owner);
      const record = alone ? own?.record : merge(Object.values(entries));
      // A new process stands in for those that came and wrote nothing: else each crash would leave an entry.
      const others = Object.entries(entries).filter(([, { written }]) => own || written);
      const claimed = { id, written: own?.written ?? false, record };
      return { version: 1, entries: { ...Object.fromEntries(others), [owner]: claimed } };
    }) as PartitionRow;
  }

  /** Takes the records of the partitions, and returns a function that writes them; undefined if none is new. */
  snapshot(): (() => Promise<void>) | undefined {
    const writes: (() => Promise<void>)[] = [];
    for (const [partition, claim] of this.#claims) {
      const record = this.#partitions.record(partition);
      const text = JSON.stringify(record);
      if (record === undefined || text === claim.kept) continue;
      writes.push(async () => {
        await this.#write(partition, record, claim.adopted);
        claim.kept = text;
        claim.adopted = new Map();
      });
    }
    if (writes.length === 0) return undefined;
    return async () => {
      await Promise.all(writes.map((write) => write()));
      await this.#store.flush();
    };
  }

  async #write(
    partition: number,
    record: HandoffRecord,
    adopted: ReadonlyMap<string, string>,
  ): Promise<void> {
    const key = this.#key(partition);
    const id = crypto.randomUUID();
    await this.#store.update(key, (value): PartitionRow => {
      const entries = Object.entries(toRecord<PartitionRow>(key, value)?.entries ?? {});
      const others = entries.filter(([owner, { id }]) => adopted.get(owner) !== id);
      const own: PartitionEntry = { id, written: true, record };
      return { version: 1, entries: { ...Object.fromEntries(others), [this.owner]: own } };
    });
  }

  #key(partition: number): string {
    return `${this.#prefix}${partition}`;
  }
}

/**
 * Merges what several processes know of a partition. Which messages of the dependencies each had stored when
 * it made a result is not known here: every provisional result is taken for stale.
 */
function merge(entries: readonly PartitionEntry[]): HandoffRecord | undefined {
  const records = entries.map(({ record }) => record).filter((record) => record !== undefined);
  if (records.length === 0) return undefined;
  const doubtful = records.flatMap(({ stale, provisional: [first] }) => [stale, first?.position]);
  const stale = Math.min(...doubtful.map((position = Infinity) => position));
  return {
    partition: records[0]!.partition,
    cursor: Math.min(...records.map(({ cursor }) => cursor)),
    applied: Math.max(...records.map(({ applied }) => applied)),
    provisional: [],
    stale: stale === Infinity ? undefined : stale,
    latest: Math.max(...records.map(({ latest }) => latest)),
    epoch: Math.max(...records.map(({ epoch }) => epoch)),
  };
}
