/**
 * Runs the tests against the real `jsr:@std/*`, without the stand-ins of `scripts/std`: `deno task check:std`.
 *
 * The repository is copied to a temporary folder and loses its links there, so that the processes which
 * tests start see the real modules too. Needs a machine that reaches JSR.
 */
import { dirname, join } from "node:path";

const root = new URL("..", import.meta.url);

async function files(): Promise<string[]> {
  const args = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"];
  const { success, stdout } = await new Deno.Command("git", { args, cwd: root }).output();
  if (!success) throw new Error("Cannot list the files of the repository: git ls-files failed");
  return new TextDecoder().decode(stdout).split("\0").filter((path) => path !== "");
}

async function copyTo(folder: string): Promise<void> {
  for (const path of await files()) {
    if (path === "deno.lock" || path.startsWith("scripts/std/")) continue;
    const target = join(folder, path);
    await Deno.mkdir(dirname(target), { recursive: true });
    await Deno.copyFile(new URL(path, root), target);
  }
  const file = join(folder, "deno.json");
  const { links: _links, ...config } = JSON.parse(await Deno.readTextFile(file));
  await Deno.writeTextFile(file, JSON.stringify(config, null, 2));
}

const folder = await Deno.makeTempDir({ prefix: "slipstream-std-" });
let code: number;
try {
  await copyTo(folder);
  const command = new Deno.Command(Deno.execPath(), { args: ["task", "test"], cwd: folder });
  ({ code } = await command.spawn().status);
} finally {
  await Deno.remove(folder, { recursive: true });
}
Deno.exit(code);
