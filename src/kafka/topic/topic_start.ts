import type { Clock } from "../../clock.ts";
import type { Resumption } from "../../flow/state/state.ts";
import { killed } from "../client/alone.ts";
import { believable } from "../client/believable.ts";
import type { Broker, Positions } from "../client/broker.ts";
import { KafkaError } from "../client/errors.ts";
import {
  type Bounds,
  boundsOf,
  checkBounds,
  isInstant,
  lookUp,
  offsetsOf,
  type SeekPosition,
  type StartOffset,
} from "./positions.ts";
import type { BrokerStatus } from "../client/status.ts";

/** Of what the start of an assignment depends. */
export interface StartOptions {
  /** The topic. */
  readonly topic: string;
  /** The group. */
  readonly groupId: string;
  /** After how long the group takes a member for dead, in milliseconds. */
  readonly sessionTimeout: number;
  /** The partitions. */
  readonly partitions: readonly number[];
  /** Where to start without a commit; offsets by partition count more than commits. */
  readonly offset: StartOffset;
  /** Whether this is the first assignment: offsets by partition count only then. */
  readonly first: boolean;
  /**
   * Whether others have had their time: a new group starts without who reads partition 0, and a reader that
   * must be alone and is not fails.
   */
  readonly late: boolean;
  /** Seeks that nobody has carried out yet, by partition: they count most. */
  readonly sought: ReadonlyMap<number, SeekPosition>;
  /** Called with the offsets that are lost. */
  readonly status: (status: BrokerStatus) => void;
  /** Knows where the flows were whose positions stores hold: that counts more than all but seeks. */
  readonly resumption?: Resumption | undefined;
  /** Gets ready for the start; `total` is how many partitions the topic has. */
  readonly prepare: (total: number) => Promise<void>;
  /** The time. */
  readonly clock: Clock;
  /** Aborts when nobody waits for the start any more. */
  readonly signal: AbortSignal;
  /** Returns where to start at the latest: something before it is to be handled again, unless it was sought. */
  readonly limit: (partition: number, position: number) => number;
}

/** Where an assignment starts, and what the group had committed. */
export interface Start {
  /** The position of every partition. */
  readonly positions: Positions;
  /** What was committed. */
  readonly committed: Positions;
  /** What must be committed before anything is read: a later start would not find it again. */
  readonly decided: Positions;
  /** Where the partitions ended. */
  readonly ends: Positions;
  /** The partitions in which something may be handled again that flows have in their state: on purpose. */
  readonly moved: ReadonlySet<number>;
}

/**
 * Finds where an assignment starts. Per partition the first that there is counts: a seek, an explicit
 * offset (first assignment only), the commit of the group, the beginning or the end or a time.
 *
 * - The end, or a time, is looked up once in the life of a group, by who reads partition 0, and committed
 *   for all partitions in one request. So a partition without a commit was added after that if partition 0
 *   has one, and starts at its beginning; else it has to wait for that commit: the result is undefined.
 * - A commit that the log has left behind moves to its beginning, and the loss is reported.
 */
