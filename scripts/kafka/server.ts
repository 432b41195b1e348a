import { freePorts, waitUntilAnswering } from "./ports.ts";
import { findRuntime } from "./find_runtime.ts";
import type { Installation, Running, Runtime } from "./runtime.ts";

/** What a broker is started with. */
export interface KafkaServerOptions {
  /** Lines of `server.properties` that are added to ours, or replace them. */
  properties?: Record<string, string>;
  /** Its place among the controllers of a cluster; by default it is alone. */
  node?: ClusterNode;
  /** The way to run it. @default {the first that {@linkcode findRuntime} finds} */
  runtime?: Runtime;
  /** More listeners: ports by name; their protocols are named in `properties`. */
  listeners?: Record<string, number>;
  /** Folders that `properties` name files of, readable for everybody. */
  reads?: string[];
  /** Lets the broker live on when this process ends. @default false */
  detached?: boolean;
  /** Is told why a container engine that is installed is not used. */
  note?: (text: string) => void;
}

/** One of the brokers of a cluster, each of which is a controller too. */
export interface ClusterNode {
  /** Its number. */
  id: number;
  /** The ports of all controllers, by the number of their broker. */
  controllers: ReadonlyMap<number, number>;
}

/** Properties that make one broker quick to start and its groups quick to rebalance. */
const QUICK: Record<string, string> = {
  "offsets.topic.replication.factor": "1",
  "offsets.topic.num.partitions": "4",
  "transaction.state.log.replication.factor": "1",
  "transaction.state.log.min.isr": "1",
  "transaction.state.log.num.partitions": "4",
  // A broker that was killed is let in again after its old session has ended.
  "broker.session.timeout.ms": "2000",
  "broker.heartbeat.interval.ms": "500",
  "group.initial.rebalance.delay.ms": "0",
  "group.min.session.timeout.ms": "1000",
  "log.cleaner.backoff.ms": "500",
  "log.segment.delete.delay.ms": "100",
};

/** A broker that this process started. */
export class KafkaServer implements AsyncDisposable {
  /** Its address, as clients name it. */
  readonly brokers: string[];
  /** Its folder: properties, data and log. */
  readonly folder: string;
  readonly #installation: Installation;
  #running: Running | undefined;

  private constructor(brokers: string[], folder: string, installation: Installation) {
    this.brokers = brokers;
    this.folder = folder;
    this.#installation = installation;
  }

  /**
   * Starts a broker of its own, whatever `KAFKA_BROKERS` says.
   *
   * @throws {Error} If there is no way to a broker on this machine; the message says what was tried.
   */
  static async start(options: KafkaServerOptions = {}): Promise<KafkaServer> {
    const { listeners, reads = [], detached = false, note } = options;
    const runtime = options.runtime ?? await findRuntime(note);
    const [client, alone] = freePorts(2) as [number, number];
    const { id, controllers } = options.node ?? { id: 1, controllers: new Map([[1, alone]]) };
    const voters = [...controllers].map(([id, port]) => `${id}@127.0.0.1:${port}`);
    const folder = await Deno.makeTempDir({ prefix: "slipstream-kafka-" });
    const clients = Object.entries({ PLAINTEXT: client, ...listeners });
    const at = (host: string) => clients.map(([name, port]) => `${name}://${host}:${port}`);
    const properties = {
      "process.roles": "broker,controller",
      "node.id": String(id),
      "controller.quorum.voters": voters.join(),
      "listeners": [...at(runtime.host), `CONTROLLER://127.0.0.1:${controllers.get(id)}`].join(),
      "advertised.listeners": at("127.0.0.1").join(),
      "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
      "controller.listener.names": "CONTROLLER",
      "log.dirs": runtime.dataFolder(folder),
      ...QUICK,
      ...options.properties,
    };
    const ports = clients.map(([, port]) => port);
    let server: KafkaServer | undefined;
    try {
      const installation = await runtime.install({ folder, properties, ports, reads, detached });
      server = new KafkaServer([`127.0.0.1:${client}`], folder, installation);
      await server.restart();
      return server;
    } catch (error) {
      await server?.stop();
      await Deno.remove(folder, { recursive: true }).catch(() => {});
      throw error;
    }
  }

  /** Starts the broker again on its data, after {@linkcode KafkaServer.kill}; resolves when it answers. */
  async restart(): Promise<void> {
    const running = this.#running = await this.#installation.start();
    await waitUntilAnswering(this.brokers[0]!, running.ended, () => running.log());
  }

  /** Ends the broker at once, as a power cut does; its data stay. */
  async kill(): Promise<void> {
    await this.#running?.kill();
    this.#running = undefined;
  }

  /** Freezes the broker: its connections stay open and answer nothing. */
  freeze(): Promise<void> {
    return this.#running!.signal("STOP");
  }

  /** Lets a frozen broker go on. */
  thaw(): Promise<void> {
    return this.#running!.signal("CONT");
  }

  /** What is needed to stop the broker from another process. */
  get handle(): string[] {
    return this.#running?.handle ?? [];
  }

  /** Ends the broker and removes its folder. */
  async stop(): Promise<void> {
    await this.kill();
    await this.#installation.remove();
    await Deno.remove(this.folder, { recursive: true }).catch(() => {});
  }

  /** Ends the broker and removes its folder. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** The brokers that the environment names; undefined when it names none. */
export function brokersFromEnvironment(): string[] | undefined {
  const named = Deno.env.get("KAFKA_BROKERS")?.split(",").map((broker) => broker.trim());
  const brokers = named?.filter((broker) => broker !== "") ?? [];
  return brokers.length > 0 ? brokers : undefined;
}
