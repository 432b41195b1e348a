// deno-lint-ignore-file no-console -- a command speaks by printing
/**
 * A real Kafka broker for tests and benchmarks: `deno task kafka start|stop|status`.
 *
 * In this order: the brokers named by `KAFKA_BROKERS`; a container engine that answers (`docker` or
 * `podman`, image `apache/kafka`); Java, with the broker's jars fetched once by Maven. A broker takes
 * free ports, keeps its files in a temporary folder, and is gone when whoever started it is gone; only the
 * one of this command lives until `stop`, from any shell of the same user in the same checkout.
 */
import { answers } from "./kafka/ports.ts";
import { run } from "./kafka/runtime.ts";
import { brokersFromEnvironment, KafkaServer } from "./kafka/server.ts";
import { stateFileOf } from "./kafka/state_file.ts";

export { brokersFromEnvironment, KafkaServer, type KafkaServerOptions } from "./kafka/server.ts";

/** What is needed to find and stop the broker from another process. */
interface State {
  brokers: string[];
  folder: string;
  /** A command that ends it. */
  handle: string[];
}

const stateFile = stateFileOf(import.meta.dirname!, Deno.env.get("TMPDIR") ?? "/tmp");

function readState(): State | undefined {
  try {
    // It names a command: nobody else's is believed.
    if (Deno.statSync(stateFile).uid !== Deno.uid()) return undefined;
    return JSON.parse(Deno.readTextFileSync(stateFile));
  } catch {
    return undefined;
  }
}

async function anyAnswers(brokers: string[]): Promise<boolean> {
  return (await Promise.all(brokers.map(answers))).includes(true);
}

/** Ends the broker of `state`; says whether there was one. */
async function end({ handle: [command, ...args], folder }: State): Promise<boolean> {
  const { success } = await run(command!, args);
  await Deno.remove(folder, { recursive: true }).catch(() => {});
  await Deno.remove(stateFile);
  return success;
}

async function start(): Promise<void> {
  const named = brokersFromEnvironment();
  if (named) return console.log(`KAFKA_BROKERS names ${named}: nothing to start`);
  const state = readState();
  if (state && await anyAnswers(state.brokers)) {
    return console.log(
      `runs at ${state.brokers} already; use it with KAFKA_BROKERS=${state.brokers}`,
    );
  }
  if (state && await end(state)) console.log(`${state.brokers} did not answer and was stopped`);
  const server = await KafkaServer.start({ detached: true, note: console.error });
  const { brokers, folder, handle } = server;
  try {
    const text = JSON.stringify({ brokers, folder, handle } satisfies State);
    await Deno.writeTextFile(stateFile, text, { mode: 0o600, createNew: true });
  } catch (error) {
    await server.stop();
    throw new Error(`Cannot note the broker in ${stateFile}`, { cause: error });
  }
  console.log(`runs at ${brokers}; use it with KAFKA_BROKERS=${brokers}`);
}

async function stop(): Promise<void> {
  const state = readState();
  if (!state) return console.log("nothing that was started here");
  console.log(await end(state) ? "stopped" : "was gone already");
}

async function status(): Promise<void> {
  const brokers = brokersFromEnvironment() ?? readState()?.brokers;
  if (!brokers) return console.log("no broker");
  console.log(`${brokers}: ${await anyAnswers(brokers) ? "answers" : "does not answer"}`);
}

if (import.meta.main) {
  const commands = new Map(Object.entries({ start, stop, status }));
  const command = Deno.args.length === 1 ? commands.get(Deno.args[0]!) : undefined;
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
