// deno-lint-ignore-file no-console -- a command speaks by printing
/**
 * A real Kafka broker for tests and benchmarks: `deno task kafka start|stop|status`.
 *
 * In this order: the brokers named by `KAFKA_BROKERS`; a container engine that answers (`docker` or
 * `podman`, image `apache/kafka`); Java, with the broker's jars fetched once by Maven. A broker takes
 * free ports, keeps its files in a temporary folder, and is gone when whoever started it is gone.
 */
import { freePorts, waitUntilAnswering } from "./kafka/ports.ts";
import { findRuntime, type Running } from "./kafka/runtime.ts";
import { setTimeout as sleep } from "node:timers/promises";

/** What a broker is started with. */
export interface KafkaServerOptions {
  /** Lines of `server.properties` that are added to ours, or replace them. */
  properties?: Record<string, string>;
  /** More listeners, as `NAME://127.0.0.1:port`; their protocols are named in `properties`. */
  listeners?: string[];
  /** Lets the broker live on when this process ends. @default false */
  detached?: boolean;
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
  readonly #start: () => Promise<Running>;
  #running: Running | undefined;

  private constructor(brokers: string[], folder: string, start: () => Promise<Running>) {
    this.brokers = brokers;
    this.folder = folder;
    this.#start = start;
  }

  /**
   * Starts a broker of its own, whatever `KAFKA_BROKERS` says.
   *
   * @throws {Error} If there is no way to a broker on this machine; the message says what was tried.
   */
  static async start(options: KafkaServerOptions = {}): Promise<KafkaServer> {
    const runtime = await findRuntime();
    const [client, controller] = freePorts(2);
    const folder = await Deno.makeTempDir({ prefix: "slipstream-kafka-" });
    const more = (options.listeners ?? []).map((listener) => `,${listener}`).join("");
    const properties = {
      "process.roles": "broker,controller",
      "node.id": "1",
      "controller.quorum.voters": `1@127.0.0.1:${controller}`,
      "listeners": `PLAINTEXT://127.0.0.1:${client},CONTROLLER://127.0.0.1:${controller}${more}`,
      "advertised.listeners": `PLAINTEXT://127.0.0.1:${client}${more}`,
      "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
      "controller.listener.names": "CONTROLLER",
      "log.dirs": runtime.dataFolder(folder),
      ...QUICK,
      ...options.properties,
    };
    const lines = Object.entries(properties).map(([key, value]) => `${key}=${value}\n`);
    await Deno.writeTextFile(`${folder}/server.properties`, lines.join(""));
    await Deno.chmod(folder, 0o777);
    await runtime.format(folder);
    const start = () => runtime.run(folder, options.detached ?? false);
    const server = new KafkaServer([`127.0.0.1:${client}`], folder, start);
    try {
      await server.restart();
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  /** Starts the broker again on its data, after {@linkcode KafkaServer.kill}; resolves when it answers. */
  async restart(): Promise<void> {
    const running = this.#running = await this.#start();
    await waitUntilAnswering(this.brokers[0]!, running.ended, `${this.folder}/broker.log`);
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
    await Deno.remove(this.folder, { recursive: true }).catch(() => {});
  }

  /** Ends the broker and removes its folder. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** The brokers that the environment names; undefined when it names none. */
export function brokersFromEnvironment(): string[] | undefined {
  const brokers = Deno.env.get("KAFKA_BROKERS")?.split(",").map((broker) => broker.trim());
  return brokers?.filter((broker) => broker !== "");
}

interface State {
  brokers: string[];
  folder: string;
  handle: string[];
}

function stateFile(): string {
  return `${Deno.env.get("TMPDIR") ?? "/tmp"}/slipstream-kafka.json`;
}

function readState(): State | undefined {
  try {
    return JSON.parse(Deno.readTextFileSync(stateFile()));
  } catch {
    return undefined;
  }
}

async function answers(brokers: string[]): Promise<boolean> {
  const ended = sleep(1_000).then(() => "no answer");
  return await waitUntilAnswering(brokers[0]!, ended).then(() => true, () => false);
}

async function start(): Promise<void> {
  const named = brokersFromEnvironment();
  if (named !== undefined) {
    return console.log(`KAFKA_BROKERS names ${named}: nothing to start`);
  }
  const state = readState();
  if (state && await answers(state.brokers)) return console.log(`runs at ${state.brokers}`);
  const server = await KafkaServer.start({ detached: true });
  const { brokers, folder, handle } = server;
  await Deno.writeTextFile(stateFile(), JSON.stringify({ brokers, folder, handle }));
  console.log(`runs at ${brokers}; use it with KAFKA_BROKERS=${brokers}`);
}

async function stop(): Promise<void> {
  const state = readState();
  if (!state) return console.log("nothing that was started here");
  const [command, ...args] = state.handle;
  if (command) await new Deno.Command(command, { args, stdout: "null", stderr: "null" }).output();
  await Deno.remove(state.folder, { recursive: true }).catch(() => {});
  await Deno.remove(stateFile());
  console.log("stopped");
}

async function status(): Promise<void> {
  const brokers = brokersFromEnvironment() ?? readState()?.brokers;
  if (!brokers) return console.log("no broker");
  console.log(`${brokers}: ${await answers(brokers) ? "answers" : "does not answer"}`);
}

if (import.meta.main) {
  const commands: Record<string, () => Promise<void>> = { start, stop, status };
  const command = commands[Deno.args[0] ?? ""];
  if (!command) {
    console.error("Use: deno task kafka start|stop|status");
    Deno.exit(2);
  }
  try {
    await command();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    Deno.exit(1);
  }
}
