import type { Cluster, OffsetsByTopicPartition } from "kafkajs";
import { type Clock, delay } from "../../clock.ts";
import type { Positions } from "../broker.ts";
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

/** Commits the positions of a member, one commit at a time, each under the generation it belongs to. */
export class Commits {
  readonly #groupId: string;
  readonly #topic: string;
  readonly #clock: Clock;
  #cluster: Cluster | undefined;
  #send: Send | undefined;
  #identity: Identity | undefined;
  /** Resolves when there is a way to commit, or the generation has ended. */
  #able = Promise.withResolvers<void>();
  #last: Promise<unknown> | undefined;

  /** Commits for one topic of one group. */
  constructor(groupId: string, topic: string, clock: Clock) {
    this.#groupId = groupId;
    this.#topic = topic;
    this.#clock = clock;
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
    this.#able.resolve();
    this.#able = Promise.withResolvers();
  }

  /** Forgets what belonged to a consumer that has stopped. */
  consumerEnded(): void {
    this.#send = undefined;
    this.generationEnded();
  }

  /**
   * Commits `positions` while `isCurrent()`. When no commit is under way the request is sent before this
   * function returns.
   */
  async commit(positions: Positions, isCurrent: () => boolean): Promise<"committed" | "fenced"> {
    while (this.#last) await this.#last;
    while (isCurrent()) {
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
      await delay(this.#clock, PAUSE_MS);
    }
    return "fenced";
  }

  async #attempt(positions: Positions, isCurrent: () => boolean): Promise<"committed" | "fenced"> {
    const partitions = Array.from(positions, ([partition, offset]) => ({
      partition,
      offset: String(offset),
    }));
    const topics = [{ topic: this.#topic, partitions }];
    // Before the first batch, the first heartbeat tells who we are.
    if (!this.#send && !this.#identity) await this.#able.promise;
    if (!isCurrent()) return "fenced";
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
