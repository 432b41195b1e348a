/**
 * Runs a script in a process whose disk takes no writes while the script says so: with a limit of 0 on the
 * size of files every write fails with an I/O error, also for root. Undefined where the system has no
 * `prlimit`.
 */
export async function failingWrites(): Promise<((script: string) => Promise<unknown>) | undefined> {
  if (Deno.build.os !== "linux" || !await hasPrlimit()) return undefined;
  return run;
}

/** What the script begins with; its `report()` is what the run returns. */
const PRELUDE = `
  import { Cache } from "@slipstream/slipstream";

  async function limitFiles(size) {
    const args = ["--pid", String(Deno.pid), "--fsize=" + size + ":unlimited"];
    const { success } = await new Deno.Command("prlimit", { args }).output();
    if (!success) throw new Error("prlimit failed");
  }
  const refuseWrites = () => limitFiles("0");
  const takeWrites = () => limitFiles("unlimited");
  const report = (value) => console.log(JSON.stringify(value));
  /** Resolves with what a call is rejected with. */
  const rejection = (call) => call.then(() => "none", ({ name, message, retriable }) => {
    return name + (retriable ? ", retriable: " : ": ") + message;
  });
`;

async function run(script: string): Promise<unknown> {
  const path = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(path, PRELUDE + script);
    const deno = [Deno.execPath(), "run", "-A", "--no-check", "--config", "deno.json", path];
    // The signal of the limit would end the process; ignored, the write fails.
    const args = ["-c", `trap '' XFSZ; exec "$@"`, "sh", ...deno];
    const { stdout, stderr, success } = await new Deno.Command("sh", { args }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    return JSON.parse(new TextDecoder().decode(stdout));
  } finally {
    await Deno.remove(path);
  }
}

async function hasPrlimit(): Promise<boolean> {
  try {
    return (await new Deno.Command("prlimit", { args: ["--version"] }).output()).success;
  } catch {
    return false;
  }
}
