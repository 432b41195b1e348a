/** Programs that do the same work: installed on first use, started once, asked for one round at a time. */
import { TextLineStream } from "@std/streams/text-line-stream";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { jars } from "../kafka/java.ts";

const PACKAGE = "slipstream-async[cache,kafka]==1.0.5";
const QUIX = "quixstreams==3.28.1";
const KAFKATS = "npm:@kafkats/client@0.12.0";
const windows = Deno.build.os === "windows";

/** What the process is started with; what it needs is installed first. */
const programs = {
  /** The Python reference. */
  async reference(): Promise<[program: string, ...args: string[]]> {
    return [await install(PACKAGE, "slipstream.caching, aiokafka"), path("main.py")];
  },
  /** Quix Streams, which has windows. */
  async quix(): Promise<[program: string, ...args: string[]]> {
    return [await install(QUIX, "quixstreams"), path("quix.py")];
  },
  /** A Kafka client in TypeScript, under Deno; it does not touch the repository's lock file. */
  async kafkats(): Promise<[program: string, ...args: string[]]> {
    const run = ["run", "--allow-all", "--no-lock", "--no-config"];
    await command(Deno.execPath(), ["cache", "--no-lock", "--no-config", KAFKATS]);
    return [Deno.execPath(), ...run, path("kafkats.mjs"), KAFKATS];
  },
  /** Kafka Streams, whose jars Maven gets. */
  async streams(): Promise<[program: string, ...args: string[]]> {
    const notes: string[] = [];
    const folder = await jars((text) => void notes.push(text), "kafka-streams");
    if (folder === undefined) throw new Error(["Java and Maven are needed", ...notes].join(": "));
    const classes = join(tmpdir(), "slipstream-bench", "streams");
    await command("javac", ["-cp", `${folder}/*`, "-d", classes, path("Streams.java")]);
    return ["java", "-cp", `${folder}/*:${classes}`, "Streams"];
  },
};

function path(script: string): string {
  return fileURLToPath(new URL(`./peer/${script}`, import.meta.url));
}

/** A running process that does the same work. */
export class Peer implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #requests: WritableStreamDefaultWriter<Uint8Array>;
  readonly #answers: ReadableStreamDefaultReader<string>;

  private constructor(program: string, args: string[]) {
    this.#process = new Deno.Command(program, {
      args,
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#requests = this.#process.stdin.getWriter();
    this.#answers = this.#process.stdout
      .pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextLineStream())
      .getReader();
  }

  /** Starts one; undefined, with the reason on stderr, where it cannot be installed. */
  static async start(name: keyof typeof programs): Promise<Peer | undefined> {
    try {
      const [program, ...args] = await programs[name]();
      return new Peer(program, args);
    } catch (error) {
      console.error(`No comparison with ${name}: ${(error as Error).message}`);
      return undefined;
    }
  }

  /** Asks for one round of `count` messages and returns how many messages a second it did. */
  async run(request: { readonly name?: string; readonly count: number }): Promise<number> {
    const text = JSON.stringify(request);
    await this.#requests.write(new TextEncoder().encode(text + "\n"));
    const { value, done } = await this.#answers.read();
    if (done) throw new Error(`The peer ended during ${text}`);
    return request.count / JSON.parse(value).seconds;
  }

  /** Ends the process. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#requests.close();
    await this.#answers.cancel();
    await this.#process.status;
  }
}

/** Returns the interpreter of a virtual environment that has a package; makes it when it is not there. */
async function install(name: string, modules: string): Promise<string> {
  const folder = join(tmpdir(), "slipstream-bench", name);
  const python = windows ? join(folder, "Scripts", "python.exe") : join(folder, "bin", "python");
  if (!(await succeeds(python, ["-c", `import ${modules}`]))) {
    await command(windows ? "python" : "python3", ["-m", "venv", "--clear", folder]);
    await command(python, ["-m", "pip", "install", "--quiet", name]);
  }
  return python;
}

async function succeeds(program: string, args: string[]): Promise<boolean> {
  return await command(program, args).then(() => true, () => false);
}

async function command(program: string, args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args }).output();
  if (!success) {
    const reason = new TextDecoder().decode(stderr).trim().split("\n").at(-1);
    throw new Error(`${program} ${args.join(" ")} failed: ${reason}`);
  }
}
