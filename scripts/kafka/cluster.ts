import { java } from "./java.ts";
import { freePorts } from "./ports.ts";
import { KafkaServer } from "./server.ts";

/** Three brokers of one cluster, each of which is a controller too, as Java processes. */
export class KafkaCluster implements AsyncDisposable {
  /** The brokers, in the order of their numbers, which begin with 1. */
  readonly servers: readonly KafkaServer[];

  private constructor(servers: readonly KafkaServer[]) {
    this.servers = servers;
  }

  /**
   * Starts the brokers. What they replicate themselves has three replicas; leaders go back to the preferred ones
   * within seconds.
   *
   * @throws {Error} If there is no Java or no Maven, or a broker does not start.
   */
  static async start(): Promise<KafkaCluster> {
    const notes: string[] = [];
    const runtime = await java((text) => void notes.push(text), 256);
    if (!runtime) throw new Error(["Three brokers need Java and Maven", ...notes].join(": "));
    const controllers = new Map(freePorts(3).map((port, i) => [i + 1, port]));
    const properties = {
      "offsets.topic.replication.factor": "3",
      "transaction.state.log.replication.factor": "3",
      "auto.leader.rebalance.enable": "true",
      "leader.imbalance.check.interval.seconds": "1",
      "leader.imbalance.per.broker.percentage": "0",
    };
    // All at once: none answers before most of the controllers do.
    const starting = [...controllers.keys()].map((id) =>
      KafkaServer.start({ node: { id, controllers }, runtime, properties })
    );
    const started = await Promise.allSettled(starting);
    const servers = started.flatMap((it) => it.status === "fulfilled" ? [it.value] : []);
    const cluster = new KafkaCluster(servers);
    if (servers.length === starting.length) return cluster;
    await cluster[Symbol.asyncDispose]();
    throw started.find((it) => it.status === "rejected")!.reason;
  }

  /** The addresses of the brokers. */
  get brokers(): string[] {
    return this.servers.flatMap(({ brokers }) => brokers);
  }

  /** The broker with a number. */
  server(id: number): KafkaServer {
    return this.servers[id - 1]!;
  }

  /** Ends the brokers and removes their folders. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.servers.map((server) => server.stop()));
  }
}
