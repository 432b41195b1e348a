import type { Consumer, ConsumerGroupJoinEvent, EachBatchPayload } from "kafkajs";
import { abortable, type Clock, settledWithin } from "../../clock.ts";
import type {
  Assignment,
  GroupHandlers,
  JoinOptions,
  Membership,
  Positions,
} from "../client/broker.ts";
import { startOf } from "../client/start_of.ts";
import type { Client } from "./client.ts";
import { leaveGroup } from "./cluster.ts";
import { Commits } from "./commits.ts";
import { createConsumer, type MembershipContext } from "./consumer.ts";
import { toKafkaError, typeOf } from "./failures.ts";
import { END_MS } from "./client_lifetime.ts";
import { cameWith } from "./fetching.ts";
import { BrokerHealth } from "./broker_health.ts";
import { watchRequests } from "./requests.ts";

/** When something was fetched: in which assignment, and in which epoch of the partition. */
interface Moment {
  readonly assignment: Assignment | undefined;
  readonly epoch: number;
}

/**
 * A member of a group, on a kafkajs consumer.
 *
 * - A generation is counted here, since kafkajs tells none. It ends when the consumer is about to join
 *   again (the assigner's `protocol()`), which is the only sign that always comes.
 * - What was fetched, paused or committed in an older generation or epoch has no effect.
 * - Backpressure holds the consumer inside its batch, with heartbeats: pausing costs half the throughput.
 */
export class KafkaMembership implements Membership {
  readonly #consumer: Consumer;
  readonly #client: Client;
  readonly #options: JoinOptions;
  readonly #handlers: GroupHandlers;
  readonly #clock: Clock;
  readonly #commits: Commits;
  readonly #health: BrokerHealth;
  readonly #epochs = new Map<number, number>();
  readonly #paused = new Set<number>();
  readonly #sought = new Map<number, number>();
  #generation = 0;
  #assignment: Assignment | undefined;
  /** Aborts when the assignment ends. */
  #over: AbortController = new AbortController();
  #revoking: Promise<void> | undefined;
  #positioned = false;
  #wake: (() => void) | undefined;
  #lifecycle: Promise<void> = Promise.resolve();
  #running = false;
  #closed = false;
  /** As whom it is joining, from the request until it is answered. */
  #joining: string | undefined;
  /** Leaves the group in which it is joining. */
  #leaving: Promise<void> | undefined;
  /** The group's number of the generation that it joined last, and of the last that gave it partitions. */
  #synced = 0;
  #held = 0;
  /** Is called when the member leaves for good, which waits for it. */
  ended: () => Promise<void> = () => Promise.resolve();

