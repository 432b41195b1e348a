import type { Broker, Chunk, Positions } from "../client/broker.ts";
import type { BrokerStatus } from "../client/status.ts";

/** Tells what the broker deleted before it was read: a gap in the offsets, when the log begins after it. */
export class LossWatch {
  readonly #status: (status: BrokerStatus) => void;
  readonly #expected = new Map<number, number>();

  /** Tells `status`. */
  constructor(status: (status: BrokerStatus) => void) {
    this.#status = status;
  }

  /** Notes where partitions go on. */
  expect(positions: Positions): void {
    for (const [partition, position] of positions) this.#expected.set(partition, position);
  }

  /** Looks at a chunk that was fetched. */
  see(broker: Broker, { topic, partition, records, next }: Chunk): void {
    const expected = this.#expected.get(partition);
    this.#expected.set(partition, next);
    const first = records.at(0)?.offset ?? next;
    // Most gaps are holes that compaction and transactions leave.
    if (expected !== undefined && first > expected) {
      void this.#check(broker, topic, partition, expected, first);
    }
  }

  async #check(
    broker: Broker,
    topic: string,
    partition: number,
    from: number,
    first: number,
  ): Promise<void> {
    const low = await broker.offsets(topic, "earliest").catch(() => undefined);
    // Meanwhile more may be deleted, which was read.
    const to = Math.min(low?.get(partition) ?? 0, first);
    if (to > from) this.#status({ type: "lost", topic, partition, from, to });
  }
}
