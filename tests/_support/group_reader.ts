import type {
  Assignment,
  Broker,
  BrokerRecord,
  Chunk,
  GroupHandlers,
  JoinOptions,
  Membership,
  Positions,
} from "../../src/kafka/client/broker.ts";
import type { BrokerStatus } from "../../src/kafka/client/status.ts";

/** A record as tests look at it. */
export interface Seen {
  readonly generation: number;
  readonly epoch: number;
  readonly partition: number;
  readonly offset: number;
  readonly value: string | null;
}

/** What a test replaces of a {@linkcode GroupReader}. */
export interface ReaderOptions extends Partial<JoinOptions> {
  readonly topic: string;
  readonly groupId: string;
  /** Where to start; by default where the group committed, else at the beginning. */
  readonly start?: (assignment: Assignment) => Promise<Positions>;
  /** Backpressure after each chunk. */
  readonly room?: () => void | Promise<void>;
  /** What happens when partitions are taken. */
  readonly revoking?: GroupHandlers["revoking"];
  /** What happens at each status. */
  readonly status?: GroupHandlers["status"];
}

const decoder = new TextDecoder();

/** A member of a group that remembers all it is told, and lets a test wait for it. */
export class GroupReader implements AsyncDisposable {
  readonly seen: Seen[] = [];
  readonly chunks: Chunk[] = [];
  readonly assignments: Assignment[] = [];
  readonly statuses: BrokerStatus[] = [];
  /** The position after what was seen, by partition. */
  readonly next = new Map<number, number>();
  membership!: Membership;
  #waiting = new Set<() => void>();

  static async join(broker: Broker, options: ReaderOptions): Promise<GroupReader> {
    const reader = new GroupReader();
    const { start, room, revoking, status: tell, ...join } = options;
    reader.membership = await broker.join({
      sessionTimeout: 6_000,
      rebalanceTimeout: 6_000,
      heartbeatInterval: 100,
      maxWaitTimeInMs: 50,
      maxBytesPerPartition: 1_048_576,
      maxBytes: 10_485_760,
      minBytes: 1,
      startTimeoutMs: 10_000,
      ...join,
    }, {
      async assigned(assignment) {
        const positions = await (start ?? ((a) => committedOrEarliest(broker, options.groupId, a)))(
          assignment,
        );
        reader.next.clear();
        reader.assignments.push(assignment);
        reader.#told();
        return positions;
      },
      records(chunk) {
        reader.#records(chunk);
        return room?.();
      },
      revoking: (assignment, canCommit) => revoking?.(assignment, canCommit),
      status(status) {
        reader.statuses.push(status);
        reader.#told();
        tell?.(status);
      },
    });
    return reader;
  }

  get assignment(): Assignment | undefined {
    return this.assignments.at(-1);
  }

  get values(): (string | null)[] {
    return this.seen.map((seen) => seen.value);
  }

  /** Resolves when `condition` holds; fails after `ms`, saying what was seen. */
  async until(condition: (reader: this) => boolean, ms = 20_000): Promise<void> {
    const deadline = performance.now() + ms;
    while (!condition(this)) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, Math.max(0, deadline - performance.now()));
      this.#waiting.add(resolve);
      await promise;
      clearTimeout(timer);
      if (performance.now() < deadline) continue;
      const { seen, assignments, statuses } = this;
      throw new Error(
        `Waited for ${condition}: ${Deno.inspect({ seen, assignments, statuses }, { depth: 6 })}`,
      );
    }
  }

  /** Commits all that was seen in the current generation. */
  commit(): Promise<"committed" | "fenced"> {
    return this.membership.commit(this.assignment!.generation, new Map(this.next));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.membership.close();
  }

  #records(chunk: Chunk): void {
    const { generation, epoch, partition } = chunk;
    this.chunks.push(chunk);
    this.next.set(partition, chunk.next);
    for (const { offset, value } of recordsOf(chunk)) {
      this.seen.push({
        generation,
        epoch,
        partition,
        offset,
        value: value && decoder.decode(value),
      });
    }
    this.#told();
  }

  #told(): void {
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const wake of waiting) wake();
  }
}

/** Where a group goes on: at its commits, else at the beginning. */
export async function committedOrEarliest(
  broker: Broker,
  groupId: string,
  { topic, partitions }: Assignment,
): Promise<Positions> {
  const [committed, earliest] = await Promise.all([
    broker.committed(groupId, topic),
    broker.offsets(topic, "earliest"),
  ]);
  return new Map(partitions.map((p) => [p, committed.get(p) ?? earliest.get(p)!]));
}

/** Returns the records of a chunk as an array. */
export function recordsOf({ records }: Chunk): BrokerRecord[] {
  return Array.from({ length: records.length }, (_, i) => records.at(i)!);
}
