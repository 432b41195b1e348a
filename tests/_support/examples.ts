/** Runs the examples as a reader would: by the command that the head of each file gives. */

/** The root of the repository. */
export const root: URL = new URL("../../", import.meta.url);

/** What the head of an example says. */
export interface Example {
  /** The command, without `deno`. */
  args: string[];
  /** The lines it prints; a line `…` stands for any number of lines. */
  output: string[];
}

/** Reads the first `sh` and the first `text` block of the head of `examples/<name>.ts`. */
export async function readExample(name: string): Promise<Example> {
  const source = await Deno.readTextFile(new URL(`examples/${name}.ts`, root));
  const head = /^\/\*\*\n([\s\S]*?)\n \*\//.exec(source)?.[1];
  if (head === undefined) throw new Error(`examples/${name}.ts has no head`);
  const lines = head.split("\n").map((line) => line.replace(/^ \* ?/, ""));

  const block = (language: string): string[] => {
    const start = lines.indexOf("```" + language);
    if (start === -1) throw new Error(`The head of examples/${name}.ts has no ${language} block`);
    return lines.slice(start + 1, lines.indexOf("```", start));
  };
  const [deno, ...args] = block("sh")[0]!.split(" ");
  if (deno !== "deno") throw new Error(`The command of examples/${name}.ts must begin with deno`);
  return { args, output: block("text") };
}

/** Runs `deno` in the root of the repository, with a Kafka broker or without, and returns the lines it printed. */
export async function runDeno(args: string[], brokers: string[] = []): Promise<string[]> {
  const env = { NO_COLOR: "1", KAFKA_BROKERS: brokers.join() };
  const command = new Deno.Command(Deno.execPath(), { args, cwd: root, env });
  const { success, stdout, stderr } = await command.output();
  if (!success) {
    throw new Error(`deno ${args.join(" ")} failed:\n${new TextDecoder().decode(stderr)}`);
  }
  return new TextDecoder().decode(stdout).trimEnd().split("\n");
}

/** Replaces what the lines `…` of `expected` stand for in `actual`, so that the two can be compared. */
export function elide(actual: readonly string[], expected: readonly string[]): string[] {
  const gap = expected.indexOf("…");
  if (gap === -1) return [...actual];
  const rest = expected.slice(gap + 1);
  const tail = rest.length === 0 ? [] : actual.slice(-rest.length);
  return [...actual.slice(0, gap), "…", ...tail];
}
