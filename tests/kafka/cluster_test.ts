/** Three brokers of one cluster: what becomes of what is written and read while partitions change their leaders. */
import { assertEquals } from "@std/assert";
import { deadline } from "@std/async/deadline";
import kafkajs from "kafkajs";
import { KafkaCluster } from "../../scripts/kafka/cluster.ts";
import { jars } from "../../scripts/kafka/java.ts";
import { KafkaBroker } from "../../src/kafka/kafkajs/broker.ts";
import type { Producer } from "../../src/kafka/client/broker.ts";
import { GroupReader } from "../_support/group_reader.ts";
import { unique } from "../_support/kafka.ts";
import { openProducer, record } from "../_support/records.ts";

const PARTITIONS = [0, 1, 2, 3, 4, 5];

/** Registers a test that starts a cluster of its own. */
function clusterTest(name: string, body: () => Promise<void>, reason: string | undefined): void {
  if (reason === undefined) Deno.test(name, body);
  else if (Deno.env.get("KAFKA_REQUIRED") === "1") {
    Deno.test(name, () => Promise.reject(new Error(`Cannot test: ${reason}`)));
  } else Deno.test.ignore(`${name} (${reason})`, body);
}

/** Writes the numbers from 0 to each partition, at some thousands a second, until it is stopped. */
class Load {
  /** How many were sent to each partition, and how many are confirmed. */
  readonly sent = PARTITIONS.map(() => 0);
  readonly confirmed = PARTITIONS.map(() => 0);
  /** Places that are not those of the order in which they were sent. */
  readonly wrong: string[] = [];
  readonly #sending = new Set<Promise<void>>();
  readonly #running: Promise<void>;
  #stopped = false;
  #failure: unknown;

  constructor(producer: Producer) {
    this.#running = this.#run(producer);
  }

  async #run(producer: Producer): Promise<void> {
    while (!this.#stopped && this.#failure === undefined) {
      for (const partition of PARTITIONS) {
        for (let i = 0; i < 5; i++) this.#send(producer, partition);
      }
      // As fast as a source that is paced; and no more than some thousands on their way.
      await new Promise((resolve) => setTimeout(resolve, 5));
      while (this.#sending.size > 5_000) await Promise.race(this.#sending);
    }
    await Promise.all(this.#sending);
  }

  #send(producer: Producer, partition: number): void {
    const n = this.sent[partition]!++;
    const sending = producer.send(record("k", String(n), { partition })).then(
      ({ offset }) => {
        this.confirmed[partition]!++;
        if (offset !== n) this.wrong.push(`${n} of partition ${partition} is at ${offset}`);
      },
      (error) => void (this.#failure ??= error),
    ).finally(() => this.#sending.delete(sending));
    this.#sending.add(sending);
  }

  /** Resolves when `count` more are confirmed in each partition. */
  async goesOn(count: number): Promise<void> {
    const goal = this.confirmed.map((confirmed) => confirmed + count);
    await until(`${count} more in each partition, of ${this.confirmed}`, () => {
      if (this.#failure !== undefined) throw this.#failure;
      return goal.every((goal, partition) => this.confirmed[partition]! >= goal);
    });
  }

  /** Resolves when all that was sent is confirmed. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
    if (this.#failure !== undefined) throw this.#failure;
  }
}

/** Resolves when a condition holds that is looked at again and again; rejects after two minutes. */
async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 120_000;
  while (!await holds()) {
    if (performance.now() > deadline) throw new Error(`Waited for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

for (const how of ["kill", "freeze"] as const) {
  const why = how === "kill" ? "one was killed" : "one answers nothing";
  const name =
    `leaders move under load, as ${why}: all that is written is read, in order, nothing twice`;
  clusterTest(name, async () => {
    await using cluster = await KafkaCluster.start();
    const topic = unique("moving");
    await using broker = new KafkaBroker({ brokers: cluster.brokers, requestTimeout: 5_000 });
    const config = { "min.insync.replicas": "2" };
    await broker.ensure(topic, { partitions: PARTITIONS.length, replication: 3, config });
    const kafka = new kafkajs.Kafka({
      brokers: cluster.brokers,
      requestTimeout: 5_000,
      logLevel: kafkajs.logLevel.NOTHING,
    });
    const admin = kafka.admin();
    await admin.connect();
    /** Returns the broker that coordinates the group: it leads the partition that has the group's commits. */
    const coordinator = async () => {
      const { topics } = await admin.fetchTopicMetadata({ topics: ["__consumer_offsets"] });
      const { partitions } = topics[0]!;
      const hash = [...topic].reduce((hash, c) => hash * 31 + c.charCodeAt(0) | 0, 0);
      const own = (hash & 0x7fffffff) % partitions.length;
      return partitions.find(({ partitionId }) => partitionId === own)!.leader;
    };
    /** Returns whether each partition has a leader of which a condition holds. */
    const all = async (
      holds: (partition: { leader: number; replicas: number[]; isr: number[] }) => boolean,
    ) => {
      // The broker that is asked may be the one that is gone.
      const found = await admin.fetchTopicMetadata({ topics: [topic] }).catch(() => undefined);
      const partitions = found?.topics[0]?.partitions ?? [];
      return partitions.length === PARTITIONS.length &&
        partitions.every((it) => it.leader > 0 && holds(it));
    };
    try {
      await using reader = await GroupReader.join(broker, { topic, groupId: topic });
      const producer = await openProducer(broker, topic, {
        batchSize: 20,
        deliveryTimeoutMs: 120_000,
      });
      const load = new Load(producer);
      await load.goesOn(300);
      // Each of the three brokers leads two partitions; the victim coordinates the reader's group, too.
      await until("balance", () => all(({ leader, replicas }) => leader === replicas[0]));
      const victim = await coordinator();
      await cluster.server(victim)[how]();
      await until("new leaders", () => all(({ leader }) => leader !== victim));
      await load.goesOn(300);
      // The group has another coordinator, too, in place of one that may never be back.
      const committed = new Map(reader.next);
      await deadline(reader.commit(), 120_000);
      const confirmed = [...load.confirmed];
      await reader.until(
        ({ next }) => PARTITIONS.every((it) => next.get(it)! >= confirmed[it]!),
        120_000,
      );
      await cluster.server(victim)[how === "kill" ? "restart" : "thaw"]();
      await until(
        "the preferred leaders",
        () => all(({ leader, replicas, isr }) => isr.length === 3 && leader === replicas[0]),
      );
      await load.goesOn(300);
      await load.stop();
      await producer.close();

      assertEquals(load.wrong, []);
      // The brokers may take their time until the group has another coordinator.
      const isThrough = ({ next }: GroupReader) =>
        PARTITIONS.every((it) => next.get(it) === load.sent[it]);
      await reader.until(isThrough, 120_000);
      // The n-th record of a partition is the n-th that was sent to it.
      const strange = reader.seen.filter(({ value, offset }) => value !== String(offset));
      assertEquals(strange, []);
      // A member that joins anew begins where the group has committed; then nothing is missing, or comes twice.
      const nexts = new Map<string, number>();
      for (const { generation, epoch, partition, offset } of reader.seen) {
        const of = `${generation} ${epoch} ${partition}`;
        const expected = nexts.get(of) ?? (offset === 0 ? 0 : committed.get(partition));
        assertEquals(offset, expected, of);
        nexts.set(of, offset + 1);
      }
    } finally {
      await admin.disconnect();
    }
  }, await jars() === undefined ? "three brokers need Java and Maven" : undefined);
}
