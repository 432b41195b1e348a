/** The Python reference: installed on first use, started once, asked for one round at a time. */
import { TextLineStream } from "@std/streams/text-line-stream";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const PACKAGE = "slipstream-async[cache,kafka]==1.0.5";
const windows = Deno.build.os === "windows";

/** A running Python process that does the same work with the reference. */
export class Peer implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #requests: WritableStreamDefaultWriter<Uint8Array>;
  readonly #answers: ReadableStreamDefaultReader<string>;

  private constructor(python: string) {
    const script = fileURLToPath(new URL("./peer/main.py", import.meta.url));
    this.#process = new Deno.Command(python, {
      args: [script],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#requests = this.#process.stdin.getWriter();
    this.#answers = this.#process.stdout
      .pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextLineStream())
      .getReader();
  }

  /** Starts the reference; undefined, with the reason on stderr, where it cannot be installed. */
  static async start(): Promise<Peer | undefined> {
    try {
      return new Peer(await install());
    } catch (error) {
      console.error(`No comparison with the Python reference: ${(error as Error).message}`);
      return undefined;
    }
  }

  /** Runs one round of a benchmark and returns how many messages a second it did. */
  async run(name: string, count: number): Promise<number> {
    await this.#requests.write(new TextEncoder().encode(JSON.stringify({ name, count }) + "\n"));
    const { value, done } = await this.#answers.read();
    if (done) throw new Error(`The Python reference ended during ${name}`);
    return count / JSON.parse(value).seconds;
  }

  /** Ends the process. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#requests.close();
    await this.#answers.cancel();
    await this.#process.status;
  }
}

/** Returns the interpreter of a virtual environment that has the reference; makes it when it is not there. */
async function install(): Promise<string> {
  const folder = join(tmpdir(), "slipstream-bench", PACKAGE);
  const python = windows ? join(folder, "Scripts", "python.exe") : join(folder, "bin", "python");
  if (!(await succeeds(python, ["-c", "import slipstream.caching, aiokafka"]))) {
    await command(windows ? "python" : "python3", ["-m", "venv", "--clear", folder]);
    await command(python, ["-m", "pip", "install", "--quiet", PACKAGE]);
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
