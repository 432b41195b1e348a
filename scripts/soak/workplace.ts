import "../../src/kafka/kafkajs/repairs.ts";
import { Topic } from "@slipstream/slipstream/kafka";
import kafkajs from "kafkajs";
import { brokersFromEnvironment, KafkaServer } from "../kafka/server.ts";
import { PARTITIONS } from "./messages.ts";

/** How much of a partition is kept: a long run fills no disk. */
const RETENTION = { "retention.bytes": "268435456", "segment.bytes": "67108864" };

/** A broker with two topics, and a folder; they go with it. */
export class Workplace implements AsyncDisposable {
  /** The names of the topics; those of groups begin with them. */
  readonly input: string;
  readonly output: string;

  private constructor(
    readonly brokers: string[],
    readonly folder: string,
    readonly server: KafkaServer | undefined,
  ) {
    const id = crypto.randomUUID().slice(0, 8);
    [this.input, this.output] = [`in-${id}`, `out-${id}`];
  }

  /**
   * Opens one at the brokers of `KAFKA_BROKERS`, or at one that is started.
   *
   * @throws {Error} If none is named and none can be started; the message says why.
   */
  static async open(): Promise<Workplace> {
    const named = brokersFromEnvironment();
    const server = named ? undefined : await KafkaServer.start({
      note: console.error,
      // What is not kept is gone soon, not after five minutes.
      properties: { "log.retention.check.interval.ms": "10000" },
    });
    const folder = await Deno.makeTempDir({ prefix: "slipstream-soak-" });
    const workplace = new Workplace(named ?? server!.brokers, folder, server);
    try {
      for (const name of [workplace.input, workplace.output]) {
        await using topic = new Topic(name, { brokers: workplace.brokers });
        await topic.ensure({ partitions: PARTITIONS, config: RETENTION });
      }
    } catch (error) {
      await workplace[Symbol.asyncDispose]();
      throw error;
    }
    return workplace;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
    if (this.server) return await this.server.stop();
    const client = new kafkajs.Kafka({
      brokers: this.brokers,
      logLevel: kafkajs.logLevel.NOTHING,
    });
    const admin = client.admin();
    await admin.connect();
    const groups = (await admin.listGroups()).groups.map(({ groupId }) => groupId);
    const ours = groups.filter((id) => id.startsWith(this.input) || id.startsWith(this.output));
    await admin.deleteTopics({ topics: [this.input, this.output] }).catch(() => {});
    await admin.deleteGroups(ours).catch(() => {}); // a member that was killed may be in it
    await admin.disconnect();
  }
}
