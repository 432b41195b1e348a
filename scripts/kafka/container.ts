import { firstLine, type Installation, run, type Running } from "./runtime.ts";
import { type Runtime, type Setup, supervise } from "./runtime.ts";

/** The image; podman needs a registry for short names in its configuration. */
const IMAGE = "apache/kafka:4.1.0";

/** Runs a container in the background; removes it, and its volumes, when standard input ends. */
const SUPERVISED = `engine=$1; name=$2; log=$3; shift 3
"$engine" run --detach --name "$name" "$@" >/dev/null 2>"$log" && echo started
exec >&-
cat >/dev/null
"$engine" rm -f -v "$name" >/dev/null`;

/** The same without an end: the container outlives its caller. */
const DETACHED = `engine=$1; name=$2; log=$3; shift 3
"$engine" run --detach --name "$name" "$@" >/dev/null 2>"$log" && echo started`;

/** The broker in a container of the first engine whose service answers and that has the image, or gets it. */
export async function container(note: (text: string) => void): Promise<Runtime | undefined> {
  for (const engine of ["docker", "podman"]) {
    const info = await run(engine, ["info"]);
    if (info.missing) continue;
    if (!info.success) {
      note(`${engine} is not used as it does not answer: ${info.error}`);
      continue;
    }
    if ((await run(engine, ["image", "inspect", IMAGE])).success) return inside(engine);
    const pull = await run(engine, ["pull", "--quiet", IMAGE], { timeoutMs: 300_000 });
    if (pull.success) return inside(engine);
    note(`${engine} is not used as it cannot get ${IMAGE}: ${pull.error}`);
  }
  return undefined;
}

function inside(engine: string): Runtime {
  return {
    // Whatever reaches the container comes from outside of it.
    host: "0.0.0.0",
    dataFolder: () => "/var/lib/kafka/data",
    install: (setup) => Promise.resolve(new Container(engine, setup)),
  };
}

/**
 * A container: its own command formats the storage and starts the broker. Its data stay in it, so a broker
 * that was killed goes on with them.
 */
class Container implements Installation {
  readonly #engine: string;
  readonly #setup: Setup;
  readonly #name: string;
  #supervisor: Deno.ChildProcess | undefined;

  constructor(engine: string, setup: Setup) {
    this.#engine = engine;
    this.#setup = setup;
    this.#name = setup.folder.split("/").at(-1)!;
  }

  async start(): Promise<Running> {
    if (this.#supervisor) await this.#must("start");
    else await this.#create();
    // Who outlives us is not waited for: that would be a process that outlives us too.
    const ended = this.#setup.detached
      ? new Promise(() => {})
      : run(this.#engine, ["wait", this.#name], { timeoutMs: 2 ** 31 - 1 });
    return {
      ended,
      handle: [this.#engine, "rm", "-f", "-v", this.#name],
      log: async () =>
        (await run("sh", ["-c", '"$1" logs "$2" 2>&1', "sh", this.#engine, this.#name])).stdout,
      signal: (kind) => this.#must(kind === "STOP" ? "pause" : "unpause"),
      kill: async () => {
        // One that has ended cannot be killed.
        await run(this.#engine, ["kill", this.#name]);
        if (!this.#setup.detached) await ended;
      },
    };
  }

  async #create(): Promise<void> {
    const { folder, detached } = this.#setup;
    const args = [this.#engine, this.#name, `${folder}/engine.log`, ...runArguments(this.#setup)];
    this.#supervisor = supervise(detached ? DETACHED : SUPERVISED, args, detached);
    if (await firstLine(this.#supervisor) === "started") return;
    const error = await Deno.readTextFile(`${folder}/engine.log`);
    throw new Error(`Cannot start a container of ${IMAGE} with ${this.#engine}: ${error.trim()}`);
  }

  async #must(verb: string): Promise<void> {
    const { success, error } = await run(this.#engine, [verb, this.#name], { timeoutMs: 60_000 });
    if (!success) throw new Error(`Cannot ${verb} the container ${this.#name}: ${error}`);
  }

  async remove(): Promise<void> {
    if (this.#setup.detached) await run(this.#engine, ["rm", "-f", "-v", this.#name]);
    else await this.#supervisor?.stdin.close().catch(() => {});
    await this.#supervisor?.status;
  }
}

/** What `run` is given after the name. As soon as one variable is given, the image has no defaults. */
function runArguments({ properties, ports, reads }: Setup): string[] {
  return [
    // The same port inside, since the broker also reaches itself by the address it advertises.
    ...ports.flatMap((port) => ["--publish", `127.0.0.1:${port}:${port}`]),
    ...reads.flatMap((folder) => ["--volume", `${folder}:${folder}:ro`]),
    ...Object.entries(properties).flatMap((
      [name, value],
    ) => ["--env", `${variable(name)}=${value}`]),
    IMAGE,
  ];
}

/** The variable that the image makes a property of. */
function variable(property: string): string {
  const name = property.replaceAll("_", "__").replaceAll("-", "___").replaceAll(".", "_");
  return `KAFKA_${name.toUpperCase()}`;
}
