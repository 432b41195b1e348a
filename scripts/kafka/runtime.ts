/** A way to run a broker on this machine. */
export interface Runtime {
  /** The address that a broker listens at to be reached at 127.0.0.1. */
  readonly host: string;
  /** Where the broker keeps its data; `folder` is ours. */
  dataFolder(folder: string): string;
  /** Prepares a broker. */
  install(setup: Setup): Promise<Installation>;
}

/** What a broker is to be. */
export interface Setup {
  /** The folder of its files on this machine; its name is that of no other broker. */
  folder: string;
  /** What it is configured with. */
  properties: Record<string, string>;
  /** The ports of its clients. */
  ports: number[];
  /** Folders of this machine that it reads, under the same path. */
  reads: string[];
  /** Lets it outlive this process. */
  detached: boolean;
}

/** A broker that can be started, killed, and started again on its data. */
export interface Installation {
  /** Starts it; it ends with this process unless it is detached. */
  start(): Promise<Running>;
  /** Removes what it leaves outside its folder. */
  remove(): Promise<void>;
}

/** A broker process. */
export interface Running {
  /** Settles when the process has ended. */
  readonly ended: Promise<unknown>;
  /** The command that ends it from another process: exactly this one, whatever runs there by then. */
  readonly handle: string[];
  /** What it has written. */
  log(): Promise<string>;
  /** Freezes it or lets it go on. */
  signal(name: "STOP" | "CONT"): Promise<void>;
  /** Ends it at once. */
  kill(): Promise<void>;
}

/** What came of a command. */
export interface Outcome {
  /** True when it ended with code 0. */
  success: boolean;
  /** True when there is no such command. */
  missing: boolean;
  /** What it printed. */
  stdout: string;
  /** The last line that it printed as an error. */
  error: string;
}

/** Runs a command to its end; never rejects. */
export async function run(
  command: string,
  args: string[],
  options: { cwd?: string; timeoutMs?: number } = {},
): Promise<Outcome> {
  const { cwd, timeoutMs = 10_000 } = options;
  const signal = AbortSignal.timeout(timeoutMs);
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  try {
    const { success, stdout, stderr } = await new Deno.Command(command, {
      args,
      ...(cwd !== undefined && { cwd }),
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      signal,
    }).output();
    const late = !success && signal.aborted ? `no answer within ${timeoutMs} ms` : undefined;
    const error = late ?? decode(stderr).trim().split("\n").at(-1)!.trim();
    return { success, missing: false, stdout: decode(stdout), error };
  } catch (error) {
    const missing = error instanceof Deno.errors.NotFound;
    return { success: false, missing, stdout: "", error: (error as Error).message };
  }
}

/**
 * Starts `script` with a shell whose standard input is a pipe from this process, so that what it runs
 * after a `cat` runs when this process is gone, however it went. Neither an interrupt at the terminal nor
 * a closed pipe ends the shell.
 */
export function supervise(script: string, args: string[], detached: boolean): Deno.ChildProcess {
  const child = new Deno.Command("sh", {
    args: ["-c", `trap '' HUP INT PIPE TERM\n${script}`, "sh", ...args],
    stdin: detached ? "null" : "piped",
    stdout: "piped",
    stderr: "null",
    detached,
  }).spawn();
  if (detached) child.unref();
  return child;
}

/** Returns the first line that a supervised script prints; empty when it ends without one. */
export async function firstLine(child: Deno.ChildProcess): Promise<string> {
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  await reader.cancel();
  return new TextDecoder().decode(value).trim();
}
