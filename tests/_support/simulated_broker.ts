import type {
  Broker,
  GroupHandlers,
  Instant,
  JoinOptions,
  Membership,
  Positions,
  Producer,
  ProducerOptions,
  ProducerRecord,
  RecordPlace,
  TopicSpec,
} from "../../src/connector/mod.ts";
import type { MemoryBroker } from "../../src/kafka/memory/mod.ts";
import type { Scheduler } from "../../src/testing/mod.ts";
import { DeadError } from "./simulated_disk.ts";

/**
 * The connection of one process to a broker that outlives it. Every call waits for its turn before and after
 * it has its effect; what a producer took and has not flushed is gone with the process.
 */
export class SimulatedBroker implements Broker {
  dead = false;
  readonly #broker: MemoryBroker;
  readonly #scheduler: Scheduler;
  readonly #members: Membership[] = [];
  readonly #died = Promise.withResolvers<void>();

  constructor(broker: MemoryBroker, scheduler: Scheduler) {
    this.#broker = broker;
    this.#scheduler = scheduler;
  }

  /** Loses the process: the group notices, and nothing has an effect any more. */
  async crash(): Promise<void> {
    this.dead = true;
    this.#died.resolve();
    await Promise.all(this.#members.map((member) => member.close()));
  }

  /** Loses the group for a moment: what is in flight goes on, the partitions come again. */
  async loseGroup(): Promise<void> {
    for (const member of this.#members) {
      await member.leave();
      await this.turn("back in the group");
      member.rejoin();
    }
  }

  /** Waits for its turn, unless the process is dead. */
  async turn(name: string): Promise<void> {
    if (!this.dead) await this.#scheduler.turn(name);
    if (this.dead) throw new DeadError("Cannot reach the broker: the process is dead");
  }

  async join(options: JoinOptions, handlers: GroupHandlers): Promise<Membership> {
    await this.turn("a join");
    const member = await this.#broker.join(options, {
      assigned: (assignment) => this.dead ? new Promise(() => {}) : handlers.assigned(assignment),
      records: (chunk) => this.dead ? undefined : handlers.records(chunk),
      revoking: (assignment, canCommit) =>
        this.dead
          ? undefined
          : Promise.race([handlers.revoking(assignment, canCommit), this.#died.promise]),
      status: (status) => this.dead ? undefined : handlers.status(status),
    });
    this.#members.push(member);
    return {
      commit: async (generation, positions) => {
        await this.turn("a commit begins");
        const result = await member.commit(generation, positions);
        await this.turn("a commit ends");
        return result;
      },
      pause: (partitions) => member.pause(partitions),
      resume: (partitions) => member.resume(partitions),
      seek: (partition, offset) => member.seek(partition, offset),
      leave: () => member.leave(),
      rejoin: () => member.rejoin(),
      close: () => member.close(),
    };
  }

  async producer(options: ProducerOptions): Promise<Producer> {
    await this.turn("a producer");
    return new SimulatedProducer(this, await this.#broker.producer(options));
  }

  ensure(topic: string, spec: TopicSpec): Promise<boolean> {
    return this.#broker.ensure(topic, spec);
  }

  partitions(topic: string): Promise<number> {
    return this.#broker.partitions(topic);
  }

  offsets(topic: string, at: Instant): Promise<Positions> {
    return this.#broker.offsets(topic, at);
  }

  async committed(groupId: string, topic: string): Promise<Positions> {
    await this.turn("a look at commits");
    return await this.#broker.committed(groupId, topic);
  }

  async close(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {}
}

class SimulatedProducer implements Producer {
  readonly #broker: SimulatedBroker;
  readonly #producer: Producer;
  #taken: ProducerRecord[] = [];

  constructor(broker: SimulatedBroker, producer: Producer) {
    this.#broker = broker;
    this.#producer = producer;
  }

  async send(record: ProducerRecord): Promise<RecordPlace> {
    await this.#broker.turn("a send");
    return await this.#producer.send(record);
  }

  add(record: ProducerRecord): void {
    this.#taken.push(record);
  }

  async flush(): Promise<void> {
    while (this.#taken.length > 0) {
      await this.#broker.turn("a record is sent");
      const record = this.#taken.shift();
      if (record) await this.#producer.send(record);
    }
    await this.#broker.turn("records are confirmed");
  }

  async close(): Promise<void> {
    await this.#producer.close();
  }
}