  private constructor(context: MembershipContext, options: JoinOptions) {
    const { client, handlers, clock } = context;
    const { groupId, topic } = options;
    this.#options = options;
    this.#handlers = handlers;
    this.#clock = clock;
    this.#commits = new Commits(groupId, topic, clock);
    this.#health = new BrokerHealth(clock, handlers.status);
    this.#client = client;
    client.lifetime.use(); // until it is closed
    this.#consumer = createConsumer(context, options, {
      cluster: (cluster) => {
        this.#commits.use(cluster);
        watchRequests<Moment>(cluster, {
          joins: (memberId) => this.#joins(memberId),
          syncs: (generation) => void (this.#synced = generation),
          fetches: (partition) => ({
            assignment: this.#assignment,
            epoch: this.#epochs.get(partition) ?? 0,
          }),
          atEnd: (partition, position, { assignment, epoch }) => {
            if (assignment === undefined || assignment !== this.#assignment) return;
            const { generation } = assignment;
            this.#handlers.atEnd?.({ generation, epoch, partition, position });
          },
        });
      },
      candidate: () => ({ exclusive: options.exclusive === true, held: this.#held }),
      joining: () => this.#end(),
    });
  }

  /** Joins; resolves when the consumer is connected and asks for an assignment. */
  static async join(
    context: MembershipContext,
    options: JoinOptions & { signal: AbortSignal },
  ): Promise<KafkaMembership> {
    const { topic, groupId, signal } = options;
    const member = new KafkaMembership(context, options);
    member.#listen();
    try {
      const connect = async () => {
        await member.#consumer.connect();
        await member.#consumer.subscribe({ topic, fromBeginning: true });
      };
      await abortable(member.#next(connect), signal);
    } catch (error) {
      const closed = member.close().catch(() => {});
      signal.throwIfAborted();
      await closed;
      throw toKafkaError(`Cannot join group "${groupId}"`, error, { topic });
    }
    member.rejoin();
    return member;
  }

  #listen(): void {
    const { events } = this.#consumer;
    this.#consumer.on(events.GROUP_JOIN, (event) => this.#joined(event));
    this.#consumer.on(events.REBALANCING, () => this.#end());
    this.#consumer.on(events.FETCH, () => this.#health.beat());
    this.#consumer.on(events.HEARTBEAT, ({ payload: { memberId, groupGenerationId } }) => {
      this.#health.beat();
      this.#commits.identified({ memberId, groupGenerationId: Number(groupGenerationId) });
    });
    this.#consumer.on(events.CRASH, ({ payload: { error, restart } }) => {
      this.#commits.consumerEnded(); // it is disconnected: the end of the generation commits nothing
      this.#end();
      if (!restart) this.#fail(toKafkaError("The consumer stopped", error));
    });
  }

  #joined({ payload }: ConsumerGroupJoinEvent): void {
    const { topic } = this.#options;
    const partitions = (payload.memberAssignment[topic] ?? []).toSorted((a, b) => a - b);
    this.#joining = undefined;
    if (partitions.length > 0) this.#held = this.#synced;
    this.#assignment = { generation: ++this.#generation, topic, partitions };
    this.#over = new AbortController();
    this.#revoking = undefined;
    this.#positioned = false;
    this.#sought.clear();
    this.#health.beat();
    // A position that is looked up after the first fetch comes too late: nothing is fetched until then.
    if (partitions.length > 0) this.#consumer.pause([{ topic, partitions }]);
    void this.#position(this.#assignment);
  }

  /**
   * It asks to take part, at first without a name, then by the one that the coordinator gave it. A throw
   * keeps the request back.
   */
  #joins(memberId: string): void {
    this.#joining = memberId === "" ? undefined : memberId;
    if (!this.#closed) return;
    this.#leaveJoin();
    throw new Error("the member is closed");
  }

  /**
   * Leaves the group while it joins. kafkajs does not: the group would wait for this member, and give
   * it partitions, until its session has timed out.
   */
  #leaveJoin(): void {
    const memberId = this.#joining;
    if (memberId === undefined) return;
    this.#leaving ??= leaveGroup(this.#client.kafka, this.#options, memberId).catch(() => {}); // it times out
  }

  async #position(assignment: Assignment): Promise<void> {
    const { topic } = this.#options;
    try {
      const { signal } = this.#over;
      const positions = await startOf(assignment, this.#handlers, this.#clock, signal);
      if (!positions) return;
      for (const [partition, position] of positions) {
        const offset = String(this.#sought.get(partition) ?? position);
        this.#consumer.seek({ topic, partition, offset });
      }
      this.#positioned = true;
      this.resume(assignment.partitions.filter((partition) => !this.#paused.has(partition)));
      const { generation, partitions } = assignment;
      this.#handlers.status({ type: "assigned", topic, partitions, generation });
    } catch (error) {
      if (assignment === this.#assignment) {
        this.#fail(toKafkaError(`Cannot find where to start in topic "${topic}"`, error));
      }
    }
  }

  async #batch(payload: EachBatchPayload): Promise<void> {
    const { batch, heartbeat, isStale, resolveOffset, commitOffsetsIfNecessary } = payload;
    const { topic, partition } = batch;
    const assignment = this.#assignment;
    this.#commits.through((offsets) => commitOffsetsIfNecessary(offsets));
    if (!assignment || this.#revoking || this.#paused.has(partition) || isStale()) return;
    const { tag: asked, fetched, high } = cameWith<Moment>(batch.messages[0]!);
    const epoch = this.#epochs.get(partition) ?? 0;
    if (asked.assignment !== assignment || asked.epoch !== epoch) return; // it was moved meanwhile
    resolveOffset(batch.lastOffset());
    const { generation } = assignment;
    const { bytes, next, failure } = fetched;
    const chunk = { generation, epoch, topic, partition, records: fetched, bytes, next, high };
    const room = this.#handlers.records({ ...chunk, ...(failure && { failure }) });
    if (room) await this.#hold(room, assignment, heartbeat);
    await this.#beat(assignment, heartbeat);
  }

  /** Stays inside the batch until there is room, or until something else needs the consumer. */
  async #hold(
    room: Promise<void>,
    assignment: Assignment,
    heartbeat: () => Promise<void>,
  ): Promise<void> {
    let held = true;
    let woken = () => {};
    const release = this.#wake = () => {
      held = false;
      woken();
    };
    room.then(release, release);
    while (held && assignment === this.#assignment && this.#running) {
      await new Promise<void>((resolve) => {
        const cancel = this.#clock.timer(resolve, this.#options.heartbeatInterval);
        woken = () => {
          cancel();
          resolve();
        };
      });
      if (held) await this.#beat(assignment, heartbeat);
    }
    this.#wake = undefined;
  }

  /** Sends a heartbeat when one is due; a rebalance that it reports is the time for the last commit. */
  async #beat(assignment: Assignment, heartbeat: () => Promise<void>): Promise<void> {
    try {
      await heartbeat();
    } catch (error) {
      if (typeOf(error) === "REBALANCE_IN_PROGRESS" && assignment === this.#assignment) {
        const half = this.#options.rebalanceTimeout / 2;
        await settledWithin(this.#clock, half, this.#revoke(assignment, true));
      }
      throw error;
    }
  }

  #revoke(assignment: Assignment, canCommit: boolean): Promise<void> {
    if (this.#revoking) return this.#revoking;
    const revoking = this.#handlers.revoking(assignment, canCommit);
    const { topic, partitions } = assignment;
    this.#handlers.status({ type: "revoked", topic, partitions });
    return this.#revoking = Promise.resolve(revoking);
  }

  /** Ends the generation, now. */
  #end(): void {
    const assignment = this.#assignment;
    if (!assignment) return;
    void this.#revoke(assignment, false);
    this.#assignment = undefined;
    this.#over.abort();
    this.#commits.generationEnded();
    this.#wake?.();
  }

  #fail(error: Error): void {
    if (this.#closed) return;
    this.#handlers.status({ type: "failed", error });
  }

  /** Commits positions of one generation; see {@linkcode Membership.commit}. */
  commit(generation: number, positions: Positions): Promise<"committed" | "fenced"> {
    return this.#commits.commit(
      positions,
      () => !this.#closed && generation === this.#assignment?.generation,
    );
  }

  /** Stops fetching from partitions, until they are resumed. */
  pause(partitions: Iterable<number>): void {
    const wanted = [...partitions];
    for (const partition of wanted) this.#paused.add(partition);
    const own = this.#own(wanted);
    if (own.length > 0) this.#consumer.pause([{ topic: this.#options.topic, partitions: own }]);
    this.#wake?.();
  }

  /** Fetches from them again. */
  resume(partitions: Iterable<number>): void {
    const wanted = [...partitions];
    for (const partition of wanted) this.#paused.delete(partition);
    const own = this.#own(wanted);
    if (own.length > 0) this.#consumer.resume([{ topic: this.#options.topic, partitions: own }]);
  }

  #own(partitions: number[]): number[] {
    if (!this.#positioned || !this.#running) return [];
    return partitions.filter((partition) => this.#assignment?.partitions.includes(partition));
  }

  /** Moves to another offset and returns the new epoch of the partition. */
  seek(partition: number, offset: number): number {
    const epoch = (this.#epochs.get(partition) ?? 0) + 1;
    this.#epochs.set(partition, epoch);
    if (this.#own([partition]).length > 0) {
      this.#consumer.seek({ topic: this.#options.topic, partition, offset: String(offset) });
    } else {
      this.#sought.set(partition, offset);
    }
    this.#wake?.();
    return epoch;
  }

  /** Leaves the group until {@linkcode KafkaMembership.rejoin}. */
  leave(): Promise<void> {
    this.#end();
    this.#running = false;
    this.#health.stop();
    return this.#next(async () => {
      await this.#consumer.stop();
      this.#commits.consumerEnded();
    });
  }

  /** Joins again. */
  rejoin(): void {
    void this.#next(async () => {
      if (this.#closed || this.#running) return;
      this.#running = true;
      this.#health.start();
      await this.#consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        eachBatch: (payload) => this.#batch(payload),
      });
    }).catch((error) => this.#fail(toKafkaError("Cannot join the group", error)));
  }

  /** Leaves the group for good; brokers that do not answer are not waited for. */
  async close(): Promise<void> {
    this.#end();
    this.#closed = true;
    this.#running = false;
    this.#health.stop();
    const others = this.ended();
    const { lifetime } = this.#client;
    lifetime.end();
    this.#leaveJoin();
    const left = this.#next(() => this.#consumer.disconnect()).finally(() => this.#leaving);
    const ending = Promise.allSettled([left, this.#commits.inFlight]);
    // It leaves when what is being fetched has come.
    await lifetime.close(this.#clock, ending, this.#options.maxWaitTimeInMs + END_MS);
    await others;
  }

  /** Runs steps of the consumer's life one after the other: kafkajs breaks when they overlap. */
  #next(step: () => Promise<void>): Promise<void> {
    const next = this.#lifecycle.then(step);
    this.#lifecycle = next.catch(() => {});
    return next;
  }
}
