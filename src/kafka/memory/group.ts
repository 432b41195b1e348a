import { type Candidate, sharers } from "../client/alone.ts";
import type { Positions } from "../client/broker.ts";

/** A member of a group. */
export interface GroupMember extends Candidate {
  readonly topic: string;
  /** Takes its partitions back. */
  revoke(): Promise<void>;
  /** Tells the member its partitions in a generation of the group, and begins to deliver their records. */
  assign(partitions: readonly number[], generationOfGroup: number): void;
}

/** A consumer group: who is in it, and what it has committed. */
export class MemoryGroup {
  readonly #partitionsOf: (topic: string) => number;
  readonly #members = new Set<GroupMember>();
  readonly #committed = new Map<string, Map<number, number>>();
  #generation = 0;
  #rebalancing: Promise<void> | undefined;
  #again = false;

  /** Begins without members; `partitionsOf` tells how many partitions a topic has. */
  constructor(partitionsOf: (topic: string) => number) {
    this.#partitionsOf = partitionsOf;
  }

  /** What was committed for a topic. */
  committed(topic: string): Positions {
    return new Map(this.#committed.get(topic));
  }

  /** Commits positions of a topic. */
  commit(topic: string, positions: Positions): void {
    const committed = this.#committed.getOrInsertComputed(topic, () => new Map());
    for (const [partition, offset] of positions) committed.set(partition, offset);
  }

  /** Adds a member and gives all members new assignments. */
  join(member: GroupMember): void {
    this.#members.add(member);
    void this.rebalance();
  }

  /** Removes a member and gives the others new assignments. */
  leave(member: GroupMember): void {
    if (this.#members.delete(member)) void this.rebalance();
  }

  /** The members that read `topic`. */
  readers(topic: string): GroupMember[] {
    return [...this.#members].filter((member) => member.topic === topic);
  }

  /** Takes all partitions back, then shares them out among those who are there then. */
  rebalance(): Promise<void> {
    this.#again = true;
    return this.#rebalancing ??= this.#rebalance();
  }

  async #rebalance(): Promise<void> {
    while (this.#again) {
      // Members that join in the same turn share one rebalance.
      await Promise.resolve();
      await Promise.all([...this.#members].map((member) => member.revoke()));
      this.#again = false; // who came meanwhile has nothing to give back
      this.#generation++;
      for (const member of this.#members) member.assign(this.#share(member), this.#generation);
    }
    this.#rebalancing = undefined;
  }

  #share(member: GroupMember): number[] {
    const { topic } = member;
    const readers = sharers(this.readers(topic));
    const place = readers.indexOf(member);
    return Array.from({ length: this.#partitionsOf(topic) }, (_, partition) => partition)
      .filter((partition) => partition % readers.length === place);
  }
}
