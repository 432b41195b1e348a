import type { Cluster, OffsetsByTopicPartition } from "kafkajs";
import { type Clock, delay } from "../../clock.ts";
import type { Positions } from "../client/broker.ts";
import { isRetriable, toKafkaError, typeOf } from "./failures.ts";

/** Under which name the coordinator knows a member in one generation. */
export interface Identity {
  /** The member. */
  readonly memberId: string;
  /** The coordinator's number of the generation. */
  readonly groupGenerationId: number;
}

type Send = (offsets: OffsetsByTopicPartition) => Promise<void>;

/** What the coordinator answers when the generation is over. */
const FENCED = [
  "ILLEGAL_GENERATION",
  "UNKNOWN_MEMBER_ID",
  "REBALANCE_IN_PROGRESS",
  "FENCED_INSTANCE_ID",
];

const PAUSE_MS = 200;

/**
 * Commits the positions of a member, one request at a time, each under the generation it belongs to. A
 * request carries what was asked for last of its partitions: a repetition does not rewind a later commit.
 */
export class Commits {
  readonly #groupId: string;
  readonly #topic: string;
  readonly #clock: Clock;
  #cluster: Cluster | undefined;
  #send: Send | undefined;
  #identity: Identity | undefined;
  /** Resolves when there is a way to commit, or the generation has ended. */
  #able = Promise.withResolvers<void>();
  /** Aborts at the end of the generation. */
  #over = new AbortController();
  #last: Promise<unknown> | undefined;
  /** What was asked for last in this generation. */
  readonly #asked = new Map<number, number>();

  /** Commits for one topic of one group. */
  constructor(groupId: string, topic: string, clock: Clock) {
    this.#groupId = groupId;
    this.#topic = topic;
    this.#clock = clock;
  }

  /** Settles when the request in flight is answered, or has failed. */
  get inFlight(): Promise<unknown> | undefined {
    return this.#last;
  }

  /** Learns the connections of the member. */
  use(cluster: Cluster): void {
    this.#cluster = cluster;
  }

  /**
   * Learns the commit of a batch: it makes one attempt, under the generation that is current when it is
   * called. (The consumer's own retries under a later generation, and says nothing when it did not commit.)
   */
  through(send: Send): void {
    this.#send = send;
    this.#able.resolve();
  }

  /** Learns who the member is, from its heartbeat. */
  identified(identity: Identity): void {
    this.#identity = identity;
    this.#able.resolve();
  }

  /** Forgets what belonged to a generation that is over. */
  generationEnded(): void {
    this.#identity = undefined;
    this.#asked.clear();
    this.#able.resolve();
    this.#able = Promise.withResolvers();
    this.#over.abort();
    this.#over = new AbortController();
  }

  /** Forgets what belonged to a consumer that has stopped. */
  consumerEnded(): void {
    this.#send = undefined;
    this.generationEnded();
  }

  /**
   * Commits `positions` while `isCurrent()`. When no commit is in flight the request is sent before this
   * function returns.
   */
  async commit(positions: Positions, isCurrent: () => boolean): Promise<"committed" | "fenced"> {
    if (!isCurrent()) return "fenced";
    for (const [partition, offset] of positions) this.#asked.set(partition, offset);
    while (true) {
      while (this.#last) await this.#last;
      if (!isCurrent()) return "fenced";
      const attempt = this.#attempt(positions, isCurrent);
      this.#last = attempt.catch(() => {});
      try {
        return await attempt;
      } catch (error) {
        if (FENCED.includes(typeOf(error) ?? "")) return "fenced";
        if (!isRetriable(error)) {
          throw toKafkaError(`Cannot commit the positions of group "${this.#groupId}"`, error, {
            topic: this.#topic,
          });
        }
      } finally {
        this.#last = undefined;
      }
      await delay(this.#clock, PAUSE_MS, this.#over.signal).catch(() => {});
    }
  }

  async #attempt(positions: Positions, isCurrent: () => boolean): Promise<"committed" | "fenced"> {
    // Before the first batch, the first heartbeat tells who we are.
    if (!this.#send && !this.#identity) await this.#able.promise;
    if (!isCurrent()) return "fenced";
    const partitions = Array.from(positions.keys(), (partition) => ({
      partition,
      offset: String(this.#asked.get(partition)),
    }));
    const topics = [{ topic: this.#topic, partitions }];
    if (this.#send) {
      await this.#send({ topics });
      return "committed";
    }
    const identity = this.#identity;
    if (identity === undefined) return "fenced";
    const coordinator = await this.#cluster!.findGroupCoordinator({ groupId: this.#groupId });
    await coordinator.offsetCommit({ groupId: this.#groupId, ...identity, topics });
    return "committed";
  }
}