export async function findStart(
  broker: Broker,
  options: StartOptions,
): Promise<Start | undefined> {
  const { topic, groupId, partitions, offset, sought, resumption, limit, clock, signal } = options;
  const endsBeforeRead = ([committed, , ends]: readonly [Positions, Positions, Positions]) =>
    partitions.some((partition) => {
      const own = committed.get(partition) ?? -1;
      const stored = resumption?.start(partition, own) as number | undefined;
      return Math.max(own, stored ?? own) > (ends.get(partition) ?? Infinity);
    });
  const ask = () =>
    Promise.all([
      broker.committed(groupId, topic),
      broker.offsets(topic, "earliest"),
      broker.offsets(topic, "latest"),
    ]);
  const [committed, low, high] = await believable(ask, endsBeforeRead, clock, signal);
  if (resumption && partitions.length < low.size) {
    if (!options.late) return undefined;
    throw new KafkaError(
      `Cannot keep exact state of topic "${topic}": this member of group "${groupId}" reads ` +
        `${partitions.length} of its ${low.size} partitions, for longer than a session; let nobody else ` +
        `read it in that group; ${killed(options)}`,
      { topic },
    );
  }
  const chosen = await findChosen(broker, options, low, high);
  const open = partitions.filter((part) => !chosen.has(part) && !committed.has(part));
  const founding = isInstant(offset) && offset !== "earliest" && !committed.has(0);
  const founder = partitions.includes(0);
  if (founding && open.length > 0 && !founder && !options.late) return undefined;
  const initial = founding ? await broker.offsets(topic, offset) : low;
  await options.prepare(low.size);

  const decided = new Map<number, number>();
  if (founding && founder) {
    for (const [partition, position] of initial) {
      if (!committed.has(partition)) decided.set(partition, position);
    }
  }
  const positions = new Map<number, number>();
  const moved = new Set(sought.keys());
  for (const partition of partitions) {
    const bounds = boundsOf(partition, low, high);
    const own = chosen.get(partition) ??
      kept(options, partition, committed.get(partition), bounds) ??
      initial.get(partition) ?? bounds.begin;
    const inherited = !chosen.has(partition) && own === committed.get(partition) &&
      own > bounds.begin;
    if (inherited) checkKnown(options, partition, own, low);
    const position = sought.has(partition) ? own : resumed(options, partition, own, bounds);
    const start = Math.max(bounds.begin, limit(partition, position));
    if (start < position) moved.add(partition);
    positions.set(partition, start);
    if (chosen.has(partition) || (founding && open.includes(partition))) {
      decided.set(partition, positions.get(partition)!);
    }
  }
  return { positions, committed, decided, ends: high, moved };
}

/** The positions that somebody chose: by a seek, or explicitly. */
async function findChosen(
  broker: Broker,
  { topic, partitions, offset, first, sought, resumption }: StartOptions,
  low: Positions,
  high: Positions,
): Promise<Map<number, number>> {
  const explicit = first && !isInstant(offset) ? offsetsOf(offset) : new Map<number, number>();
  for (const partition of [...explicit.keys(), ...sought.keys()]) {
    if (low.has(partition)) continue;
    throw new RangeError(
      `Cannot begin topic "${topic}" at partition ${partition} as it has ${low.size} partitions`,
    );
  }
  const chosen = new Map<number, number>();
  for (const partition of partitions) {
    const seek = sought.get(partition);
    if (seek !== undefined && isInstant(seek)) {
      const found = await lookUp(broker, topic, [partition], seek);
      chosen.set(partition, found.get(partition)!);
      continue;
    }
    const position = seek ? offsetsOf(seek).get(partition) : explicit.get(partition);
    if (position === undefined) continue;
    // It was for the start at which a flow was new; later it may have been deleted.
    if (!seek && resumption && resumption.unknownTo(partition) === undefined) continue;
    checkBounds(topic, partition, position, boundsOf(partition, low, high));
    chosen.set(partition, position);
  }
  return chosen;
}

/** Where the commit of a partition leads; undefined without one. */
function kept(
  { topic, status }: StartOptions,
  partition: number,
  commit: number | undefined,
  { begin, end }: Bounds,
): number | undefined {
  if (commit === undefined || (begin <= commit && commit <= end)) return commit;
  status({ type: "lost", topic, partition, from: commit, to: begin });
  return begin;
}

/** Checks that no flow begins with an empty state after what others have committed. */
function checkKnown(
  { topic, groupId, resumption }: StartOptions,
  partition: number,
  own: number,
  low: Positions,
): void {
  const flow = resumption?.unknownTo(partition);
  if (flow === undefined) return;
  const begins = [...low].map(([partition, begin]) => `${partition}: ${begin}`).join(", ");
  throw new KafkaError(
    `Cannot begin topic "${topic}" partition ${partition} at offset ${own}, which group ` +
      `"${groupId}" has committed: the state of flow "${flow}" has nothing from before it; ` +
      `say where it should begin by offset: { ${begins} }, or later ones; other flows with state get only what is new ` +
      "to them, while seek() would move them, too",
    { topic },
  );
}

/** Where the stored state of the flows ends, if there is one; else `own`. */
function resumed(
  { topic, resumption }: StartOptions,
  partition: number,
  own: number,
  { begin, end }: Bounds,
): number {
  const stored = resumption === undefined ? own : resumption.start(partition, own) as number;
  if (stored === own || (begin <= stored && stored <= end)) return stored;
  throw new RangeError(
    `Cannot begin topic "${topic}" partition ${partition} at offset ${stored}, where the stored state ` +
      `ends: its offsets are from ${begin} to ${end}; seek() to where it should go on, or begin with new state`,
  );
}
