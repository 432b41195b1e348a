import type { Broker, Chunk } from "../client/broker.ts";
import type { BrokerStatus } from "../client/status.ts";

/**
 * Tells what the broker deleted before it was read: a gap in the offsets before a chunk, when the log begins after
 * it. Most gaps are holes that compaction and transactions leave.
 *
 * @param expected The position after what was fetched before the chunk.
 */
export async function tellLoss(
  broker: Broker,
  { topic, partition, records, next }: Chunk,
  expected: number,
  status: (status: BrokerStatus) => void,
): Promise<void> {
  const first = records.at(0)?.offset ?? next;
  if (first <= expected) return;
  const low = await broker.offsets(topic, "earliest").catch(() => undefined);
  // Meanwhile more may be deleted, which was read.
  const to = Math.min(low?.get(partition) ?? 0, first);
  if (to > expected) status({ type: "lost", topic, partition, from: expected, to });
}
