import {
  type PartitionEntry,
  type PartitionRow,
  type PartitionStore,
  toKept,
  type TravelRecord,
} from "./record.ts";

/** What {@linkcode Travel} needs to know of its checkpoint. */
export interface TravelHost {
  /** What is to be kept of a partition; undefined when nothing is known of it. */
  record(partition: number): TravelRecord | undefined;
  /** Takes over what was kept of a partition. */
  restore(record: TravelRecord): void;
  /** The partition is read by somebody else now. */
  forget(partition: number): void;
}

/** The row of a partition that this process reads. */
interface Claim {
  /** The record that it holds, as a text; undefined when it is to be written in any case. */
  kept: string | undefined;
  /** The entries of others that were taken over, with their ids; gone when what they said is kept here. */
  adopted: ReadonlyMap<string, string>;
}

/**
 * The rows of a dependent's partitions, in a store that all processes open: what is known of a partition
 * goes with it to whoever reads it next. A row has an entry for each process that has read the partition
 * and was not followed yet.
 *
 * - Whoever is given a partition takes over all entries before it decides where to begin, and leaves one of
 *   its own: who reads the partition after it knows that it was there.
 * - A process writes its own entry only, and removes those that it has taken over. So one that does not know
 *   yet that it has lost a partition overwrites nothing, however late it comes; the broker refuses its
 *   positions, and what it wrote costs a repetition.
 * - Entries are written before positions are committed, and read after the group has given the partition
 *   away: what belongs to the committed position is always there.
 */
export class Travel {
  /** Who this process is in the rows. */
  owner: string = crypto.randomUUID();
  readonly #store: PartitionStore;
  readonly #prefix: string;
  readonly #host: TravelHost;
  #claims: ReadonlyMap<number, Claim> = new Map();
  #assignments = 0;

  /** Keeps rows under `prefix` followed by the partition. */
  constructor(store: PartitionStore, prefix: string, host: TravelHost) {
    this.#store = store;
    this.#prefix = prefix;
    this.#host = host;
  }

  /** A run begins: the rows are read anew. */
  begin(): void {
    this.#assignments++; // gives up what is under way
    for (const partition of this.#claims.keys()) this.#host.forget(partition);
    this.#claims = new Map();
  }

  /** Claims the rows of the partitions that are about to be read, and takes over what they say. */
  async assign(partitions: readonly number[]): Promise<void> {
    const assignment = ++this.#assignments;
    const rows = await Promise.all(partitions.map((partition) => this.#claim(partition)));
    if (assignment !== this.#assignments) return;
    const before = this.#claims;
    for (const partition of before.keys()) {
      if (!partitions.includes(partition)) this.#host.forget(partition);
    }
    const claims = new Map<number, Claim>();
    partitions.forEach((partition, index) => {
      const { [this.owner]: own, ...others } = rows[index]!.entries;
      const record = own!.record;
      const adopted = new Map(Object.entries(others).map(([owner, { id }]) => [owner, id]));
      const alone = adopted.size === 0;
      claims.set(partition, { kept: alone ? JSON.stringify(record) : undefined, adopted });
      // What nobody else has touched is newer in memory than in the row.
      if (record === undefined || (alone && before.has(partition))) return;
      this.#host.restore(record);
    });
    this.#claims = claims;
  }

  async #claim(partition: number): Promise<PartitionRow> {
    const key = this.#key(partition);
    const id = crypto.randomUUID();
    const { owner } = this;
    return await this.#store.update(key, (value): PartitionRow => {
      const entries = toKept<PartitionRow>(key, value)?.entries ?? {};
      const own = entries[owner];
      const alone = Object.keys(entries).every((other) => other === owner);
      const record = alone ? own?.record : merge(Object.values(entries));
      // Who is new stands in for those who came and wrote nothing: else each crash would leave an entry.
      const others = Object.entries(entries).filter(([, { written }]) => own || written);
      const claimed = { id, written: own?.written ?? false, record };
      return { version: 1, entries: { ...Object.fromEntries(others), [owner]: claimed } };
    }) as PartitionRow;
  }

  /** Takes what is to be kept of the partitions, and returns what writes it; undefined if nothing is new. */
  snapshot(): (() => Promise<void>) | undefined {
    const writes: (() => Promise<void>)[] = [];
    for (const [partition, claim] of this.#claims) {
      const record = this.#host.record(partition);
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
    record: TravelRecord,
    adopted: ReadonlyMap<string, string>,
  ): Promise<void> {
    const key = this.#key(partition);
    const id = crypto.randomUUID();
    await this.#store.update(key, (value): PartitionRow => {
      const entries = Object.entries(toKept<PartitionRow>(key, value)?.entries ?? {});
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
 * What can be said of a partition that several processes have read. Which messages of the dependencies each
 * had stored when it made a result is not known here: whatever was not final is dirty.
 */
function merge(entries: readonly PartitionEntry[]): TravelRecord | undefined {
  const records = entries.map(({ record }) => record).filter((record) => record !== undefined);
  if (records.length === 0) return undefined;
  const doubtful = records.flatMap(({ dirty, provisional: [first] }) => [dirty, first?.position]);
  const dirty = Math.min(...doubtful.map((position = Infinity) => position));
  return {
    partition: records[0]!.partition,
    cursor: Math.min(...records.map(({ cursor }) => cursor)),
    applied: Math.max(...records.map(({ applied }) => applied)),
    provisional: [],
    dirty: dirty === Infinity ? undefined : dirty,
    largest: Math.max(...records.map(({ largest }) => largest)),
    epoch: Math.max(...records.map(({ epoch }) => epoch)),
  };
}
