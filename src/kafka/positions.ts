import type { StartLimit } from "../flow/gate.ts";
import type { Broker, Instant, Positions } from "./broker.ts";
import { KafkaError } from "./errors.ts";
import type { BrokerStatus } from "./status.ts";
import type { Resumption } from "../flow/state.ts";

/** Offsets by partition. */
export type Offsets = Readonly<Record<number, number>> | ReadonlyMap<number, number>;

/** A place to start at: an instant, or an offset for each partition. */
export type StartOffset = Instant | Offsets;

/** A place to move to. Partitions that are not named stay where they are. */
export type SeekPosition = Instant | Offsets;

/**
 * Checks a place to start at or to move to.
 *
 * @throws {TypeError} If it has the wrong shape.
 * @throws {RangeError} If an offset, a partition or the time is out of bounds.
 */
export function checkStartOffset(owner: string, value: unknown): asserts value is StartOffset {
  if (value === "earliest" || value === "latest") return;
  if (typeof value !== "object" || value === null) {
    throw new TypeError(
      `Cannot position ${owner}: neither "earliest", "latest", { timestamp } nor offsets by partition: ` +
        String(value),
    );
  }
  if ("timestamp" in value) {
    if (Number.isFinite(value.timestamp) && Number(value.timestamp) >= 0) return;
    throw new RangeError(`Cannot position ${owner} as timestamp must be >= 0: ${value.timestamp}`);
  }
  for (const [partition, offset] of offsetsOf(value as Offsets)) {
    if (!Number.isSafeInteger(partition) || partition < 0) {
      throw new RangeError(
        `Cannot position ${owner} as a partition must be an integer >= 0: ${partition}`,
      );
    }
    if (!Number.isSafeInteger(offset) || offset < 0) {
      throw new RangeError(
        `Cannot position ${owner} partition ${partition} as offset must be >= 0: current value is ${offset}`,
      );
    }
  }
}

/** True for an instant, false for offsets by partition. */
export function isInstant(position: StartOffset): position is Instant {
  return typeof position === "string" || "timestamp" in position;
}

/** Returns offsets by partition as a map. */
export function offsetsOf(offsets: Offsets): Map<number, number> {
  if (offsets instanceof Map) return new Map(offsets);
  return new Map(Object.entries(offsets).map(([partition, offset]) => [Number(partition), offset]));
}

/** Looks up where `position` is in each of `partitions`. */
export async function lookUp(
  broker: Broker,
  topic: string,
  partitions: readonly number[],
  position: SeekPosition,
): Promise<Map<number, number>> {
  if (isInstant(position)) {
    const offsets = await broker.offsets(topic, position);
    return new Map(partitions.map((partition) => [partition, offsets.get(partition) ?? 0]));
  }
  const wanted = offsetsOf(position);
  const [low, high] = await Promise.all([
    broker.offsets(topic, "earliest"),
    broker.offsets(topic, "latest"),
  ]);
  for (const [partition, offset] of wanted) {
    const [first, end] = [low.get(partition), high.get(partition)];
    if (first !== undefined && end !== undefined && first <= offset && offset <= end) continue;
    throw new RangeError(
      `Cannot seek topic "${topic}" partition ${partition} as its offsets are from ${first} to ${end}: ` +
        `current value is ${offset}`,
    );
  }
  return wanted;
}

/** Of what the start of an assignment depends. */
export interface StartOptions {
  /** The topic. */
  readonly topic: string;
  /** The group. */
  readonly groupId: string;
  /** The partitions. */
  readonly partitions: readonly number[];
  /** Where to start without a commit; offsets by partition count more than commits. */
  readonly offset: StartOffset;
  /** Whether this is the first assignment: offsets by partition count only then. */
  readonly first: boolean;
  /** Where partitions without a commit began before. */
  readonly resolved: Positions;
  /** Seeks that nobody has carried out yet, by partition: they count most. */
  readonly sought: ReadonlyMap<number, SeekPosition>;
  /** Is told what is lost. */
  readonly status: (status: BrokerStatus) => void;
  /** Knows where the flows were whose positions stores hold: that counts more than all but seeks. */
  readonly resumption?: Resumption | undefined;
  /** Says where to start at the latest: something before it is to be handled again. */
  readonly limit: StartLimit;
}

