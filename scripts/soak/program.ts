/** What a program says of itself, beside its reports. */
export type Said<Report> = Report | { readonly type: "failed"; readonly error: string };

const encoder = new TextEncoder();

/** Reports to whoever started this process, as one line of JSON; ends it when nobody listens any more. */
export function say<Report>(report: Said<Report>): void {
  let bytes = encoder.encode(`${JSON.stringify(report)}\n`);
  try {
    while (bytes.length > 0) bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
  } catch {
    Deno.exit(1);
  }
}

/** Runs the body of a program; an error is said and makes the process end with code 1. */
export async function saying(body: () => Promise<void>): Promise<void> {
  try {
    await body();
  } catch (error) {
    say({ type: "failed", error: inWords(error) });
    Deno.exitCode = 1;
  }
}

function inWords(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const text = `${error.name}: ${error.message}`;
  return error.cause === undefined ? text : `${text} <- ${inWords(error.cause)}`;
}

/** A process that was started here, and what it reports. */
export class Program<Report extends { type: string }> implements AsyncDisposable {
  readonly #name: string;
  readonly #child: Deno.ChildProcess;
  /** Resolves when it has ended and everything that it said is read. */
  readonly ended: Promise<Deno.CommandStatus>;
  #over = false;
  #error = "";

  /** Starts a program; its only argument is JSON. */
  constructor(name: string, args: unknown, onReport: (report: Report) => void) {
    this.#name = name;
    const program = new URL(`./${name}.ts`, import.meta.url).pathname;
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--v8-flags=--expose-gc", program, JSON.stringify(args)],
      stdin: "null",
      stdout: "piped",
    }).spawn();
    const reading = this.#read(onReport);
    this.ended = this.#child.status.then(async (status) => {
      this.#over = true;
      await reading;
      return status;
    });
  }

  async #read(onReport: (report: Report) => void): Promise<void> {
    let partial = "";
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (partial + text).split("\n");
      partial = lines.pop()!;
      for (const line of lines) {
        const report: Said<Report> = JSON.parse(line);
        if (report.type === "failed") this.#error = `: ${(report as { error: string }).error}`;
        else onReport(report as Report);
      }
    }
  }

  /** Resolves, when it ends, to how. */
  async ending(): Promise<string> {
    const { code, signal } = await this.ended;
    return `${this.#name} ended with ${signal ?? `code ${code}`}${this.#error}`;
  }

  /** Sends it a signal, if it is there. */
  kill(signal: Deno.Signal): void {
    if (this.#over) return;
    try {
      this.#child.kill(signal);
    } catch {
      // it has just ended
    }
  }

  /** Asks it to end; throws when it does not within `ms`, or not in good order. */
  async end(ms: number): Promise<void> {
    this.kill("SIGTERM");
    const late = Promise.withResolvers<undefined>();
    const timer = setTimeout(() => late.resolve(undefined), ms);
    const status = await Promise.race([this.ended, late.promise]);
    clearTimeout(timer);
    if (status === undefined) throw new Error(`${this.#name} has not ended ${ms} ms after SIGTERM`);
    if (!status.success) throw new Error(await this.ending());
  }

  /** Ends it at once. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.kill("SIGKILL");
    await this.ended;
  }
}
