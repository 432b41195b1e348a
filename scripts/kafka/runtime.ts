import { container } from "./container.ts";
import { java } from "./java.ts";

/** A way to run a broker on this machine. */
export interface Runtime {
  /** Where the broker sees the data folder inside `folder`. */
  dataFolder(folder: string): string;
  /** Prepares the data folder. */
  format(folder: string): Promise<void>;
  /** Starts the broker; it ends with this process unless `detached`. */
  run(folder: string, detached: boolean): Promise<Running>;
}

/** A broker process. */
export interface Running {
  /** Settles when the process has ended. */
  readonly ended: Promise<unknown>;
  /** The command that ends it from another process. */
  readonly handle: string[];
  /** Freezes it or lets it go on. */
  signal(name: "STOP" | "CONT"): Promise<void>;
  /** Ends it at once. */
  kill(): Promise<void>;
}

/**
 * Finds a way to run a broker.
 *
 * @throws {Error} If there is none; the message says what is missing.
 */
export async function findRuntime(): Promise<Runtime> {
  const runtime = await container() ?? await java();
  if (runtime) return runtime;
  throw new Error(
    "No Kafka broker can be started here: set KAFKA_BROKERS, or install docker or podman " +
      "(and start its service), or Java 17 and Maven",
  );
}

/** Runs a command to its end and returns what it printed; undefined when it failed or is not there. */
export async function run(
  command: string,
  args: string[],
  options: { cwd?: string; timeoutMs?: number } = {},
): Promise<string | undefined> {
  const { cwd, timeoutMs = 10_000 } = options;
  try {
    const output = await new Deno.Command(command, {
      args,
      ...(cwd !== undefined && { cwd }),
      stdin: "null",
      stdout: "piped",
      stderr: "null",
      signal: AbortSignal.timeout(timeoutMs),
    }).output();
    return output.success ? new TextDecoder().decode(output.stdout) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Starts `script` with a shell whose standard input is a pipe from this process, so that the script's
 * last lines, after a `cat`, run when this process is gone, however it went.
 */
export function supervise(script: string, args: string[], detached: boolean): Deno.ChildProcess {
  return new Deno.Command("sh", {
    args: ["-c", script, "sh", ...args],
    stdin: detached ? "null" : "piped",
    stdout: "piped",
    stderr: "null",
    detached,
  }).spawn();
}