/** Where an assignment starts, and what the group had committed. */
export interface Start {
  /** The position of every partition. */
  readonly positions: Positions;
  /** What was committed. */
  readonly committed: Positions;
  /** Where the partitions ended. */
  readonly ends: Positions;
}

/**
 * Finds where an assignment starts. Per partition the first that there is counts: a seek, an explicit
 * offset (first assignment only), the commit of the group, the beginning or the end or a time.
 *
 * A commit that the log has left behind moves to its beginning, and what is lost is told.
 */
export async function findStart(broker: Broker, options: StartOptions): Promise<Start> {
  const { topic, groupId, partitions, offset, first, resolved, sought, status } = options;
  const { limit, resumption } = options;
  const [committed, low, high] = await Promise.all([
    broker.committed(groupId, topic),
    broker.offsets(topic, "earliest"),
    broker.offsets(topic, "latest"),
  ]);
  // Partitions without a commit in a group that has some were added later.
  const fresh = isInstant(offset) && first && committed.size === 0;
  const initial = fresh && offset !== "earliest" ? await broker.offsets(topic, offset) : low;
  const explicit = first && !isInstant(offset)
    ? await lookUp(broker, topic, partitions, only(offsetsOf(offset), partitions))
    : new Map<number, number>();
  if (resumption && partitions.length < low.size) {
    throw new KafkaError(
      `Cannot keep exact state of topic "${topic}": this member of group "${groupId}" reads ` +
        `${partitions.length} of its ${low.size} partitions; let nobody else read it in that group`,
      { topic },
    );
  }
  const positions = new Map<number, number>();
  for (const partition of partitions) {
    const begin = low.get(partition) ?? 0;
    const end = high.get(partition) ?? begin;
    const seek = sought.get(partition);
    const commit = committed.get(partition);
    if (seek !== undefined) {
      const found = await lookUp(broker, topic, [partition], seek);
      positions.set(partition, found.get(partition)!);
    } else if (explicit.has(partition)) {
      positions.set(partition, explicit.get(partition)!);
    } else if (commit !== undefined && (commit < begin || commit > end)) {
      status({ type: "lost", topic, partition, from: commit, to: begin });
      positions.set(partition, begin);
    } else {
      const before = resolved.get(partition);
      const again = before !== undefined && before >= begin && before <= end ? before : undefined;
      positions.set(partition, commit ?? again ?? initial.get(partition) ?? begin);
    }
    if (resumption === undefined || seek !== undefined) continue;
    const own = positions.get(partition)!;
    const inherited = own === commit && own > begin && !explicit.has(partition);
    const flow = inherited ? resumption.unknownTo(partition) : undefined;
    if (flow !== undefined) {
      throw new KafkaError(
        `Cannot begin topic "${topic}" partition ${partition} at offset ${own}, which group ` +
          `"${groupId}" has committed: the state of flow "${flow}" has nothing of what is before; ` +
          `seek() to where it is to begin, or say so by offset: { ${partition}: … }`,
        { topic },
      );
    }
    const stored = resumption.start(partition, own) as number;
    if (stored !== own && (stored < begin || stored > end)) {
      throw new RangeError(
        `Cannot begin topic "${topic}" partition ${partition} at offset ${stored}, where the stored state ` +
          `ends: its offsets are from ${begin} to ${end}; seek() to where to go on, or begin a new state`,
      );
    }
    positions.set(partition, stored);
  }
  for (const [partition, position] of positions) {
    positions.set(partition, Math.max(low.get(partition) ?? 0, limit(partition, position)));
  }
  return { positions, committed, ends: high };
}

function only(offsets: Map<number, number>, partitions: readonly number[]): Map<number, number> {
  return new Map([...offsets].filter(([partition]) => partitions.includes(partition)));
}
