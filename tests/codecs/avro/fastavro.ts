const VERSION = "fastavro==1.13.1";

/** Says why Python cannot be used; `undefined` when it can. */
export function pythonMissing(): string | undefined {
  try {
    const { success } = new Deno.Command("python3", { args: ["--version"] }).outputSync();
    return success ? undefined : "python3 does not run";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "python3 is not installed";
    throw error;
  }
}

/** Python's fastavro in a virtual environment of its own, which is removed at the end. */
export class FastAvro implements AsyncDisposable {
  readonly #folder: string;
  readonly #schemaPath: string;

  private constructor(folder: string, schemaPath: string) {
    this.#folder = folder;
    this.#schemaPath = schemaPath;
  }

  /** Installs it; from then on orders are of the schema in `schemaPath`. */
  static async install(schemaPath: string): Promise<FastAvro> {
    const folder = await Deno.makeTempDir({ prefix: "fastavro-" });
    await output("python3", ["-m", "venv", folder]);
    await output(`${folder}/bin/pip`, ["install", "--quiet", "--no-input", VERSION]);
    return new FastAvro(folder, schemaPath);
  }

  /** Runs interchange.py in `mode`, with `lines` as its input; resolves to the lines of its output. */
  async run(mode: string, lines: string[] = [], ...args: string[]): Promise<string[]> {
    const all = [`${import.meta.dirname}/interchange.py`, mode, this.#schemaPath, ...args];
    return (await output(`${this.#folder}/bin/python`, all, lines.join("\n"))).trim().split("\n");
  }

  /** Removes the environment. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#folder, { recursive: true });
  }
}

async function output(command: string, args: string[], input = ""): Promise<string> {
  const child = new Deno.Command(command, {
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  const written = writer.write(new TextEncoder().encode(input)).then(() => writer.close());
  const [{ success, stdout, stderr }] = await Promise.all([child.output(), written]);
  if (success) return new TextDecoder().decode(stdout);
  throw new Error(`Cannot run ${command} ${args[0]}: ${new TextDecoder().decode(stderr)}`);
}
